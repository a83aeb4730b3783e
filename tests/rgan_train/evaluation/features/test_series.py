"""Series as features see them: padding filled."""

import numpy as np
from support.padding import corners, pad_files
from support.training import write_scan

from rgan_sdk.dicom.inventory import find_series
from rgan_train.evaluation.features.series import read_volume


def read(folder):
    return read_volume(find_series(folder).series[0])


def test_padding_is_filled_as_in_an_evaluation(tmp_path):
    image = read(write_scan(tmp_path / "image", "B40f"))
    padded = write_scan(tmp_path / "padded", "B40f")
    pad_files(padded, corners(64), 3000, PixelPaddingValue=3000)
    found = read(padded)
    assert (found.padding == corners(64)).all()
    assert np.array_equal(found.hu[~found.padding], image.hu[~found.padding])
    nearest = np.flatnonzero(~corners(64)[0])[0]
    assert np.array_equal(found.hu[:, 0, 0], image.hu[:, 0, nearest])


def test_a_slice_of_padding_alone_becomes_its_neighbour(tmp_path):
    folder = write_scan(tmp_path, "B40f", slices=4)
    (last,) = folder.glob("*-03.dcm")
    (tmp_path / "last").mkdir()
    last.rename(tmp_path / "last" / last.name)
    pad_files(tmp_path / "last", np.ones((64, 64), np.bool_), -2000)
    found = read(folder)
    assert found.padding.all(axis=(1, 2)).tolist() == [False, False, False, True]
    assert np.array_equal(found.hu[3], found.hu[2])
