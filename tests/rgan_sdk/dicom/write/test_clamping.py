"""Where the pixels lie that could not be stored as computed."""

import numpy as np
import pytest
from support.dicom_phantoms import ct_dataset, uid, write_ct
from support.native import DERIVATION, POOL

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.batches import BatchReader
from rgan_sdk.dicom.write.clamping import Clamped, StorableRange, clamped_shares
from rgan_sdk.dicom.write.series_writer import SeriesWriter


def test_by_what_they_show():
    hu = np.float32([-1100, -901, -900, 40, 1000, 1001, 3100])
    assert Clamped.of(hu, 7) == Clamped(air=2, dense=2, tissue=3)


def test_padding_in_air_hides_no_metal():
    hu = np.float32([-1100] * 50 + [3100] * 3)
    assert Clamped.of(hu, 4) == Clamped(air=1, dense=3, tissue=0)


def test_pixels_that_moved_out_of_the_way_of_padding_lie_elsewhere():
    assert Clamped.of(np.float32([-1100]), 3) == Clamped(air=1, dense=0, tissue=2)


@pytest.mark.parametrize("slope", [1, -1])
def test_what_rounds_to_a_stored_value_is_not_clamped(slope):
    intercept = -1024 if slope == 1 else 3071
    dataset = ct_dataset(
        np.zeros((2, 2), np.uint16), bits_stored=12, RescaleSlope=slope, RescaleIntercept=intercept
    )
    hu = np.float32([[-1024.4, -1025], [3071.4, 3072]])
    assert StorableRange.of(dataset).locate(hu, 2) == Clamped(air=1, dense=1)
    assert StorableRange.of(dataset).locate(hu, 0) == Clamped()


def test_each_slice_of_a_series_has_its_own_range(tmp_path):
    """Air at -1000 HU is the lowest stored value of the second slice, but not of the first."""
    for number, intercept in enumerate((-1024, -1000)):
        stored = np.full((16, 16), -1000 - intercept, np.uint16)
        own = {"SOPInstanceUID": uid(1, 1, number), "ImagePositionPatient": [0, 0, number]}
        write_ct(tmp_path / str(number), stored, bits_stored=12, RescaleIntercept=intercept, **own)
    (series,) = find_series(tmp_path).series
    hu = np.empty((2, 16, 16), np.float32)
    sources = BatchReader(1).read(series.slices, hu)
    (tmp_path / "out").mkdir()
    writer = SeriesWriter(DERIVATION, tmp_path / "out", POOL, durable=False)
    written = writer.write(series.slices, sources, hu - 12)
    assert [one.clamped for one in written] == [Clamped(), Clamped(air=256)]


def test_shares_of_a_series():
    assert clamped_shares(0, Clamped(), 100) == {}
    assert clamped_shares(4, None, 100) == {"all": 0.04}
    shares = {"all": 0.04, "air": 0.03, "dense": 0.01, "tissue": 0}
    assert clamped_shares(4, Clamped(3, 1, 0), 100) == shares
