"""Where slices lie and which pixels they have: of one series, and of two that may be a pair."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from rgan_sdk.dicom.series import Described, Series, slice_normal

TOLERANCE_MM: Final = 0.05
SQUARE_TOLERANCE: Final = 0.005
"""Relative difference between the distances of rows and of columns."""

POSITION_TOLERANCE: Final = 0.01
"""mm by which the header positions of two slices at the same place may differ."""

SPACING_TOLERANCE: Final = 1e-4
"""mm by which the pixel spacing of two series may differ."""

ORIENTATION_TOLERANCE: Final = 1e-4
"""Amount by which the direction cosines of two series may differ."""


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
    if np.diff(series.slices.positions).min(initial=math.inf) < TOLERANCE_MM:
        notes.append("several slices share a position")
    elif uneven := describe_uneven_distances(series):
        notes.append(uneven)
    if _is_sheared(series):
        notes.append("slices are shifted against each other (gantry tilt)")
    return tuple(notes)


def describe_uneven_distances(series: Series) -> str:
    """Return from what to what the distances between slices go; empty if they are even."""
    gaps = np.diff(series.slices.positions)
    least, most = gaps.min(initial=math.inf), gaps.max(initial=0)
    return f"slices are {least:.2f} to {most:.2f} mm apart" if most - least > TOLERANCE_MM else ""


def _is_sheared(series: Series) -> bool:
    """Return whether the line through the slice origins is not parallel to the slice normal."""
    first, last = series.slices[0], series.slices[-1]
    path = [b - a for a, b in zip(first.origin, last.origin, strict=True)]
    along = sum(p * n for p, n in zip(path, slice_normal(series.orientation), strict=True))
    return math.sqrt(max(0.0, sum(p * p for p in path) - along * along)) > TOLERANCE_MM


def compare_strengths(a: str, b: str) -> str | None:
    """Return how two kernels differ after their first value, None if they do not.

    Those values state such things as the strength of an iterative reconstruction. They are nothing
    that a simulation changes, though its name for the kernel may leave them out.
    """
    if a.split("\\")[1:] == b.split("\\")[1:]:
        return None
    return f"different reconstruction: ConvolutionKernel {a} and {b}"


def compare_geometry(a: Series, b: Series) -> str | None:
    """Return why two series do not have the same slices, None if they do."""
    if a.frame_of_reference_uid != b.frame_of_reference_uid:
        return "different frames of reference"
    if (a.rows, a.columns) != (b.rows, b.columns):
        return f"different matrix: {a.rows}x{a.columns} and {b.rows}x{b.columns}"
    if not _are_close(a.pixel_spacing, b.pixel_spacing, SPACING_TOLERANCE):
        return f"different pixel spacing: {a.pixel_spacing} and {b.pixel_spacing} mm"
    if not _are_close(a.orientation, b.orientation, ORIENTATION_TOLERANCE):
        return "different orientation"
    if len(a.slices) != len(b.slices):
        return f"different number of slices: {len(a.slices)} and {len(b.slices)}"
    for number, (slice_a, slice_b) in enumerate(zip(a.slices, b.slices, strict=True)):
        if not _are_close(slice_a.origin, slice_b.origin, POSITION_TOLERANCE):
            return (
                f"different positions: slice {number} is at {_format_point(slice_a.origin)} and "
                f"{_format_point(slice_b.origin)} mm"
            )
    for first, second in pairwise(a.slices):
        if second.position - first.position <= POSITION_TOLERANCE:
            return f"several slices at one position, {second.position:.3f} mm"
    return None


def _are_close(first: Sequence[float], second: Sequence[float], tolerance: float) -> bool:
    return all(abs(x - y) <= tolerance for x, y in zip(first, second, strict=True))


def _format_point(point: Sequence[float]) -> str:
    return "\\".join(f"{value:.3f}" for value in point)
