"""Where lesions may be put: in lung without large vessels, airways or borders nearby."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.read.padding import fill_padding
from rgan_sdk.kernels.interpolation import gaussian_blur
from rgan_train.evaluation.cohorts.cohort import Scan

LUNG_HU: Final = (-950.0, -700.0)
"""Smoothed, all pixels around a place lie between these."""

SMOOTHING_MM: Final = 2.0
CLEARANCE_MM: Final = 7.0
APART_MM: Final = 30.0
"""Between the centres of lesions on one slice, so that none reaches another."""

MOST: Final = 4
"""Places on a slice."""


def find_places(scan: Scan, number: int) -> list[tuple[int, int]]:
    """Return rows and columns of pixels with nothing but lung within 7 mm, at most four.

    Parameters
    ----------
    number
        Of the slice.
    """
    from scipy import ndimage

    spacing = scan.pixel_spacing
    hu = fill_padding(scan.hu[number], scan.padding[number])
    smooth = gaussian_blur(hu, (SMOOTHING_MM / spacing[0], SMOOTHING_MM / spacing[1]))
    lung = (smooth > LUNG_HU[0]) & (smooth < LUNG_HU[1]) & ~scan.padding[number]
    free = ndimage.distance_transform_edt(np.pad(lung, 1), sampling=spacing)[1:-1, 1:-1]
    allowed = np.argwhere(free >= CLEARANCE_MM)
    order = np.random.default_rng(number).permutation(len(allowed))
    chosen: list[tuple[int, int]] = []
    for row, column in allowed[order]:
        if len(chosen) < MOST and _is_apart(row, column, chosen, spacing):
            chosen.append((int(row), int(column)))
    return chosen


def _is_apart(
    row: int, column: int, chosen: list[tuple[int, int]], spacing: tuple[float, float]
) -> bool:
    offsets = (np.array(chosen).reshape(-1, 2) - (row, column)) * spacing
    return bool((np.hypot(*offsets.T) >= APART_MM).all())


def surroundings(
    centre: tuple[int, int], shape: tuple[int, int], spacing: tuple[float, float]
) -> NDArray[np.float64]:
    """Return the distance of each pixel from a centre, ``[H, W]`` mm."""
    rows = (np.arange(shape[0]) - centre[0]) * spacing[0]
    columns = (np.arange(shape[1]) - centre[1]) * spacing[1]
    return np.asarray(np.hypot(rows[:, np.newaxis], columns))
