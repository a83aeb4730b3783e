"""What a network is told of two kernels: their transfer functions on the pixels of the slices.

A kernel acts in line pairs per centimetre, and a network in pixels. Curves are read at fixed
frequencies in cycles per pixel, so that they say at once which kernels and which pixels these are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CYCLES: Final = np.linspace(0.04, 0.48, 12)
"""Frequencies of a condition, cycles per pixel."""

LEAST: Final = 0.02
"""A transfer function below this counts as this: nothing is left there."""

NOISE_FLOOR: Final = 0.03
"""Transfer of the source at which half of what a filter would amplify is noise."""

MOST_GAIN: Final = 10.0
MM_PER_CM: Final = 10
Images = NDArray[np.float32]


@dataclass(frozen=True)
class Curve:
    """A transfer function on certain pixels.

    Attributes
    ----------
    cycles
        ``[F]`` ascending frequencies in cycles per pixel, from 0 to 0.5 or more.
    value
        ``[F]`` the transfer, 1 at frequency 0. Beyond the last frequency it stays as it is there.
    """

    cycles: Floats
    value: Floats

    @classmethod
    def on_pixels(cls, frequency: Floats, value: Floats, pixel_spacing: float) -> Curve:
        """Return a curve that is given in lp/cm, for pixels of so many mm."""
        return cls(frequency * pixel_spacing / MM_PER_CM, value)

    def at(self, cycles: Floats) -> Floats:
        """Return the transfer at frequencies in cycles per pixel."""
        return np.interp(cycles, self.cycles, self.value)

    def times(self, factor: Floats) -> Curve:
        """Return the product with ``[F]`` factors."""
        return Curve(self.cycles, self.value * factor)


def condition(source: Curve, target: Curve) -> NDArray[np.float32]:
    """Return what the network is told: ``[24]``, logarithms of both transfer functions."""
    logs = [np.log(np.maximum(curve.at(CYCLES), LEAST)) for curve in (source, target)]
    return np.concatenate(logs).astype(np.float32)


def filter_gain(source: Curve, target: Curve, cycles: Floats) -> Floats:
    """Return the factors of the linear filter that stands in front of the network.

    The ratio of both transfer functions, at most 10, where the source still holds something.
    """
    held = source.at(cycles)
    ratio = target.at(cycles) / np.maximum(held, LEAST)
    share = held**2 / (held**2 + NOISE_FLOOR**2)
    return np.minimum(ratio, MOST_GAIN) * np.where(ratio > 1, share, 1)


def pixel_frequencies(shape: tuple[int, int]) -> Floats:
    """Return the frequency of each term of ``numpy.fft.rfft2``, in cycles per pixel."""
    rows, columns = shape
    cycles: Floats = np.hypot(np.fft.fftfreq(rows)[:, np.newaxis], np.fft.rfftfreq(columns))
    return cycles


def filtered(hu: Images, gain: Floats) -> Images:
    """Return ``[..., H, W]`` HU with their spectrum multiplied by the gain of ``rfft2``'s terms."""
    spectrum = np.fft.rfft2(hu.astype(np.float64)) * gain
    return np.fft.irfft2(spectrum, s=hu.shape[-2:]).astype(np.float32)
