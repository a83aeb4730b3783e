"""Turn polygons into pixels."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_DECIMALS = 4


def fill_polygons(
    polygons: Iterable[NDArray[np.float64]], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return the pixels whose centres lie inside an odd number of polygons.

    A polygon inside another is therefore a hole. So is the inside of a keyhole: a polygon that runs
    to its hole and back along the same line. If a border goes through the centre of a pixel, the
    pixel belongs to the area on its right or below. So polygons that are side by side share no
    pixel and leave none out.

    Parameters
    ----------
    polygons
        ``[P, 2]`` column and row of the corners. An edge from the last to the first corner closes
        the polygon. Corners may lie outside the image.
    shape
        Rows and columns.

    Returns
    -------
    ndarray
        ``[H, W]`` bool.

    Notes
    -----
    Even-odd scan conversion (Foley et al., Computer Graphics, 2nd ed., 3.6): where an edge crosses
    a row, all pixels on its right change sides. Corners are rounded to 0.0001 pixels. Otherwise
    rounding errors would fray a border that goes through the centres of pixels.
    """
    rows, columns = shape
    changes = np.zeros((rows, columns + 1), np.int64)
    for polygon in polygons:
        x, y = np.round(polygon, _DECIMALS).T
        for x0, y0, x1, y1 in zip(x, y, np.roll(x, -1), np.roll(y, -1), strict=True):
            if y0 > y1:
                x0, y0, x1, y1 = x1, y1, x0, y0
            crossed = np.arange(max(np.ceil(y0), 0), min(np.ceil(y1), rows), dtype=np.int64)
            at = np.ceil(x0 + (crossed - y0) * (x1 - x0) / (y1 - y0)) if len(crossed) else crossed
            changes[crossed, np.clip(at, 0, columns).astype(np.int64)] += 1
    inside: NDArray[np.bool_] = np.cumsum(changes[:, :-1], axis=1) % 2 == 1
    return inside


def sorted_edges(polygon: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    """Return the edges of a polygon, the same wherever it begins and whichever way it runs.

    Polygons ``[P, 2]`` with the same edges mark the same pixels.
    """
    corners = [tuple(corner) for corner in np.round(polygon, _DECIMALS).tolist()]
    ends = zip(corners, [*corners[1:], corners[0]], strict=True)
    return tuple(sorted(min(a, b) + max(a, b) for a, b in ends if a != b))


def overlap_partly(polygons: Iterable[NDArray[np.float64]], shape: tuple[int, int]) -> bool:
    """Tell whether two polygons share pixels, and each has pixels that the other has not.

    Polygons that are apart, or one inside the other, do not. For the parameters see
    ``fill_polygons``.

    Notes
    -----
    From the largest to the smallest, each polygon must have the same one around all its pixels.
    """
    innermost = np.zeros(shape, np.int64)
    filled = [_fill_in_its_box(polygon, shape) for polygon in polygons]
    filled.sort(key=lambda one: np.count_nonzero(one[1]), reverse=True)
    for number, (box, inside) in enumerate(filled, start=1):
        around = innermost[box]
        if len(np.unique(around[inside])) > 1:
            return True
        around[inside] = number
    return False


def _fill_in_its_box(
    polygon: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """Return the box of the image around a polygon, and the pixels inside within the box."""
    rows, columns = shape
    ends = np.floor([polygon.min(axis=0), polygon.max(axis=0) + 1])
    (left, top), (right, bottom) = np.clip(ends, 0, (columns, rows)).astype(int).tolist()
    inside = fill_polygons([polygon - (left, top)], (bottom - top, right - left))
    return (slice(top, bottom), slice(left, right)), inside
