"""Which series have the target kernel already."""

from dataclasses import replace

import pytest
from support.dicom_phantoms import write_series
from support.models import make_series_card

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.kernels import MatchCertificate
from rgan_sdk.run.choosing.candidates import has_target_kernel

TRAINED = make_series_card(manufacturers=("SIEMENS",))
SILENT = make_series_card()
"""Cards of models to B70f."""


@pytest.fixture
def series(tmp_path):
    write_series(tmp_path, 1, ConvolutionKernel="b70F", Manufacturer="SIEMENS")
    (found,) = find_series(tmp_path).series
    return found


def test_case_does_not_count_and_all_models_do(series):
    assert has_target_kernel(series, [SILENT, TRAINED])
    assert not has_target_kernel(series, [SILENT, replace(SILENT, target_kernel="B40f")])
    assert not has_target_kernel(replace(series, convolution_kernel=None), [SILENT])


def test_one_name_may_stand_for_the_kernels_of_two_makers(series):
    other = replace(series, manufacturer="Philips")
    assert not has_target_kernel(other, [TRAINED])
    assert not has_target_kernel(other, [SILENT, TRAINED])
    assert has_target_kernel(other, [SILENT])
    assert has_target_kernel(replace(series, manufacturer=""), [TRAINED])


def test_the_card_of_a_match_names_the_makers_of_sources_only(series):
    matched = replace(
        TRAINED, manufacturers=("GE MEDICAL SYSTEMS",), certificate=MatchCertificate(0.3, 0.6, 0.2)
    )
    assert has_target_kernel(series, [matched])
    assert has_target_kernel(series, [matched, TRAINED])
