"""Refuse pixels that are not square; warn of irregular slice spacing and of gantry tilt."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final

from rgan_sdk.dicom.series import Described, Series, slice_normal

TOLERANCE_MM: Final = 0.05
SQUARE_TOLERANCE: Final = 0.005
"""Relative difference between the distances of rows and of columns."""


def why_not_square(series: Described) -> str:
    """Return why a series has no pixels that a model can take; an empty text if it has.

    A model is told one pixel spacing, so its pixels are square.
    """
    low, high = sorted(series.pixel_spacing)
    if high <= low * (1 + SQUARE_TOLERANCE):
        return ""
    rows, columns = series.pixel_spacing
    return (
        f"PixelSpacing (0028,0030) is {rows:g} and {columns:g} mm: pixels are not square, which "
        "models with a pixel spacing need; resample the series"
    )


def geometry_notes(series: Series) -> tuple[str, ...]:
    """Return remarks on uneven spacing and on tilt; none for a regular series.

    They do not affect harmonization, which works slice by slice.
    """
    notes = []
    gaps = [b.position - a.position for a, b in pairwise(series.slices)]
    if any(gap < TOLERANCE_MM for gap in gaps):
        notes.append("several slices share a position")
    elif gaps and max(gaps) - min(gaps) > TOLERANCE_MM:
        notes.append(f"slices are {min(gaps):.2f} to {max(gaps):.2f} mm apart")
    if _is_sheared(series):
        notes.append("slices are shifted against each other (gantry tilt)")
    return tuple(notes)


def _is_sheared(series: Series) -> bool:
    """Return whether the line through the slice origins is not parallel to the slice normal."""
    first, last = series.slices[0], series.slices[-1]
    path = [b - a for a, b in zip(first.origin, last.origin, strict=True)]
    along = sum(p * n for p, n in zip(path, slice_normal(series.orientation), strict=True))
    return math.sqrt(max(0.0, sum(p * p for p in path) - along * along)) > TOLERANCE_MM
