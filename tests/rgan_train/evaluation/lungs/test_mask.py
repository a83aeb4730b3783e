"""Lungs and airways on a chest that is known."""

import numpy as np
import pytest
from support.lungs import CARINA, LAST_BRONCHUS, PIXEL_MM, SLICES, STOMACH, make_chest
from support.requirements import require_data

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.errors import MeasurementError
from rgan_train.evaluation.lungs.mask import find_lungs, slice_distance
from rgan_train.evaluation.lungs.series import measure_series

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
UPSIDE_DOWN = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


@pytest.fixture(scope="module")
def chest():
    return make_chest()


def find(hu, orientation=AXIAL, padding=None):
    padding = np.zeros(hu.shape, np.bool_) if padding is None else padding
    return find_lungs(hu, (PIXEL_MM, PIXEL_MM), orientation, padding)


def overlap(found, known):
    """Return Dice's coefficient."""
    return 2 * np.count_nonzero(found & known) / (found.sum() + known.sum())


@pytest.mark.parametrize("noise", [0, 20, 60])
def test_lungs_without_airways_couch_and_stomach(chest, noise):
    hu, lungs = chest
    noisy = hu + np.random.default_rng(1).normal(0, noise, hu.shape).astype(np.float32)
    found = find(noisy)
    assert overlap(found.voxels, lungs) > 0.995
    assert not found.notes
    from_above = found.airways[::-1].any(axis=(1, 2))
    assert from_above[: LAST_BRONCHUS + 1].all()
    assert not from_above[LAST_BRONCHUS + 1 :].any()  # and nothing has leaked into the lung
    trachea, bronchi = (found.airways[::-1][n].sum() for n in (CARINA - 1, CARINA + 1))
    assert bronchi == pytest.approx(2 * trachea, rel=0.1)


def test_slices_from_the_head_down(chest):
    hu, _ = chest
    assert np.array_equal(find(hu[::-1], UPSIDE_DOWN).voxels, find(hu).voxels[::-1])


def test_padding_is_no_lung(chest):
    hu, lungs = chest
    padding = np.zeros(hu.shape, np.bool_)
    padding[..., :52] = True  # half of one lung
    found = find(hu, padding=padding)
    assert not found.voxels[padding].any()
    assert overlap(found.voxels, lungs & ~padding) > 0.99


def test_part_of_a_chest_without_a_trachea(chest):
    hu, lungs = chest
    between = slice(SLICES - STOMACH, SLICES - LAST_BRONCHUS - 1)
    found = find(hu[between])
    assert overlap(found.voxels, lungs[between]) > 0.995
    assert found.notes == ("no trachea was found, so large airways may count as lung",)


def test_gas_is_no_lung(chest):
    hu, lungs = chest
    gas = hu.copy()
    gas[lungs] = -1000
    with pytest.raises(MeasurementError, match="no lung was found"):
        find(gas)


def test_a_body_without_lungs_and_no_body_at_all(chest):
    hu, lungs = chest
    solid = hu.copy()
    solid[lungs] = 40
    for image in (solid, np.full_like(hu, -1000)):
        with pytest.raises(MeasurementError, match="give a mask"):
            find(image)


def test_other_planes_are_refused(chest):
    with pytest.raises(MeasurementError, match="axial"):
        find(chest[0], CORONAL)


def test_distance_between_slices():
    assert slice_distance([0, 5, 10, 20], 8) == 5
    assert slice_distance([3], 8) == 8
    with pytest.raises(MeasurementError, match="one position"):
        slice_distance([0, 0, 5, 5], 5)


@pytest.mark.slow
def test_both_kernels_of_a_real_chest_have_nearly_the_same_mask():
    found = find_series(require_data("pair_lungdx_A0002_siemens")).series
    soft, sharp = (measure_series(series) for series in found)
    assert soft.volume_ml == pytest.approx(2520, rel=0.02)
    assert sharp.volume_ml == pytest.approx(soft.volume_ml, rel=0.005)
    assert sharp.density.laa_950 > 3 * soft.density.laa_950
    assert soft.off_protocol == ("SliceThickness (0018,0050) is 8 mm, above 1.5 mm",)
    assert not soft.notes


@pytest.mark.slow
def test_a_head_phantom_has_no_lungs():
    series = find_series(require_data("pair_philips_headphantom_step2/UB")).series[0]
    with pytest.raises(MeasurementError, match="no lung was found"):
        measure_series(series)
