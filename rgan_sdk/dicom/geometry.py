"""Warn of irregular slice spacing and gantry tilt, which matter to measurements in 3D."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final

from rgan_sdk.dicom.series import Series, slice_normal

TOLERANCE_MM: Final = 0.05


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
