"""Simulate roughly what a slice would be with another convolution kernel.

A kernel is described by its modulation transfer function (MTF). In the frequency domain a
slice is multiplied by the ratio of both MTFs. Noise that the source does not contain is
added. ``docs/simulation.md`` has formulas, assumptions and limits.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.read.padding import fill_padding, find_padding
from rgan_sdk.kernels.mtf import KernelMTF, frequencies

SIGNAL_FLOOR: Final = 0.1
"""MTF below which the source has no usable signal; its inverse is the largest gain."""

MARGIN_MM: Final = 20.0
"""Margin by which a slice is extended by reflection."""

NOISE_BLOCK_MM: Final = 8.0
"""Edge length of the squares in which the noise level is measured."""

Image = NDArray[np.float64]
Mask = NDArray[np.bool_]


def simulate_slice(
    hu: NDArray[np.float32],
    spacing: tuple[float, float],
    source: KernelMTF,
    target: KernelMTF,
    seed: int,
    padding: Mask | None = None,
) -> NDArray[np.float32]:
    """Return roughly the slice that the target kernel would have given.

    Parameters
    ----------
    hu
        ``[H, W]`` Hounsfield units, finite.
    spacing
        PixelSpacing in mm: between rows, between columns.
    source, target
        MTF of the slice's own kernel and of the target kernel.
    seed
        Seed of the added noise; see ``slice_seed``. The same seed gives the same bits.
    padding
        ``[H, W]``, padding that the file declares. These pixels, and those that
        ``find_padding`` adds, are not changed and have no influence on others.

    Returns
    -------
    ndarray
        ``[H, W]`` float32 HU, neither rounded nor clamped.
    """

    def change(wide: Image) -> Image:
        frequency = frequencies(wide.shape, spacing)
        result = _filter(wide, gain(frequency, source, target))
        missing = missing_noise(frequency, source, target)
        if missing.any():
            result += _make_noise(wide, spacing, source, missing, seed)
        return result

    return _change_inside(hu, spacing, padding, change)


def filter_slice(
    hu: NDArray[np.float32],
    spacing: tuple[float, float],
    response: Callable[[Image], Image],
    padding: Mask | None = None,
) -> NDArray[np.float32]:
    """Return a slice whose spectrum is multiplied by a response.

    Parameters
    ----------
    hu, spacing, padding
        As ``simulate_slice`` takes them.
    response
        Takes frequencies in lp/cm, and returns factors of the same shape.

    Returns
    -------
    ndarray
        ``[H, W]`` float32 HU, neither rounded nor clamped.
    """

    def change(wide: Image) -> Image:
        return _filter(wide, response(frequencies(wide.shape, spacing)))

    return _change_inside(hu, spacing, padding, change)


def slice_seed(seed: int, sop_instance_uid: str) -> int:
    """Return the seed of one slice, so that each slice of a series has its own noise."""
    digest = hashlib.sha256(f"{seed} {sop_instance_uid}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def gain(frequency: Image, source: KernelMTF, target: KernelMTF) -> Image:
    """Return the factor for the spectrum: target / source, at most 1 / SIGNAL_FLOOR."""
    ratio = np.exp(np.minimum(target.log(frequency) - source.log(frequency), 0))
    sharpening = target(frequency) / np.maximum(source(frequency), SIGNAL_FLOOR)
    return np.where(ratio < 1, ratio, np.maximum(sharpening, 1))


def noise_power(frequency: Image, mtf: Image) -> Image:
    """Return the noise power spectrum of filtered back projection: ramp times MTF squared.

    Its scale is arbitrary, but the same for all kernels of one scan.
    """
    return frequency * mtf**2


def missing_noise(frequency: Image, source: KernelMTF, target: KernelMTF) -> Image:
    """Return the part of the target's noise power that the filtered source lacks."""
    filtered = gain(frequency, source, target) * source(frequency)
    wanted = noise_power(frequency, target(frequency))
    missing = wanted - noise_power(frequency, filtered)
    # Where both agree only rounding remains.
    return np.where(missing > 1e-9 * wanted.max(), missing, 0)


def noise_level(image: Image, spacing: tuple[float, float], source: KernelMTF) -> Image:
    """Return the standard deviation in HU of the source's noise around each pixel.

    It is measured as the median magnitude in squares of NOISE_BLOCK_MM, in a frequency band
    around f10, where noise stands out from anatomy. The known spectrum scales it from the
    band to all frequencies.
    """
    frequency = frequencies(image.shape, spacing)
    mtf = source(frequency)
    band = mtf * (1 - mtf) ** 9  # highest where the MTF is 0.1
    power = noise_power(frequency, mtf)
    share = _total(power * band**2, image.shape) / _total(power, image.shape)
    magnitude = np.abs(_filter(image, band))
    level = _block_medians(magnitude, [max(1, round(NOISE_BLOCK_MM / s)) for s in spacing])
    return level * (1.4826 / math.sqrt(share))


def _make_noise(
    image: Image, spacing: tuple[float, float], source: KernelMTF, missing: Image, seed: int
) -> Image:
    """Return noise with the missing spectrum, scaled to the noise level of the source."""
    white = np.random.default_rng(seed).standard_normal(image.shape)
    frequency = frequencies(image.shape, spacing)
    present = _total(noise_power(frequency, source(frequency)), image.shape) / image.size
    return noise_level(image, spacing, source) * _filter(white, np.sqrt(missing / present))


def _change_inside(
    hu: NDArray[np.float32],
    spacing: tuple[float, float],
    padding: Mask | None,
    change: Callable[[Image], Image],
) -> NDArray[np.float32]:
    """Change a slice that is extended by reflection; padding stays, and does not matter."""
    outside = find_padding(hu, padding)
    if outside.all():
        return hu.copy()
    image = fill_padding(hu, outside).astype(np.float64)
    margins = tuple(math.ceil(MARGIN_MM / step) for step in spacing)
    wide = np.pad(image, [(margin, margin) for margin in margins], mode="reflect")
    inside = tuple(slice(m, m + size) for m, size in zip(margins, hu.shape, strict=True))
    return np.where(outside, hu, change(wide)[inside].astype(np.float32))


def _filter(image: Image, response: Image) -> Image:
    return np.fft.irfft2(np.fft.rfft2(image) * response, s=image.shape)


def _total(power: Image, shape: tuple[int, ...]) -> float:
    """Return the sum over the whole spectrum; ``rfft2`` holds one half of it."""
    twice = power[:, 1 : (shape[1] + 1) // 2].sum()
    return float(power.sum() + twice)


def _block_medians(image: Image, sides: list[int]) -> Image:
    """Return the medians of blocks, linearly interpolated between the centres of the blocks."""
    edges = [
        np.linspace(0, size, max(1, size // side) + 1).round().astype(int)
        for size, side in zip(image.shape, sides, strict=True)
    ]
    medians = np.array(
        [
            [np.median(image[top:bottom, left:right]) for left, right in pairwise(edges[1])]
            for top, bottom in pairwise(edges[0])
        ]
    )
    for axis in (0, 1):
        centres = (edges[axis][:-1] + edges[axis][1:] - 1) / 2
        places = np.arange(image.shape[axis])
        medians = np.apply_along_axis(
            lambda line, at=places, known=centres: np.interp(at, known, line), axis, medians
        )
    return medians
