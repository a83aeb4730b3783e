"""Where the pixels lie that could not be stored as computed."""

import numpy as np
import pytest
from support.dicom_phantoms import ct_dataset

from rgan_sdk.dicom.write.clamping import Clamped, StorableRange, clamped_shares


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


def test_shares_of_a_series():
    assert clamped_shares(0, Clamped(), 100) == {}
    assert clamped_shares(4, None, 100) == {"all": 0.04}
    shares = {"all": 0.04, "air": 0.03, "dense": 0.01, "tissue": 0}
    assert clamped_shares(4, Clamped(3, 1, 0), 100) == shares
