"""Regions of interest: the pixels over which features are computed and compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import ConfigurationError
from rgan_sdk.hu import HUWindow
from rgan_train.evaluation.regions.boxes import Box

HU_RANGES: Final = (HUWindow(-800, -300), HUWindow(-100, 250), HUWindow(300, 800))
"""Lung, soft tissue and bone, as in section 3 of the paper."""

SQUARE: Final = 32
"""Side of the square that a random region lies in, pixels."""

FEWEST_PIXELS: Final = 100
"""Of a random region."""

WHOLE: Final = "whole slice"
"""Group of whole slices."""


@dataclass(frozen=True)
class Roi:
    """A region of interest on one slice.

    Attributes
    ----------
    group
        Regions of one group are evaluated together: ``whole slice``, ``[-800, -300] HU``, or the
        name of a structure.
    slice_number
        Index of its slice in the stack.
    mask
        ``[H, W]`` bool. Do not change it.
    repeat
        Index of the seed that drew a random region; 0 for other regions.
    """

    group: str
    slice_number: int
    mask: NDArray[np.bool_]
    repeat: int = 0

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return int(np.count_nonzero(self.mask))


def whole_slices(padding: NDArray[np.bool_]) -> list[Roi]:
    """Return, for each slice of a stack ``[N, H, W]``, a region with all but its padding."""
    return [Roi(WHOLE, index, mask) for index, mask in enumerate(~padding)]


def random_rois(
    target_hu: NDArray[np.float32],
    hu_range: HUWindow,
    *,
    seeds: Sequence[int],
    per_slice: int,
    size: int = SQUARE,
    minimum: int = FEWEST_PIXELS,
    within: NDArray[np.bool_] | None = None,
) -> list[Roi]:
    """Draw random regions of one HU range from the target (paper, section 3).

    The paper only says that regions in three HU ranges were selected at random. Here a square is
    drawn, and the region is all its pixels whose target value is in the range. All squares with
    enough such pixels are equally likely. Squares that one seed draws on one slice do not overlap.

    Parameters
    ----------
    target_hu
        ``[N, H, W]`` HU. Always the target, so that all methods have the same regions.
    hu_range
        Both ends are included.
    seeds
        Not negative. Each seed draws from every slice. The regions of a slice depend on its index
        but not on the other slices.
    per_slice
        Number of regions that a seed draws from a slice; fewer if no square is left.
    size
        Side of the square in pixels.
    minimum
        Smallest number of pixels in a region.
    within
        ``[N, H, W]`` where regions may be, such as in the patient; None for anywhere.

    Returns
    -------
    list of Roi
        By slice, then by seed. The group is named like ``[-800, -300] HU``.

    Raises
    ------
    ConfigurationError
        If no square can have that many pixels.
    """
    if not 1 <= minimum <= size**2:
        raise ConfigurationError(
            f"a square of {size}x{size} pixels cannot hold a region of at least {minimum} pixels; "
            f"give a minimum from 1 to {size**2}"
        )
    group = f"[{hu_range.lower:g}, {hu_range.upper:g}] HU"
    rois = []
    for number, target in enumerate(target_hu):
        in_range = (target >= hu_range.lower) & (target <= hu_range.upper)
        if within is not None:
            in_range &= within[number]
        allowed = _square_sums(in_range, size) >= minimum
        for repeat, seed in enumerate(seeds):
            rng = np.random.default_rng([seed, number])
            for part in _draw(allowed, size, per_slice, rng):
                mask = np.zeros_like(in_range)
                mask[part] = in_range[part]
                rois.append(Roi(group, number, mask, repeat))
    return rois


def box_rois(boxes: Mapping[int, Box], shape: tuple[int, int, int], group: str) -> list[Roi]:
    """Return a region for each box.

    Parameters
    ----------
    boxes
        Boxes by the index of their slice in the stack.
    shape
        ``[N, H, W]`` of the stack.
    group
        Group of all these regions.

    Raises
    ------
    ConfigurationError
        If a box lies outside its slice, or there is no such slice.
    """
    number, rows, columns = shape
    rois = []
    for index, box in boxes.items():
        if not 0 <= index < number:
            raise ConfigurationError(f"{box}: there is no slice {index}, only 0 to {number - 1}")
        box.check_inside(rows, columns)
        mask = np.zeros((rows, columns), np.bool_)
        mask[box.part] = True
        rois.append(Roi(group, index, mask))
    return rois


def _square_sums(mask: NDArray[np.bool_], size: int) -> NDArray[np.int64]:
    """Return the number of pixels in each square, by the square's first row and column."""
    total = np.zeros(np.add(mask.shape, 1), np.int64)
    total[1:, 1:] = mask.cumsum(axis=0).cumsum(axis=1)
    rows = total[size:] - total[:-size]
    return rows[:, size:] - rows[:, :-size]


def _draw(
    allowed: NDArray[np.bool_], size: int, count: int, rng: np.random.Generator
) -> Iterator[tuple[slice, slice]]:
    """Yield rows and columns of random squares that do not overlap."""
    free = allowed.copy()
    for _ in range(count):
        corners = np.flatnonzero(free)
        if not len(corners):
            return
        y, x = divmod(int(corners[rng.integers(len(corners))]), free.shape[1])
        free[max(y - size + 1, 0) : y + size, max(x - size + 1, 0) : x + size] = False
        yield slice(y, y + size), slice(x, x + size)
