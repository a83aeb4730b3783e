"""Noise power spectra: how strong the noise of an image is, and how grainy.

The definition is that of ICRU Report 87 (2012) for CT, with the radial mean of AAPM TG-233 (Samei
et al. 2019). A plane is subtracted from each block. Blocks overlap by half under a Hann window
(Welch 1967). They lie in soft tissue, where there is least anatomy: vessels and the borders of the
lungs have many times the power of the noise.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rgan_sdk.errors import MeasurementError
from rgan_sdk.kernels.planes import subtract_planes

BLOCK: Final = 32
STRIDE: Final = BLOCK // 2
CELL: Final = 8
SOFT_TISSUE_HU: Final = (-200.0, 200.0)
"""The mean of soft tissue lies between these."""

BANDS: Final = 10
"""Of equal width, from 0 to the Nyquist frequency, 0.5 cycles/pixel."""

Floats = NDArray[np.float64]


class NoisePowerSpectrum(NamedTuple):
    """Noise power by spatial frequency.

    Attributes
    ----------
    frequency
        ``[10]`` middle of each band, line pairs per cm.
    power
        ``[10]`` mean power in each band, HU^2 mm^2.
    """

    frequency: Floats
    power: Floats


def soft_tissue_blocks(
    target: NDArray[np.float32], padding: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Choose the blocks in which noise is measured.

    A block of 32x32 pixels counts if the mean of each of its 16 cells of 8x8 pixels is from
    -200 to 200 HU: muscle, fat and organs, without lung, air or compact bone. Single pixels of a
    sharp kernel are too noisy to tell tissue apart. A block with padding does not count.

    Parameters
    ----------
    target
        ``[N, H, W]`` HU. Always the target, so that all methods are measured in the same blocks.
    padding
        ``[N, H, W]``, true for padding; None if there is none.

    Returns
    -------
    ndarray
        ``[M, 3]``: slice, row and column of each block's first pixel.

    Raises
    ------
    MeasurementError
        If there is no such block.
    """
    inside = np.stack([_is_soft_tissue(blocks) for blocks in _overlapping_blocks(target)])
    if padding is not None:
        inside &= ~_overlapping_blocks(padding).any(axis=(3, 4))
    if not inside.any():
        raise MeasurementError(
            f"no block of {BLOCK}x{BLOCK} pixels in {len(target)} slice(s) is all soft tissue "
            f"({SOFT_TISSUE_HU[0]:.0f} to {SOFT_TISSUE_HU[1]:.0f} HU), so there is nowhere to "
            "measure noise; take more slices, or some below the lungs"
        )
    return np.argwhere(inside) * (1, STRIDE, STRIDE)


def noise_power_spectrum(
    slices: NDArray[np.float32], target: NDArray[np.float32], pixel_spacing: tuple[float, float]
) -> NoisePowerSpectrum:
    """Measure noise power by spatial frequency, in the blocks where the target is soft tissue.

    Parameters
    ----------
    slices, target
        ``[N, H, W]`` HU, the same slices. To measure the target itself, give it twice.
    pixel_spacing
        Distance between rows and between columns, mm.

    Returns
    -------
    NoisePowerSpectrum
        Radial mean of the noise power spectrum of ICRU 87, in ten bands of equal width. The last
        one ends at the Nyquist frequency, of the wider spacing where the two differ.

    Raises
    ------
    MeasurementError
        If the target has no block of soft tissue.
    ValueError
        If the shapes differ.

    Notes
    -----
    The mean (DC) and the corners beyond the Nyquist frequency are left out. The fitted plane takes
    away a part of the lowest band, and the borders of organs add to the lowest two or three bands:
    those do not hold noise alone.
    """
    rows, columns = pixel_spacing
    coarse = max(pixel_spacing)
    power = _radial_power(slices, target, _bands(coarse / rows, coarse / columns))
    nyquist = 10 / (2 * coarse)
    return NoisePowerSpectrum((np.arange(BANDS) + 0.5) * nyquist / BANDS, power * (rows * columns))


