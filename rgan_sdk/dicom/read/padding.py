"""Which pixels of a slice are padding: filled in by the scanner or a program, and not measured.

Scanners fill the corners outside the circular field of view. Some files say so, by Pixel Padding
Value; others only have values there that no tissue has. This is the one place that decides.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

LOWEST_HU: Final = -1500.0
"""Lower values are padding, whatever the file says: air has -1000 HU, and padding that is not
declared often -2000, -2048 or -3024."""

PADDING_HU: Final = np.float32(-3024)
"""The value that marks padding where images of one slice are compared."""

Mask = NDArray[np.bool_]


def find_padding(hu: NDArray[np.float32], declared: Mask | None = None) -> Mask:
    """Return which pixels are padding.

    Parameters
    ----------
    hu
        HU of any shape.
    declared
        Padding that the file declares (``PydicomSlice.padding``); None if it declares none.
    """
    low: Mask = hu < LOWEST_HU
    return low if declared is None else low | declared


def fill_padding(hu: NDArray[np.float32], padding: Mask) -> NDArray[np.float32]:
    """Replace padding by the image next to it, so that a filter sees no edge there.

    Parameters
    ----------
    hu, padding
        ``[H, W]``.

    Returns
    -------
    ndarray
        Each row is continued by its nearest pixel, and a row without image is the nearest one
        that has some. ``hu`` itself if all or nothing is padding.
    """
    if padding.all() or not padding.any():
        return hu
    columns = np.arange(hu.shape[1])
    filled = hu.copy()
    known = np.flatnonzero(~padding.all(axis=1))
    for row in known:
        inside = np.flatnonzero(~padding[row])
        filled[row] = hu[row, _nearest(columns, inside)]
    return filled[_nearest(np.arange(hu.shape[0]), known)]


def _nearest(places: NDArray[np.int_], known: NDArray[np.int_]) -> NDArray[np.int_]:
    """Return the nearest known place for each place; ``known`` is sorted."""
    after = np.searchsorted(known, places).clip(max=len(known) - 1)
    before = (after - 1).clip(min=0)
    nearer = np.abs(known[before] - places) < np.abs(known[after] - places)
    return known[np.where(nearer, before, after)]
