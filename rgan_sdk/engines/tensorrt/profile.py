"""The shapes that a TensorRT plan takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

CHUNK_SLICES: Final = 8
"""How many slices of 512x512 a plan computes at once. More take more memory and are no faster."""
SIZE: Final = 512
STEP: Final = 256
"""Sizes above ``SIZE`` are rounded up to multiples of this, so that few plans are needed."""

Shape = tuple[int, int, int]
"""Batch, height and width."""


@dataclass(frozen=True)
class OptimizationProfile:
    """The range of input shapes ``(batch, height, width)`` of a plan.

    Attributes
    ----------
    smallest, largest
        The ends of the range.
    typical
        The shape that kernels are tuned for.
    """

    smallest: Shape
    typical: Shape
    largest: Shape

    def covers(self, height: int, width: int) -> bool:
        """Return whether slices of a size are within the range."""
        return all(
            low <= size <= high
            for low, size, high in zip(
                self.smallest[1:], (height, width), self.largest[1:], strict=True
            )
        )


def make_profile(multiple: int, height: int = SIZE, width: int = SIZE) -> OptimizationProfile:
    """Return the profile for slices of a size. All sizes up to 512x512 share one profile.

    Parameters
    ----------
    multiple
        The model card's ``multiple``.
    height, width
        Of the slices.
    """
    fine, coarse = multiple, math.lcm(STEP, multiple)
    rows, columns = (
        _round_up(SIZE, fine) if size <= SIZE else _round_up(size, coarse)
        for size in (height, width)
    )
    slices = max(1, CHUNK_SLICES * SIZE * SIZE // (rows * columns))
    largest = (slices, rows, columns)
    return OptimizationProfile((1, multiple, multiple), largest, largest)


def _round_up(size: int, multiple: int) -> int:
    return size + -size % multiple
