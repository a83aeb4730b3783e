"""Find the patient in a slice, so that no random region lies on the couch."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

SKIN_HU: Final = -300.0
"""Half-way from air to soft tissue, and above the noise of air with any kernel."""

SMALLEST_PART: Final = 0.005
"""A smaller part of the slice is no patient."""

THINNEST: Final = 7
"""Pixels. Thinner things are cut off, such as a sheet or a strut between patient and couch."""


def body_mask(hu: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Find the patient in each slice: the largest object that is not air, with what it encloses.

    This is made for patients. Of a hollow phantom with a thin wall it may find only a part.

    Parameters
    ----------
    hu
        ``[N, H, W]`` HU.

    Returns
    -------
    ndarray
        ``[N, H, W]`` bool; lungs and bowel gas belong to the patient. All False on slices of air.
    """
    return np.stack([_body(one) for one in hu])


def _body(hu: NDArray[np.float32]) -> NDArray[np.bool_]:
    from scipy import ndimage

    solid = ndimage.uniform_filter(hu, 3) > SKIN_HU
    parts, count = ndimage.label(ndimage.binary_opening(solid, np.ones((THINNEST, THINNEST))))
    nothing = np.zeros(hu.shape, np.bool_)
    if count == 0:
        return nothing
    filled = [ndimage.binary_fill_holes(parts == part) for part in _largest(parts)]
    body: NDArray[np.bool_] = max(filled, key=np.count_nonzero)
    return body if body.mean() >= SMALLEST_PART else nothing


def _largest(parts: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the labels of the three largest parts, as a smaller one may enclose more."""
    sizes = np.bincount(parts.ravel())[1:]
    return np.argsort(sizes)[::-1][:3] + 1
