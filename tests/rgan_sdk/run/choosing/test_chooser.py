"""One series, one model."""

from dataclasses import replace

import pytest
from support.dicom_phantoms import write_series
from support.models import make_domain_card, make_series_card

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.series import hash_slices
from rgan_sdk.run.choosing.candidates import Candidate
from rgan_sdk.run.choosing.chooser import Chooser, Fate
from rgan_sdk.run.options import RunOptions

CARD = make_series_card()
ONE, OTHER = Candidate("one", CARD, "11" * 32), Candidate("other", CARD, "22" * 32)


@pytest.fixture
def series(tmp_path):
    write_series(tmp_path, 2)
    (found,) = find_series(tmp_path).series
    return found


def choose(series, *candidates, made=None, options=None):
    return Chooser(candidates, options or RunOptions(), {}, made or {}).choose(series)


def test_a_choice_between_two_is_not_made(series):
    choice = choose(series, ONE, OTHER)
    assert choice.fate is Fate.FAIL
    assert choice.reason == (
        "ambiguous: several models take it, one, other; leave one out, or name one in a work list"
    )
    to_b30f = Candidate("soft", replace(CARD, target_kernel="B30f"))
    assert choose(series, ONE, to_b30f).reason.endswith("or choose with --target-kernel")


def test_a_finished_series_keeps_its_model(series):
    key = series.series_instance_uid, hash_slices(series)
    assert choose(series, ONE, OTHER, made={key: OTHER.sha256}).candidate is OTHER
    elsewhere = {(key[0], "other slices"): OTHER.sha256}
    assert choose(series, ONE, OTHER, made=elsewhere).fate is Fate.FAIL
    copying = RunOptions(include_target=True)
    assert choose(series, ONE, made={key: ""}, options=copying).fate is Fate.COPY


def test_of_several_models_a_wrong_kernel_is_reason_enough(tmp_path):
    write_series(tmp_path, 1, ConvolutionKernel="YA", Manufacturer="Philips", PixelSpacing=[1, 1])
    (series,) = find_series(tmp_path).series
    card = make_domain_card(manufacturers=("SIEMENS",))
    same_kernel = Candidate("ya", replace(card, source_kernels=("YA",)))
    assert choose(series, Candidate("siemens", card), same_kernel).reason == (
        "no model takes it. siemens: ConvolutionKernel (0018,1210) is YA; the model takes B40f. "
        "ya: Manufacturer (0008,0070) is Philips; the model takes SIEMENS; "
        "PixelSpacing (0028,0030) is 1 mm; the model takes 0.6 to 0.9"
    )
    alone = choose(series, Candidate("siemens", card)).reason
    assert alone.endswith("(or use --outside-domain kernel,manufacturer,spacing)")


def test_what_no_model_is_asked_for_is_harmonized(series):
    assert choose(series) == (Fate.HARMONIZE, None, "")
