"""Noise that both images of a pair share, and where it ends."""

import numpy as np
import pytest

from rgan_sdk.dicom.read.padding import PADDING_HU
from rgan_train.pairs.noise import PairNoise
from rgan_train.pairs.samples import PairedSample


def test_strong_noise_in_air_is_not_taken_for_padding():
    fields = np.random.default_rng(0).normal(0, [[[1]], [[4]]], (2, 64, 64)).astype(np.float32)
    air = np.full((32, 32), -1000, np.float32)
    air[:4] = PADDING_HU
    noisy = PairNoise(fields).add(PairedSample(air, air), 300, np.random.default_rng(1))
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


def power(noise):
    """Return the power at low and at high frequencies."""
    spectrum = np.abs(np.fft.fft2(noise)) ** 2
    frequency = np.hypot(np.fft.fftfreq(len(noise))[:, None], np.fft.fftfreq(len(noise)))
    bands = ((0.1, 0.2), (0.35, 0.5))
    return [spectrum[(frequency > low) & (frequency < high)].mean() for low, high in bands]


def test_spectra_and_levels_are_those_of_both_kernels():
    source, target = PairNoise.measure(soft_slices()).fields
    assert source.std() == pytest.approx(1, abs=0.01)
    (soft, sharp) = next(iter(soft_slices(1)))
    assert target.std() == pytest.approx(sharp.std() / soft.std(), rel=0.1)
    for field, image in ((source, soft), (target, sharp)):
        (low, high), (wanted_low, wanted_high) = power(field), power(image - image.mean())
        assert low / high == pytest.approx(wanted_low / wanted_high, rel=0.25)


def test_source_and_target_get_the_same_noise_of_the_asked_level():
    noise = PairNoise.measure(soft_slices())
    flat = np.zeros((256, 256), np.float32)
    source, target = noise.add(PairedSample(flat, flat), 20, np.random.default_rng(3))
    assert source.std() == pytest.approx(20, rel=0.05)
    assert np.corrcoef(source.ravel(), blurred(target).ravel())[0, 1] > 0.9


def test_without_soft_tissue_nothing_is_measured():
    assert PairNoise.measure(soft_slices(hu=-800.0)) is None
