"""Spheres as a scanner would show them."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from support.kernels import exponential

from rgan_train.evaluation.cohorts.lesions.render import MTF, render

FREQUENCY = np.linspace(0, 12, 200)
SPACING = (0.7, 0.8)


def curve(f50):
    return MTF(FREQUENCY, exponential(f50, 2.0)(FREQUENCY))


@pytest.mark.parametrize(("diameter", "thickness"), [(4.0, 8.0), (10.0, 12.0)])
def test_no_kernel_changes_the_volume(diameter, thickness):
    volume = np.pi / 6 * diameter**3 / thickness
    for f50 in (2.0, 6.0):
        drawn = render(diameter, thickness, SPACING, curve(f50))
        assert drawn.sum() * SPACING[0] * SPACING[1] == pytest.approx(volume, rel=0.01)


def test_a_thin_slice_shows_all_of_the_contrast_a_thick_one_a_part():
    sharp = curve(8.0)
    for thickness, expected in ((1.0, 1.0), (20.0, 0.5)):
        drawn = render(10.0, thickness, SPACING, sharp)
        middle = tuple(size // 2 for size in drawn.shape)
        assert drawn[middle] == pytest.approx(expected, abs=0.03)
        assert drawn[middle] == drawn.max() or thickness == 1.0


def test_a_gaussian_mtf_gives_what_a_gaussian_blur_gives():
    diameter, thickness, sigma, finer = 6.0, 2.0, 0.9, 9
    mtf = MTF(FREQUENCY, np.exp(-2 * (np.pi * sigma / 10 * FREQUENCY) ** 2))
    drawn = render(diameter, thickness, (0.8, 0.8), mtf)
    size = finer * len(drawn)
    places = (np.arange(size) - size // 2) * 0.8 / finer
    chord = 2 * np.sqrt(np.maximum(9 - places[:, np.newaxis] ** 2 - places**2, 0))
    blurred = gaussian_filter(np.minimum(chord / thickness, 1), sigma * finer / 0.8)
    assert drawn == pytest.approx(blurred[finer // 2 :: finer, finer // 2 :: finer], abs=0.01)


def test_a_soft_kernel_takes_contrast_from_small_spheres():
    peaks = [render(4.0, 1.0, SPACING, curve(f50)).max() for f50 in (1.5, 3.0, 6.0)]
    assert peaks == sorted(peaks)
    assert peaks[0] < 0.75 < 0.95 < peaks[2]
