"""Slices of a QA phantom as seen through a known MTF: a water cylinder with rods and wires.

Nothing is drawn on pixels: a rod's spectrum is a Bessel function and a wire's is flat, so that
edges are exact. Frequencies beyond the Nyquist frequency of the pixels fold back, as in a scanner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import j1

from rgan_sdk.kernels import frequencies

FINER = 3
"""Pixels are sampled from pixels that are so many times as fine."""
AIR = -1000.0
STORED = -1024, 3071
"""What 12 bits hold, with an intercept of -1024."""

MTF = Callable[[NDArray[np.float64]], NDArray[np.float64]]


class Rod(NamedTuple):
    """A cylinder along z: centre down and right of the middle, and radius, in mm; contrast in HU.

    The contrast is with what is around it.
    """

    down: float
    right: float
    radius: float
    contrast: float


class Wire(NamedTuple):
    """A wire along z: centre in mm, and contrast times cross section, HU mm^2."""

    down: float
    right: float
    strength: float


RODS = (Rod(-48, -31, 12.5, 955), Rod(-45, 36, 12.5, 120), Rod(43, -38, 12.5, -95))
WIRES = (Wire(38.3, 29.4, 900), Wire(5.2, -58.7, 900))


def render(
    mtf: MTF,
    spacing: float,
    count: int,
    *,
    size: int = 512,
    body: float = 100.0,
    rods: Sequence[Rod] = RODS,
    wires: Sequence[Wire] = WIRES,
    noise: float = 8.0,
    seed: int = 0,
) -> NDArray[np.float32]:
    """Return ``[count, size, size]`` HU, rounded and limited as stored values of 12 bits are.

    Parameters
    ----------
    body
        Radius of the water, mm.
    noise
        Density of the noise before the kernel, which a ramp shapes, HU mm at 1 lp/cm.
    seed
        Of the noise, and of where the phantom lies: each slice is moved by up to a pixel.
    """
    random = np.random.default_rng(seed)
    fine = spacing / FINER
    shape = (FINER * size, FINER * size)
    spectrum = _spectrum(shape[0], fine, body, rods, wires) * mtf(frequencies(shape, (fine, fine)))
    coarse = frequencies((size, size), (spacing, spacing))
    shaped = np.sqrt(coarse) * mtf(coarse)
    slices = []
    for _ in range(count):
        down, right = random.uniform(0, spacing, 2)
        image = np.fft.irfft2(spectrum * _shift(shape[0], fine, down, right), shape)
        white = np.fft.rfft2(random.normal(0, noise / spacing, (size, size)))
        hu = AIR + image[::FINER, ::FINER] + np.fft.irfft2(shaped * white, (size, size))
        slices.append(np.clip(hu.round(), *STORED))
    return np.array(slices, np.float32)


def _spectrum(
    side: int, pixel: float, body: float, rods: Sequence[Rod], wires: Sequence[Wire]
) -> NDArray[np.complex128]:
    frequency = frequencies((side, side), (pixel, pixel)) / 10
    middle = side // 2 * pixel
    total: NDArray[np.complex128] = np.zeros(frequency.shape, complex)
    for down, right, radius, contrast in [Rod(0, 0, body, -AIR), *rods]:
        argument = 2 * np.pi * radius * np.where(frequency == 0, 1, frequency)
        disc = np.where(frequency == 0, np.pi, 2 * np.pi * j1(argument) / argument)
        total += contrast * radius**2 * disc * _shift(side, pixel, middle + down, middle + right)
    for down, right, strength in wires:
        total += strength * _shift(side, pixel, middle + down, middle + right)
    return total / pixel**2


def _shift(side: int, pixel: float, down: float, right: float) -> NDArray[np.complex128]:
    rows = np.exp(-2j * np.pi * np.fft.fftfreq(side, pixel) * down)
    return np.outer(rows, np.exp(-2j * np.pi * np.fft.rfftfreq(side, pixel) * right))