def noise_power_ratio(
    image: NDArray[np.float32],
    target: NDArray[np.float32],
    padding: NDArray[np.bool_] | None = None,
) -> Floats:
    """Compare noise power with the target's, band by band.

    Parameters
    ----------
    image, target
        ``[N, H, W]`` HU, the same slices.
    padding
        ``[N, H, W]``, true for padding; None if there is none.

    Returns
    -------
    ndarray
        ``[10]`` power of the image over power of the target: below 1 the image is too smooth,
        above 1 too noisy. Bands are 0.05 cycles/pixel wide, from 0 to the Nyquist frequency.

    Raises
    ------
    MeasurementError
        If the target has no block of soft tissue.
    ValueError
        If the shapes differ.
    """
    own, expected = (_radial_power(hu, target, _BAND, padding) for hu in (image, target))
    return own / expected


def noise_power_distance(image: NDArray[np.float32], target: NDArray[np.float32]) -> float:
    """Return how far the noise power spectrum is from the target's, in dB.

    The root mean square over the bands of ``10 * log10(ratio)``: 0 for equal spectra, 3.01 for
    twice or half the power in every band. Parameters and errors: see ``noise_power_ratio``.
    """
    decibels = 10 * np.log10(noise_power_ratio(image, target))
    return math.sqrt(float(np.mean(decibels**2)))


def _radial_power(
    slices: NDArray[np.float32],
    target: NDArray[np.float32],
    band: NDArray[np.int64],
    padding: NDArray[np.bool_] | None = None,
) -> Floats:
    """Return the mean power in each band, in HU^2: white noise has its variance in all of them."""
    if slices.shape != target.shape:
        raise ValueError(f"slices {slices.shape} and target {target.shape} differ in shape")
    blocks = soft_tissue_blocks(target, padding)
    total = np.zeros((BLOCK, BLOCK))
    for number in np.unique(blocks[:, 0]):
        corners = blocks[blocks[:, 0] == number, 1:]
        hu = np.stack([slices[number, y : y + BLOCK, x : x + BLOCK] for y, x in corners])
        spectra = np.fft.fft2(subtract_planes(hu) * _HANN)
        total += np.sum(np.abs(spectra) ** 2, axis=0)
    power = total / (len(blocks) * np.sum(_HANN**2))
    return np.array([power[band == number].mean() for number in range(BANDS)])


def _overlapping_blocks(slices: NDArray[Any]) -> NDArray[Any]:
    """View slices as blocks that overlap by half, ``[N, rows, columns, 32, 32]``."""
    if min(slices.shape[1:]) < BLOCK:
        return np.empty((len(slices), 0, 0, BLOCK, BLOCK), slices.dtype)
    return sliding_window_view(slices, (BLOCK, BLOCK), axis=(1, 2))[:, ::STRIDE, ::STRIDE]


def _is_soft_tissue(blocks: NDArray[np.float32]) -> NDArray[np.bool_]:
    cells = blocks.reshape(*blocks.shape[:2], BLOCK // CELL, CELL, BLOCK // CELL, CELL)
    means = cells.mean(axis=(3, 5), dtype=np.float64)
    lowest, highest = means.min(axis=(2, 3)), means.max(axis=(2, 3))
    inside: NDArray[np.bool_] = (lowest >= SOFT_TISSUE_HU[0]) & (highest <= SOFT_TISSUE_HU[1])
    return inside


def _bands(down: float, across: float) -> NDArray[np.int64]:
    """Return the band of each frequency of a block; -1 for DC and beyond Nyquist.

    The arguments are the wider pixel spacing over that of the rows and of the columns.
    """
    frequency = np.fft.fftfreq(BLOCK)
    radius = np.hypot(frequency[:, np.newaxis] * down, frequency * across)
    band: NDArray[np.int64] = np.minimum((radius * 2 * BANDS).astype(np.int64), BANDS - 1)
    band[(radius == 0) | (radius > 0.5)] = -1
    return band


_HANN = np.outer(*[np.hanning(BLOCK + 1)[:-1]] * 2)
_BAND = _bands(1, 1)
