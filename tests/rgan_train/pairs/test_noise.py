"""Noise that both images of a pair share, and where it ends."""

import numpy as np
import pytest

from rgan_sdk.dicom.read.padding import PADDING_HU
from rgan_train.pairs.noise import PairNoise, add_noise
from rgan_train.pairs.samples import PairedSample

SPACING = 0.6


def test_strong_noise_in_air_is_not_taken_for_padding():
    white = PairNoise(np.repeat([[1.0], [16.0]], 9, axis=1), step=1 / 16)
    air = np.full((32, 32), -1000, np.float32)
    air[:4] = PADDING_HU
    noise = white.draw(air.shape, 1.0, np.random.default_rng(1))
    noisy = add_noise(PairedSample(air, air), noise, 300)
    for hu in noisy:
        assert np.array_equal(hu < -1500, air == PADDING_HU)
        assert (hu[:4] == PADDING_HU).all()


def blurred(noise):
    return sum(np.roll(noise, shift, axis) for shift in (-1, 0, 1) for axis in (0, 1)) / 6


def soft_slices(count=6, size=256, hu=50.0):
    """Even soft tissue with the same noise behind two kernels: blurred, and white."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        noise = rng.normal(0, 40, (size, size))
        yield PairedSample(*((hu + n).astype(np.float32) for n in (blurred(noise), noise)))


def spectrum_between(noise, low, high):
    """Return the mean power between two frequencies in cycles per pixel."""
    spectrum = np.abs(np.fft.fft2(noise)) ** 2
    frequency = np.hypot(np.fft.fftfreq(len(noise))[:, None], np.fft.fftfreq(len(noise)))
    return spectrum[(frequency > low) & (frequency < high)].mean()


def power(noise):
    """Return the power at low and at high frequencies."""
    return [spectrum_between(noise, *band) for band in ((0.1, 0.2), (0.35, 0.5))]


def added(noise, level=20, spacing=SPACING, size=256, seed=3):
    """Return the noise that an even slice gets."""
    flat = np.zeros((size, size), np.float32)
    drawn = noise.draw(flat.shape, spacing, np.random.default_rng(seed))
    return add_noise(PairedSample(flat, flat), drawn, level)


def test_spectra_and_levels_are_those_of_both_kernels():
    source, target = added(PairNoise.measure(soft_slices(), SPACING), level=1)
    assert source.std() == pytest.approx(1, abs=0.01)
    (soft, sharp) = next(iter(soft_slices(1)))
    assert target.std() == pytest.approx(sharp.std() / soft.std(), rel=0.1)
    for field, image in ((source, soft), (target, sharp)):
        (low, high), (wanted_low, wanted_high) = power(field), power(image - image.mean())
        assert low / high == pytest.approx(wanted_low / wanted_high, rel=0.25)


def test_spectra_are_measured_up_to_the_corners_of_the_frequency_plane():
    """A square grid holds diagonal waves of up to 0.71 cycles per pixel, not only 0.5."""
    rng = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256))

    def gaussian(noise):
        return np.fft.irfft2(np.fft.rfft2(noise) * np.exp(-((frequency / 0.5) ** 2)), noise.shape)

    fields = rng.normal(0, 40, (6, 256, 256))
    slices = [
        PairedSample(*np.stack([50 + gaussian(f), 50 + f]).astype(np.float32)) for f in fields
    ]
    source, target = added(PairNoise.measure(slices, SPACING))
    corner = 0.6, 0.7
    ratio = spectrum_between(source, *corner) / spectrum_between(target, *corner)
    wanted = spectrum_between(gaussian(fields[0]), *corner) / spectrum_between(fields[0], *corner)
    assert ratio == pytest.approx(wanted, rel=0.15)


def test_source_and_target_get_the_same_noise_of_the_asked_level():
    source, target = added(PairNoise.measure(soft_slices(), SPACING))
    assert source.std() == pytest.approx(20, rel=0.001)
    assert np.corrcoef(source.ravel(), blurred(target).ravel())[0, 1] > 0.9


def test_without_soft_tissue_nothing_is_measured():
    assert PairNoise.measure(soft_slices(hu=-800.0), SPACING) is None


def test_tissue_without_noise_shows_no_spectrum():
    even = PairedSample(*np.full((2, 256, 256), 50, np.float32))
    assert PairNoise.measure([even] * 6, SPACING) is None


def test_the_noise_of_coarser_pixels_has_the_same_spectrum_in_line_pairs_and_the_same_level():
    noise = PairNoise.measure(soft_slices(), SPACING)
    fine, coarse = added(noise), added(noise, spacing=2 * SPACING, size=128)
    assert coarse[0].std() == pytest.approx(20, rel=0.001)
    # Up to a quarter of the Nyquist frequency of the coarse pixels, which is an eighth of the fine.
    shapes = [
        [
            spectrum_between(field, low * spacing, high * spacing)
            for low, high in ((0.05, 0.15), (0.25, 0.35))
        ]
        for field, spacing in ((fine[0], SPACING), (coarse[0], 2 * SPACING))
    ]
    ratios = [low / high for low, high in shapes]
    assert ratios[0] == pytest.approx(ratios[1], rel=0.25)


def test_each_draw_is_another_noise_in_a_part_of_any_size():
    noise = PairNoise.measure(soft_slices(), SPACING)
    first, again, other = (added(noise, size=97, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.source_hu, again.source_hu)
    assert abs(np.corrcoef(first.source_hu.ravel(), other.source_hu.ravel())[0, 1]) < 0.1
