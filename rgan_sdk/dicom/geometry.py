"""What is unusual in the geometry of a series, for people who measure in three dimensions."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final

from rgan_sdk.dicom.series import Series, slice_normal

TOLERANCE_MM: Final = 0.05


def geometry_notes(series: Series) -> tuple[str, ...]:
    """Return remarks on spacing and tilt. Slices are harmonized one by one all the same."""
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
    """Tell whether the line through the slices' origins leaves the slice normal."""
    first, last = series.slices[0], series.slices[-1]
    path = [b - a for a, b in zip(first.origin, last.origin, strict=True)]
    along = sum(p * n for p, n in zip(path, slice_normal(series.orientation), strict=True))
    return math.sqrt(max(0.0, sum(p * p for p in path) - along * along)) > TOLERANCE_MM
