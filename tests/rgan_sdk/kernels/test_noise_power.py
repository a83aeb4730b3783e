import math

import numpy as np
import pytest

from rgan_sdk.errors import MeasurementError
from rgan_sdk.kernels.noise_power import (
    noise_power_distance,
    noise_power_ratio,
    noise_power_spectrum,
    soft_tissue_blocks,
)

SIGMA = 20.0
UNIT = (1.0, 1.0)
"""With this pixel spacing, HU^2 mm^2 is HU^2 per (cycle/pixel)^2."""


@pytest.fixture(scope="module")
def white():
    """White noise of 20 HU in water."""
    noise = np.random.default_rng(0).normal(0, SIGMA, (6, 256, 256))
    return noise.astype(np.float32)


def blur(slices):
    """Average a pixel with its four neighbours."""
    return (
        sum(np.roll(slices, shift, axis) for shift in (-1, 1) for axis in (1, 2)) / 8 + slices / 2
    )


def test_white_noise_is_flat_and_its_power_is_its_variance(white):
    power = noise_power_spectrum(white, white, UNIT).power
    assert power.shape == (10,)
    np.testing.assert_allclose(power[1:], SIGMA**2, rtol=0.05)
    assert 0.6 * SIGMA**2 < power[0] < SIGMA**2  # the plane takes a part of it


@pytest.mark.parametrize("spacing", [(0.7, 0.7), (0.5, 0.8)])
def test_white_noise_has_its_variance_times_the_area_of_a_pixel(white, spacing):
    frequency, power = noise_power_spectrum(white, white, spacing)
    np.testing.assert_allclose(power[1:], SIGMA**2 * spacing[0] * spacing[1], rtol=0.05)
    nyquist = 5 / max(spacing)  # lp/cm
    np.testing.assert_allclose(frequency, np.linspace(nyquist / 20, nyquist * 19 / 20, 10))


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("spacing", [(0.7, 0.7), (0.5, 0.8), (0.9, 0.6)])
def test_a_sine_is_found_at_its_line_pairs_per_cm(axis, spacing):
    lp_per_cm = 0.45 * 5 / max(spacing)  # in the middle of the fifth band
    distance_cm = np.arange(128) * spacing[axis - 1] / 10
    sine = 10 * np.sin(2 * np.pi * lp_per_cm * distance_cm).astype(np.float32)
    slices = np.broadcast_to(sine[:, np.newaxis] if axis == 1 else sine, (1, 128, 128))
    frequency, power = noise_power_spectrum(slices, slices, spacing)
    assert frequency[np.argmax(power)] == pytest.approx(lp_per_cm)


def test_the_spectrum_adds_up_to_the_variance():
    noise = blur(np.random.default_rng(5).normal(0, SIGMA, (6, 256, 256))).astype(np.float32)
    frequency, power = noise_power_spectrum(noise, noise, (0.6, 0.6))
    width = (frequency[1] - frequency[0]) / 10  # cycles/mm
    variance = np.sum(2 * np.pi * frequency / 10 * power * width)
    # Beyond the Nyquist frequency, in the corners, the filter leaves next to nothing.
    assert variance == pytest.approx(noise.var(), rel=0.05)


def test_a_filter_changes_power_by_its_squared_transfer_function(white):
    frequency = np.fft.fftfreq(256)
    y, x = frequency[:, np.newaxis], frequency
    transfer = 0.5 + (np.cos(2 * np.pi * y) + np.cos(2 * np.pi * x)) / 4
    radius = np.hypot(y, x)
    expected = [
        np.mean(transfer[(radius > low) & (radius <= low + 0.05)] ** 2)
        for low in np.arange(10) * 0.05
    ]
    np.testing.assert_allclose(noise_power_ratio(blur(white), white), expected, rtol=0.05)


def test_a_sine_is_found_in_its_band():
    x = np.arange(128)
    sine = (10 * np.sin(2 * np.pi * 0.22 * x) * np.ones((1, 128, 1))).astype(np.float32)
    power = noise_power_spectrum(sine, sine, UNIT).power
    assert np.argmax(power) == 4
    # The Hann window spreads it to the neighbouring bands, and no further.
    assert power[4] > 100 * np.delete(power, [0, 3, 4, 5]).max()


def test_a_plane_does_not_count(white):
    y, x = np.mgrid[0:256, 0:256] / 256
    shading = (40 * x - 30 * y + 25).astype(np.float32)
    expected = noise_power_spectrum(white, white, UNIT).power
    power = noise_power_spectrum(white + shading, white, UNIT).power
    np.testing.assert_allclose(power, expected, rtol=1e-3)


def test_equal_images_have_no_distance(white):
    assert noise_power_distance(white, white) == 0


@pytest.mark.parametrize("factor", [math.sqrt(2), math.sqrt(0.5)])
def test_twice_or_half_the_power_is_three_decibels_away(white, factor):
    scaled = (white * factor).astype(np.float32)
    assert noise_power_distance(scaled, white) == pytest.approx(10 * math.log10(2), abs=1e-3)


def test_the_distance_is_over_bands_and_counts_both_directions(white):
    ratio = noise_power_ratio(blur(white), white)
    expected = np.sqrt(np.mean((10 * np.log10(ratio)) ** 2))
    assert noise_power_distance(blur(white), white) == pytest.approx(expected)


def test_blocks_lie_in_soft_tissue():
    target = np.full((2, 160, 128), 40, np.float32)
    target[0, :64] = -800  # lung
    target[1] = -1000  # air
    found = soft_tissue_blocks(target).tolist()
    corners = [(row, column) for row in range(64, 129, 16) for column in range(0, 97, 16)]
    assert found == [[0, *corner] for corner in corners]


def test_a_rib_excludes_the_block_and_noise_does_not():
    target = np.random.default_rng(1).normal(50, 120, (1, 32, 32)).astype(np.float32)
    assert len(soft_tissue_blocks(target)) == 1
    target[0, 8:16, 16:24] += 600
    with pytest.raises(MeasurementError, match="no block"):
        soft_tissue_blocks(target)


def test_blocks_are_chosen_on_the_target_only(white):
    target = white.copy()
    target[:, :, 128:] = -900
    image = white.copy()
    image[:, :, 128:] = 3000  # neither measured nor a reason to leave a block out
    np.testing.assert_allclose(noise_power_ratio(image, target), 1)
    image[:, :, :128] = -900 + 2 * white[:, :, :128]
    np.testing.assert_allclose(noise_power_ratio(image, target), 4, rtol=1e-3)


@pytest.mark.parametrize("shape", [(2, 64, 64), (1, 40, 100)])
def test_no_soft_tissue(shape):
    air = np.full(shape, -1000, np.float32)
    with pytest.raises(MeasurementError, match="nowhere to measure noise"):
        noise_power_distance(air, air)


def test_other_shapes_are_refused(white):
    with pytest.raises(ValueError, match="differ in shape"):
        noise_power_ratio(white[:, :128], white)


def test_blocks_with_padding_are_left_out(white):
    padding = np.zeros(white.shape, np.bool_)
    padding[:, 100:103, 100:] = True
    padded = np.where(padding, np.float32(-3024), white)
    expected = np.delete(soft_tissue_blocks(white), 0, 0)
    found = soft_tissue_blocks(padded, padding)
    assert 0 < len(found) < len(expected)
    rows, columns = found[:, 1], found[:, 2]
    assert not ((rows > 100 - 32) & (rows < 103) & (columns > 100 - 32)).any()
    np.testing.assert_allclose(noise_power_ratio(padded * 1, padded, padding), 1)
