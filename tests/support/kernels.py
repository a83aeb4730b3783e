"""Chest phantoms seen through a known MTF, with the noise that goes with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from rgan_sdk.kernels import frequencies
from support.dicom_phantoms import uid, write_ct

SIZE, FINER = 256, 3


def exponential(f50, power):
    """Return an MTF of the form ``exp(-ln 2 (f/f50)^power)``."""
    return lambda f: np.exp(-np.log(2) * (f / f50) ** power)


def enhancing(f50, power, height, peak):
    """Return such an MTF times 1 + height at the frequency peak, and less beside it."""
    plain = exponential(f50, power)
    return lambda f: plain(f) * (1 + height * (f / peak) ** 2 * np.exp(1 - (f / peak) ** 2))


def chests(
    mtf: Callable[[np.ndarray], np.ndarray], spacing: float, count: int, seed: int, noise=8.0
) -> np.ndarray:
    """Return ``[count, 256, 256]`` HU, rounded. Another seed is another patient.

    ``noise`` is the density of the noise before the kernel, which a ramp shapes, HU mm at 1 lp/cm.
    """
    random = np.random.default_rng(seed)
    frequency = frequencies((SIZE, SIZE), (spacing, spacing))
    transfer = mtf(frequency)
    slices = []
    for anatomy in _anatomies(spacing, count, random):
        white = np.fft.rfft2(random.normal(0, noise / spacing, (SIZE, SIZE)))
        spectrum = transfer * (_shrink(anatomy) + np.sqrt(frequency) * white)
        slices.append(np.fft.irfft2(spectrum, (SIZE, SIZE)).round())
    return np.array(slices, np.float32)


def write_chests(folder, series, kernel, hu):
    """Write slices as a series of pixels of 0.7 mm, and return the folder."""
    for index, image in enumerate(hu):
        write_ct(
            folder / f"{index}.dcm",
            np.clip(image + 1024, 0, 4095).astype(np.uint16),
            bits_stored=12,
            SOPInstanceUID=uid(1, series, index + 1),
            SeriesInstanceUID=uid(1, series),
            ImagePositionPatient=[0, 0, 3 * index],
            ConvolutionKernel=kernel,
        )
    return folder


def _anatomies(spacing, count, random) -> Iterator[np.ndarray]:
    """Yield sections on fine pixels: a body with two lungs, vessels and bones."""
    fine = SIZE * FINER
    y, x = (np.mgrid[:fine, :fine] + 0.5) * spacing / FINER
    half = SIZE * spacing / 2

    def inside(cx, cy, a, b):
        return ((x - half - cx) / a) ** 2 + ((y - half - cy) / b) ** 2 < 1

    for _ in range(count):
        hu = np.full((fine, fine), -1000.0)
        hu[inside(0, 0, random.uniform(0.75, 0.85) * half, random.uniform(0.6, 0.7) * half)] = 45
        for side in (-0.4, 0.4):
            place = side * half, random.uniform(-0.25, -0.15) * half
            hu[inside(*place, random.uniform(0.2, 0.25) * half, 0.25 * half)] = -850
        for hounsfield, number, largest in ((60, 25, 3.0), (700, 4, 6.0)):
            for cx, cy in random.uniform(-0.5, 0.1, (number, 2)) * half:
                hu[inside(cx, cy, *random.uniform(0.8, largest, 2))] = hounsfield
        yield hu


def _shrink(fine: np.ndarray) -> np.ndarray:
    """Return the ``rfft2`` of an image on pixels that are three times as large."""
    spectrum = np.fft.rfft2(fine)
    # A fine pixel's mean is placed at its centre, a large pixel's at its own.
    k = np.fft.fftfreq(SIZE, 1 / SIZE).astype(int)
    shift = np.exp(1j * np.pi * k / SIZE * (1 - 1 / FINER))
    half = SIZE // 2 + 1
    right = shift[:half].copy()
    right[-1] = right[-1].conj()  # of rfft2, the last column is at the positive frequency
    return spectrum[k, :half] * np.outer(shift, right) / FINER**2
