"""Blur images with a Gaussian, and sample them between pixels, with NumPy alone.

The results are those of ``scipy.ndimage`` (``gaussian_filter``, and ``map_coordinates`` with
``mode="nearest"``), which the tests hold them to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

TRUNCATE: Final = 4.0
"""Radius of the Gaussian's taps, in standard deviations."""

POLE: Final = -1 / (2 + math.sqrt(3))
"""Pole of the recursive filter for cubic B-splines (Unser 1999): ``sqrt(3) - 2``."""

PADDING: Final = 12
"""Pixels by which the edge is repeated around an image before its splines are computed."""

Floats = NDArray[np.float64]


def gaussian_blur(image: NDArray[np.floating], sigma: tuple[float, float]) -> Floats:
    """Blur an image with a Gaussian; beyond its border it is mirrored, edge pixels included.

    Parameters
    ----------
    image
        ``[H, W]``.
    sigma
        Standard deviations down and across, in pixels.

    Returns
    -------
    ndarray
        ``[H, W]`` float64.
    """
    blurred = image.astype(np.float64)
    for axis, deviation in enumerate(sigma):
        blurred = np.moveaxis(_blur_rows(np.moveaxis(blurred, axis, 0), deviation), 0, axis)
    return blurred


def sample_linear(image: Floats, pixels: Floats) -> Floats:
    """Sample an image by bilinear interpolation.

    Parameters
    ----------
    image
        ``[H, W]``. Its edge pixels are repeated beyond the border.
    pixels
        ``[2, ...]`` rows and columns to sample at, fractions of pixels among them.

    Returns
    -------
    ndarray
        ``[...]`` float64.
    """
    # One more row and column, so that the last pixel has a neighbour.
    padded = np.pad(image, ((0, 1), (0, 1)), mode="edge")
    first, fraction = _split(pixels, 0, np.subtract(image.shape, 1))
    return _weighted_sum(padded, first, (1 - fraction, fraction))


def sample_cubic(image: Floats, pixels: Floats) -> Floats:
    """Sample an image by interpolation with cubic B-splines.

    Parameters
    ----------
    image, pixels
        See ``sample_linear``.

    Returns
    -------
    ndarray
        ``[...]`` float64.

    Notes
    -----
    Unser, Splines: a perfect fit for signal and image processing, IEEE Signal Processing Magazine
    16(6):22, 1999. This blurs less than linear interpolation.
    """
    coefficients = _spline_coefficients(np.pad(image, PADDING, mode="edge"))
    middle, x = _split(pixels + PADDING, 1, np.subtract(coefficients.shape, 3))
    y = 1 - x
    outer = y * y * y / 6
    left, right = ((t * t * (t - 2) * 3 + 4) / 6 for t in (x, y))
    return _weighted_sum(coefficients, middle - 1, (outer, left, right, 1 - outer - left - right))


def _blur_rows(image: Floats, sigma: float) -> Floats:
    """Blur along the first axis."""
    radius = int(TRUNCATE * sigma + 0.5)
    taps = np.exp(-0.5 / (sigma * sigma) * np.arange(-radius, radius + 1) ** 2)
    taps /= taps.sum()
    rows = len(image)
    padded = np.pad(image, ((radius, radius), (0, 0)), mode="symmetric")
    blurred: Floats = padded[radius : radius + rows] * taps[radius]
    for tap in range(radius):
        mirrored = 2 * radius - tap
        blurred += (padded[tap : tap + rows] + padded[mirrored : mirrored + rows]) * taps[tap]
    return blurred


def _spline_coefficients(image: Floats) -> Floats:
    """Return the coefficients of the cubic spline through the pixels of an image."""
    return _filter_rows(_filter_rows(image).T).T


def _filter_rows(image: Floats) -> Floats:
    """Compute spline coefficients along the first axis, which is mirrored at its ends."""
    rows = image * ((1 - POLE) * (1 - 1 / POLE))
    rows[0] += POLE ** np.arange(1, len(rows) + 1) @ rows
    for above, row in pairwise(rows):
        row += POLE * above
    rows[-1] *= POLE / (POLE - 1)
    for below, row in pairwise(rows[::-1]):
        np.subtract(below, row, out=row)
        row *= POLE
    return rows


def _split(pixels: Floats, lowest: int, highest: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Clip positions ``[2, ...]``, and split them into whole pixels and fractions."""
    clipped = np.stack(
        [np.clip(part, lowest, end) for part, end in zip(pixels, highest, strict=True)]
    )
    whole = clipped.astype(np.intp)
    return whole, clipped - whole


def _weighted_sum(values: Floats, first: NDArray[np.intp], weights: Sequence[Floats]) -> Floats:
    """Sum values times weights over squares of pixels.

    Parameters
    ----------
    values
        ``[H, W]``.
    first
        ``[2, ...]`` row and column of the first pixel of each square.
    weights
        ``[2, ...]`` along rows and columns, for each pixel along the side of a square.
    """
    width = values.shape[1]
    flat = values.ravel()
    corner = first[0] * width + first[1]
    total = np.zeros(corner.shape)
    for row, (down, _) in enumerate(weights):
        for column, (_, across) in enumerate(weights):
            total += flat[corner + (row * width + column)] * down * across
    return total
