"""Series as features see them: at even distances, with padding filled."""

import numpy as np
import pytest
from pydicom import dcmread
from support.padding import corners, pad_files
from support.training import write_scan

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.errors import MeasurementError
from rgan_train.evaluation.features.series import read_volume


def read(folder, **options):
    return read_volume(find_series(folder).series[0], **options)


def move(folder, positions):
    """Move the slices of a scan."""
    for path, position in zip(sorted(folder.iterdir()), positions, strict=True):
        dataset = dcmread(path)
        dataset.ImagePositionPatient = [-10, -20, position]
        dataset.save_as(path)
    return folder


def test_rounded_positions_are_even(tmp_path):
    rounded = [f"{0.625 * number:.2f}" for number in range(12)]
    folder = move(write_scan(tmp_path, "B40f"), rounded)
    assert read(folder).spacing[0] == pytest.approx(0.625, abs=0.001)


@pytest.mark.parametrize(
    ("positions", "gaps"),
    [
        ((0, 2, 4, 8, 10), "2.00 to 4.00"),
        ((0, 2, 4, 6, 10), "2.00 to 4.00"),
        ((0, 0.5, 1.06, 1.5, 2), "0.44 to 0.56"),
        ((0, 10, 20.11, 30, 40), "9.89 to 10.11"),
    ],
)
def test_slices_off_their_place_are_refused_unless_each_counts_alone(tmp_path, positions, gaps):
    folder = move(write_scan(tmp_path, "B40f", slices=5), positions)
    with pytest.raises(MeasurementError, match=f"{gaps} mm apart.*or take --dimensions slice"):
        read(folder)
    assert len(read(folder, needs_even=False).hu) == 5


def test_small_errors_of_positions_are_no_gaps(tmp_path):
    folder = move(write_scan(tmp_path, "B40f", slices=5), (0, 10, 20.09, 29.95, 40))
    assert read(folder).spacing[0] == 10


def test_a_single_slice_is_as_thick_as_it_says(tmp_path):
    folder = write_scan(tmp_path, "B40f", slices=1, SliceThickness=3)
    assert read(folder).spacing[0] == 3


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
