"""Where the patient is: random regions on the couch would say nothing."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

SKIN_HU: Final = -300.0
"""Half-way from air to soft tissue, and above what kernels do to the noise of air."""

SMALLEST: Final = 0.005
"""Of the slice: what is smaller is no patient."""

GAP: Final = 7
"""Pixels: what is thinner, such as a sheet or a strut between patient and couch, is cut."""


def body_mask(hu: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Find the patient in each slice: the largest thing that is not air, with what it encloses.

    Made for patients: of a hollow phantom with a thin wall it may find a part only.

    Parameters
    ----------
    hu
        ``[N, H, W]`` HU.

    Returns
    -------
    ndarray
        ``[N, H, W]``; lungs and bowel gas belong to the patient. Empty where all is air.
    """
    return np.stack([_body(one) for one in hu])


def _body(hu: NDArray[np.float32]) -> NDArray[np.bool_]:
    from scipy import ndimage

    solid = ndimage.uniform_filter(hu, 3) > SKIN_HU
    parts, count = ndimage.label(ndimage.binary_opening(solid, np.ones((GAP, GAP))))
    nothing = np.zeros(hu.shape, np.bool_)
    if count == 0:
        return nothing
    filled = [ndimage.binary_fill_holes(parts == part) for part in _largest(parts)]
    body: NDArray[np.bool_] = max(filled, key=np.count_nonzero)
    return body if body.mean() >= SMALLEST else nothing


def _largest(parts: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the numbers of the three largest parts: one may be large by what it encloses."""
    sizes = np.bincount(parts.ravel())[1:]
    return np.argsort(sizes)[::-1][:3] + 1
