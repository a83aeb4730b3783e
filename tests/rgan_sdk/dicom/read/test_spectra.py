"""The spectra of a series of files."""

import numpy as np
import pytest
from support.dicom_phantoms import write_series

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.spectra import measure_series
from rgan_sdk.errors import DicomError


def series(folder, **attributes):
    stored = np.random.default_rng(0).integers(1050, 1080, (64, 64)).astype(np.uint16)
    stored[:, 40:] = 0
    write_series(folder, 5, stored=stored, bits_stored=12, **attributes)
    return find_series(folder).series[0]


def test_slices_are_taken_from_all_over(tmp_path):
    found = measure_series(series(tmp_path), slices=3)
    assert len(found) == 3
    assert (found.pixel_spacing == 0.7).all()
    assert (found.structure_blocks == 1).all()


def test_blocks_with_declared_padding_do_not_count(tmp_path):
    found = measure_series(series(tmp_path, PixelPaddingValue=0))
    assert len(found) == 5
    assert (found.structure_blocks == 0).all()


def test_a_slice_that_cannot_be_read_is_named(tmp_path):
    broken = series(tmp_path)
    file = broken.slices[2].path
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(DicomError, match=file.name):
        measure_series(broken)
