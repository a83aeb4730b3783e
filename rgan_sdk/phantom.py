"""Synthetic CT slices of a thorax, reconstructed with a given convolution kernel.

They serve for trials without patient data, and for the self-test of engines. The same arguments
give the same pixels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

FIELD_OF_VIEW_MM: Final = 380.0
SLICE_DISTANCE_MM: Final = 5.0
NOISE_HU: Final = 18.0

AIR, FOAM, LUNG, TABLE, FAT = -1000.0, -940.0, -850.0, -350.0, -100.0
MUSCLE, BLOOD, MARROW, BONE = 45.0, 60.0, 180.0, 550.0

Image = NDArray[np.float64]


def synthetic_slices(
    convolution_kernel: str,
    count: int,
    *,
    size: int = 512,
    seed: int = 0,
    noise_hu: float = NOISE_HU,
) -> Iterator[NDArray[np.float32]]:
    """Yield the slices of a scan from feet to head.

    The kernel changes only the reconstruction: the same ``count``, ``size`` and ``seed`` give the
    same anatomy.

    Parameters
    ----------
    convolution_kernel
        Its number sets the sharpness, as in the names that Siemens uses: B70f is sharper than B40f.
    count
        How many slices, 5 mm apart.
    size
        Rows and columns. The field of view is 380 mm.
    seed
        Of the noise and of the lung nodules.
    noise_hu
        Standard deviation of the noise in soft tissue, about.

    Yields
    ------
    ndarray
        ``[size, size]`` float32 HU.
    """
    random = np.random.default_rng(seed)
    nodules = random.uniform(-1, 1, (14, 3))
    cutoff = _cutoff(convolution_kernel)
    for index in range(count):
        z = (index - (count - 1) / 2) * SLICE_DISTANCE_MM
        yield _scan(_thorax(size, z, nodules), cutoff, random, noise_hu)


class _Canvas:
    """A slice in HU. x (to the patient's left) and y (to the back) are in mm from the middle."""

    def __init__(self, size: int, z: float) -> None:
        self.z = z
        self.hu: Image = np.full((size, size), AIR)
        self._pixel = FIELD_OF_VIEW_MM / size

    def ellipse(
        self,
        x: float,
        y: float,
        a: float,
        b: float,
        hu: float,
        turn: float = 0.0,
        within: NDArray[np.bool_] | None = None,
    ) -> None:
        """Fill an ellipse of half axes ``a`` and ``b``, turned by ``turn`` radians."""
        window = self._around(y, max(a, b)), self._around(x, max(a, b))
        v, u = self._centres(window[0], y)[:, np.newaxis], self._centres(window[1], x)
        cosine, sine = np.cos(turn), np.sin(turn)
        inside = ((u * cosine + v * sine) / a) ** 2 + ((v * cosine - u * sine) / b) ** 2 <= 1
        if within is not None:
            inside &= within[window]
        self.hu[window][inside] = hu

    def _around(self, centre: float, reach: float) -> slice:
        middle = len(self.hu) / 2
        first = int(middle + (centre - reach) / self._pixel)
        return slice(max(first, 0), max(int(middle + (centre + reach) / self._pixel) + 1, 0))

    def _centres(self, window: slice, origin: float) -> Image:
        index = np.arange(len(self.hu), dtype=np.float64)[window]
        return (index - (len(self.hu) - 1) / 2) * self._pixel - origin


def _thorax(size: int, z: float, nodules: Image) -> Image:
    """Return the anatomy at height ``z``, ``[size, size]`` HU without blur and noise."""
    canvas = _Canvas(size, z)
    canvas.ellipse(0, 150, 165, 20, TABLE)
    canvas.ellipse(0, 150, 162, 17, FOAM)
    canvas.ellipse(0, 5, 168, 118, FAT)
    canvas.ellipse(0, 5, 152, 104, MUSCLE)
    _ribs(canvas)
    for side in (-1, 1):
        canvas.ellipse(side * 76, -2, 57 + 0.12 * z, 82 - 0.1 * abs(z), LUNG)
    lung = canvas.hu == LUNG
    for side in (-1, 1):
        _vessels(canvas, lung, side)
    for x, y, depth in nodules:
        inside = (3 + 5 * abs(x * y)) ** 2 - (z - 25 * depth) ** 2
        if inside > 0:
            canvas.ellipse(np.sign(x) * (55 + 45 * abs(x)), 55 * y, inside**0.5, inside**0.5, 30)
    canvas.ellipse(12, -30, 50, 42, BLOOD, 0.5)  # heart
    canvas.ellipse(22, 50, 13, 13, BLOOD)  # descending aorta
    canvas.ellipse(0, 22, 8, 9, AIR)  # trachea
    _spine(canvas)
    return canvas.hu


def _ribs(canvas: _Canvas) -> None:
    for number in range(16):
        angle = 2 * np.pi * (number + 0.5) / 16 + canvas.z / 90
        x, y = 142 * np.cos(angle), 5 + 94 * np.sin(angle)
        turn = np.arctan2(94 * np.cos(angle), -142 * np.sin(angle))
        canvas.ellipse(x, y, 15, 5.5, BONE, turn)
        canvas.ellipse(x, y, 12, 3, MARROW, turn)


def _vessels(canvas: _Canvas, lung: NDArray[np.bool_], side: int) -> None:
    """Draw vessels that run from the hilum to the pleura and get thinner."""
    for branch in range(9):
        direction = np.pi / 10 * (branch - 4) + canvas.z / 120
        for step in range(1, 16):
            bend = direction + 0.05 * step * np.sin(branch + canvas.z / 30)
            x, y = side * (30 + 5.2 * step * np.cos(bend)), 5.2 * step * np.sin(bend)
            radius = max(3.4 - 0.19 * step, 0.7)
            canvas.ellipse(x, y, radius * 2.4, radius, MUSCLE, side * bend, lung)


def _spine(canvas: _Canvas) -> None:
    canvas.ellipse(0, 68, 21, 17, BONE)
    canvas.ellipse(0, 68, 19, 15, MARROW + 100)
    canvas.ellipse(0, 99, 5, 14, BONE)  # spinous process
    canvas.ellipse(0, 90, 9, 8, 30)  # spinal canal


def _cutoff(convolution_kernel: str) -> float:
    """Return the frequency where a kernel's MTF has fallen to 1/e, in cycles per pixel."""
    number = re.search(r"[1-9]\d", convolution_kernel)
    return 0.007 * int(number[0]) if number else 0.28


def _scan(
    hu: Image, cutoff: float, random: np.random.Generator, noise_hu: float
) -> NDArray[np.float32]:
    """Blur a slice and add noise, as reconstruction with a kernel does.

    The noise power of filtered back projection rises with frequency because of the ramp filter,
    until the kernel cuts it off. The image gets the blur of the same kernel.
    """
    rows, columns = hu.shape
    frequency = np.hypot(np.fft.fftfreq(rows)[:, np.newaxis], np.fft.rfftfreq(columns))
    kernel = np.exp(-((frequency / cutoff) ** 2))
    white = np.fft.rfft2(random.standard_normal(hu.shape))
    noise = np.fft.irfft2(white * np.sqrt(frequency) * kernel, s=hu.shape)
    image = np.fft.irfft2(np.fft.rfft2(hu) * kernel, s=hu.shape)
    # Noise is lower where little attenuates.
    strength = noise_hu * np.clip((image + 1400) / 1400, 0.3, 1.0)
    return np.asarray(image + strength * noise / noise.std(), np.float32)
