"""Find the patient."""

import numpy as np
import pytest
from support.requirements import require_data

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_train.evaluation.regions.body import body_mask

SIZE = 128


def disk(y, x, radius):
    rows, columns = np.mgrid[:SIZE, :SIZE]
    return np.hypot(rows - y, columns - x) <= radius


@pytest.fixture
def hu():
    """A chest with two lungs on a couch that touches it."""
    rng = np.random.default_rng(0)
    image = np.full((SIZE, SIZE), -1000.0)
    image[disk(60, 64, 40)] = 40
    image[disk(60, 48, 12) | disk(60, 80, 12)] = -850
    image[100:103] = 100
    return (image + rng.normal(0, 60, image.shape)).astype(np.float32)


def test_lungs_belong_to_the_patient_and_the_couch_does_not(hu):
    (found,) = body_mask(hu[np.newaxis])
    expected = disk(60, 64, 40)
    assert found[expected & disk(60, 64, 37)].all()
    assert found[60, 48]
    assert not found[~disk(60, 64, 44)].any()


def test_air_holds_nobody(hu):
    assert not body_mask(np.full((1, SIZE, SIZE), -1000, np.float32)).any()
    speck = np.full((1, SIZE, SIZE), -1000, np.float32)
    speck[0, :8, :8] = 0
    assert not body_mask(speck).any()


def test_a_real_chest():
    series = find_series(require_data("pair_lungdx_A0002_siemens/B70f")).series[0]
    hu = read_slice(series.slices[12].path).hu
    (found,) = body_mask(hu[np.newaxis])
    assert 0.4 < found.mean() < 0.6
    assert found[256, 160]  # in a lung
    assert not found[480].any()  # the couch
    assert (hu[found] > -300).mean() > 0.6
