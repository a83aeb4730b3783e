"""What real slices of different patients are compared in: two bands of spatial frequency.

Texture, above 2 lp/cm, shows the kernel. Below 1 lp/cm lies anatomy, which is not to change. Both
bands are fixed filters of 31x31 pixels, made for the pixel spacing of a batch; where they would
see beyond the edge of a crop, there is no result.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rgan_sdk.kernels import frequencies
from rgan_train.networks.discriminator import TextureDiscriminator

LOWEST: Final = 2.0
"""Texture is above, lp/cm."""

RESOLVED: Final = 0.86
"""Part of the Nyquist frequency up to which slices on resampled pixels are what they were."""

ANATOMY: Final = 1.0
"""Where the low-pass falls to one half, lp/cm."""

REACH: Final = TextureDiscriminator.margin
"""Of the filters, in pixels to each side."""

BETA: Final = 4.55
"""Shape of the Kaiser window of the filters: 50 dB lie between what passes and what does not."""

TRANSITION: Final = 0.0975
"""Width of the slope between the two that this window allows, cycles/pixel (Kaiser 1974)."""

GRID: Final = 128
"""Pixels of the grid on which filters are made."""

FAINTEST: Final = 1e-4
"""Texture below this in window units, 0.3 HU of the whole range, is not made stronger."""

Floats = NDArray[np.float64]


def texture_band(pixel_spacing: float, coarsest: float) -> tuple[float, float]:
    """Return the ends of the band of texture, lp/cm. There is none if the first is not lower.

    Parameters
    ----------
    pixel_spacing
        Of the crops, mm.
    coarsest
        Pixel spacing of the coarsest slice that one of them was taken from, mm.
    """
    return LOWEST, RESOLVED * 5 / max(pixel_spacing, coarsest)


def shows_texture(pixel_spacing: float, coarsest: float) -> bool:
    """Return whether pixels are fine enough for a filter to tell texture from anatomy."""
    lower, upper = texture_band(pixel_spacing, coarsest)
    return upper - lower >= TRANSITION * 10 / pixel_spacing


def texture(image: Tensor, pixel_spacing: float, coarsest: float) -> Tensor:
    """Return the texture of crops, each with a root mean square of 1.

    So neither anatomy can be told from it, nor the noise level and with it the dose.

    Parameters
    ----------
    image
        ``[N, 1, H, W]`` in window units.
    pixel_spacing, coarsest
        As ``texture_band`` takes them.

    Returns
    -------
    Tensor
        ``[N, 1, H - 30, W - 30]``.
    """
    slope = TRANSITION * 10 / pixel_spacing
    lower, upper = texture_band(pixel_spacing, coarsest)

    def response(frequency: Floats) -> Floats:
        return ((frequency > lower + slope / 2) & (frequency < upper - slope / 2)).astype(float)

    taps, window = _make_taps(response, pixel_spacing)
    band = _convolve(image, taps - window * (taps.sum() / window.sum()))  # blind to the mean
    power: Tensor = band.square().mean((1, 2, 3), keepdim=True).clamp_min(FAINTEST**2)
    return band / power.sqrt()


def low_pass(image: Tensor, pixel_spacing: float) -> Tensor:
    """Return what crops hold of anatomy: ``[N, 1, H - 30, W - 30]`` in the units of the image."""

    def response(frequency: Floats) -> Floats:
        return np.exp(-math.log(2) * (frequency / ANATOMY) ** 2)

    taps, _ = _make_taps(response, pixel_spacing)
    return _convolve(image, taps / taps.sum())


def _make_taps(response: Callable[[Floats], Floats], pixel_spacing: float) -> tuple[Floats, Floats]:
    """Return the taps of a filter, and the window that they have: ``[31, 31]``."""
    factors = response(frequencies((GRID, GRID), (pixel_spacing, pixel_spacing)))
    middle = slice(GRID // 2 - REACH, GRID // 2 + REACH + 1)
    impulse = np.fft.fftshift(np.fft.irfft2(factors, (GRID, GRID)))[middle, middle]
    window = np.outer(*[np.kaiser(2 * REACH + 1, BETA)] * 2)
    return impulse * window, window


def _convolve(image: Tensor, taps: Floats) -> Tensor:
    """Return where the taps lie inside the image, by way of the frequencies: far faster."""
    size = image.shape[-2:]
    weight = torch.from_numpy(taps.astype(np.float32)).to(image.device)
    spectrum = torch.fft.rfft2(image) * torch.fft.rfft2(weight, s=size)
    inside: Tensor = torch.fft.irfft2(spectrum, s=size)[..., 2 * REACH :, 2 * REACH :]
    return inside
