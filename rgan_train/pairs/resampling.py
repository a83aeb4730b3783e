"""Resample a slice to another pixel spacing, in its plane.

Each pixel is a sum of its neighbours with the weights of a windowed sinc. On coarser pixels the
low-pass takes away what they cannot show. A scanner that reconstructs such pixels need not do
that, so the low-pass can be left out in part: the high frequencies are then folded into the low
ones. On finer pixels nothing is there beyond the Nyquist frequency of the slice, where a
reconstruction with a sharp kernel would have noise. So a resampled slice is no reconstruction.
"""

from __future__ import annotations

import functools
import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.read.padding import PADDING_HU, fill_padding, find_padding

LOBES: Final = 12
"""Lobes of the sinc on each side."""

BETA: Final = 5.0
"""Shape of the Kaiser window. It leaves ripples of 0.5 %, and a transition from 86 % of Nyquist."""

Region = tuple[slice, slice]


def resampled_shape(shape: tuple[int, ...], factor: float) -> tuple[int, int]:
    """Return rows and columns of a slice ``[H, W]`` whose pixels are ``factor`` times as large."""
    rows, columns = (math.floor(size / factor + 1e-6) for size in shape)
    return rows, columns


def resample(
    hu: NDArray[np.float32], factor: float, low_pass: float = 1.0, region: Region | None = None
) -> NDArray[np.float32]:
    """Return a slice on pixels that are ``factor`` times as large, around the same centre.

    Parameters
    ----------
    hu
        ``[H, W]`` Hounsfield units.
    factor
        New pixel spacing over old one. 1 gives the slice itself.
    low_pass
        From 1, nothing is folded, to 0, no low-pass. On finer pixels it changes nothing.
    region
        Rows and columns of the new slice to compute; None: all of ``resampled_shape``.

    Returns
    -------
    ndarray
        Float32 HU. Padding stays padding and has no influence on the image.
    """
    shape = resampled_shape(hu.shape, factor)
    region = region or (slice(0, shape[0]), slice(0, shape[1]))
    if factor == 1:
        return hu[region]
    rows, columns = (
        _taps(new, old, factor, low_pass).of(part)
        for part, new, old in zip(region, shape, hu.shape, strict=True)
    )
    padding = find_padding(hu)
    image = fill_padding(hu, padding) if padding[rows.span, columns.span].any() else hu
    part, columns = image[:, columns.span], columns.within_span()
    out = _blend(_blend(part, rows).T, columns).T
    if padding.any():
        out[_nearest(padding, factor, region, shape)] = PADDING_HU
    return out


class _Taps(NamedTuple):
    """The old pixels that each new one is made of, and their weights: ``[new, taps]``."""

    neighbours: NDArray[np.intp]
    weights: NDArray[np.float32]

    def of(self, part: slice) -> _Taps:
        """Return those of some new pixels."""
        return _Taps(self.neighbours[part], self.weights[part])

    @property
    def span(self) -> slice:
        """The old pixels from the first one that has a weight to the last."""
        return slice(int(self.neighbours.min()), int(self.neighbours.max()) + 1)

    def within_span(self) -> _Taps:
        """Return the same taps, counted from the first old pixel of the span."""
        return self._replace(neighbours=self.neighbours - self.span.start)


def _blend(image: NDArray[np.float32], taps: _Taps) -> NDArray[np.float32]:
    """Return new rows of an image.

    A product of matrices would be as fast, but its threads disturb those of PyTorch.
    """
    rows: NDArray[np.float32] = np.einsum("nk,nkm->nm", taps.weights, image[taps.neighbours])
    return rows


def _positions(new: int, old: int, factor: float) -> NDArray[np.float64]:
    """Return where the centres of ``new`` pixels are among ``old`` ones."""
    positions: NDArray[Any] = (np.arange(new) - (new - 1) / 2) * factor + (old - 1) / 2
    return positions


@functools.lru_cache(maxsize=8)
def _taps(new: int, old: int, factor: float, low_pass: float) -> _Taps:
    """Return the taps of all new pixels. The image continues beyond its edge as its last pixel."""
    width = max(factor, 1.0)
    reach = math.ceil(LOBES * width)
    positions = _positions(new, old, factor)[:, None]
    neighbours = np.floor(positions).astype(np.intp) + np.arange(1 - reach, reach + 1)
    distance = positions - neighbours
    weights: NDArray[np.float64] = _windowed_sinc(distance)
    if factor > 1:
        weights = low_pass * _windowed_sinc(distance / width) / width + (1 - low_pass) * weights
    weights /= weights.sum(1, keepdims=True)
    return _Taps(neighbours.clip(0, old - 1), weights.astype(np.float32))


def _windowed_sinc(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.maximum(1 - (distance / LOBES) ** 2, 0)
    window = np.i0(BETA * np.sqrt(inside)) / np.i0(BETA)
    curve: NDArray[np.float64] = np.sinc(distance) * np.where(inside > 0, window, 0)
    return curve


def _nearest(
    mask: NDArray[np.bool_], factor: float, region: Region, shape: tuple[int, int]
) -> NDArray[np.bool_]:
    rows, columns = (
        _positions(new, old, factor)[part].round().astype(int).clip(0, old - 1)
        for part, new, old in zip(region, shape, mask.shape, strict=True)
    )
    resampled: NDArray[np.bool_] = mask[np.ix_(rows, columns)]
    return resampled
