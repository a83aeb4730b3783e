"""End points of lung density on voxels with a known answer."""

import numpy as np
import pytest
from support.lungs import SHARES

from rgan_sdk.errors import MeasurementError
from rgan_train.evaluation.lungs.density import measure_density


def test_a_known_mixture():
    counts = [round(share * 1000) for share in SHARES.values()]
    hu = np.repeat(list(SHARES), counts).astype(np.float32)
    found = measure_density(hu, -1024)
    assert (found.laa_950, found.laa_910) == (20, 30)
    assert found.perc15_hu == -970
    assert found.mean_hu == pytest.approx(-882)
    assert found.clamped == 0


def test_the_limits_themselves_do_not_count():
    hu = np.array([-951, -950, -911, -910], np.float32)
    found = measure_density(hu, -1024)
    assert (found.laa_950, found.laa_910) == (25, 75)


def test_perc15_is_where_15_percent_are_reached():
    hu = np.arange(-1000, -900, dtype=np.float32)[::-1]
    assert measure_density(hu, -1024).perc15_hu == -986  # the 15th of 100 values from -1000


def test_perc15_of_a_normal_distribution():
    hu = np.random.default_rng(0).normal(-850, 50, 1_000_000).astype(np.float32)
    found = measure_density(hu, -1e9)
    assert found.perc15_hu == pytest.approx(-850 - 1.0364 * 50, abs=0.3)  # quantile of N(0, 1)
    assert found.laa_950 == pytest.approx(2.275, abs=0.05)
    assert found.laa_910 == pytest.approx(11.507, abs=0.1)


def test_voxels_at_the_lowest_value_are_clamped():
    hu = np.array([-1024, -1024, -1000, -900], np.float32)
    assert measure_density(hu, -1024).clamped == 50
    assert measure_density(hu, -1030).clamped == 0


def test_no_voxel():
    with pytest.raises(MeasurementError, match="no voxel"):
        measure_density(np.empty(0, np.float32), -1024)
