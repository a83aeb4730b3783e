"""Slices on other pixels, against waves that are known everywhere."""

import numpy as np
import pytest

from rgan_sdk.dicom.read.padding import PADDING_HU
from rgan_train.pairs.resampling import resample, resampled_shape

EDGE = 20
"""Pixels at the border of a slice, where its continuation counts."""


def wave(frequency, spacing, shape=(128, 120)):
    """A wave around the centre of a slice, with ``frequency`` periods per mm along both axes."""
    rows, columns = (
        np.cos(2 * np.pi * frequency * spacing * (np.arange(size) - (size - 1) / 2))
        for size in shape
    )
    return (100 * np.outer(rows, columns)).astype(np.float32)


def inner(hu):
    return hu[EDGE:-EDGE, EDGE:-EDGE]


@pytest.mark.parametrize("factor", [0.75, 0.9, 1.1, 1.4])
@pytest.mark.parametrize("frequency", [0.02, 0.1, 0.25])
def test_what_the_pixels_can_show_stays(factor, frequency):
    hu = wave(frequency, 1.0)
    out = resample(hu, factor)
    assert out.shape == resampled_shape(hu.shape, factor)
    assert out.dtype == np.float32
    np.testing.assert_allclose(inner(out), inner(wave(frequency, factor, out.shape)), atol=0.7)


def test_a_low_pass_takes_away_what_they_cannot_show():
    hu = wave(0.42, 1.0)
    assert np.abs(inner(resample(hu, 1.4, low_pass=1.0))).max() < 3
    folded = resample(hu, 1.4, low_pass=0.0)
    np.testing.assert_allclose(inner(folded), inner(wave(0.42, 1.4, folded.shape)), atol=3)
    half = resample(hu, 1.4, low_pass=0.5)
    np.testing.assert_allclose(inner(half), inner(folded) / 4, atol=3)


def test_the_same_pixels_are_the_slice_itself():
    hu = wave(0.3, 1.0)
    assert np.array_equal(resample(hu, 1.0), hu)


def test_a_region_is_a_part_of_the_whole():
    hu = np.random.default_rng(0).normal(0, 100, (64, 80)).astype(np.float32)
    region = slice(3, 30), slice(11, 40)
    part = resample(hu, 1.3, 0.4, region)
    np.testing.assert_allclose(part, resample(hu, 1.3, 0.4)[region], atol=1e-3)


@pytest.mark.parametrize("factor", [0.8, 1.3])
def test_padding_stays_and_colours_nothing(factor):
    hu = np.full((64, 64), 40.0, np.float32)
    hu[:, :16] = PADDING_HU
    out = resample(hu, factor)
    is_padding = out == PADDING_HU
    np.testing.assert_allclose(out[~is_padding], 40, atol=0.01)
    assert abs(is_padding.sum() - out.size / 4) < 2 * len(out)
