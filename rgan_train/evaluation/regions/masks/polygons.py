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
