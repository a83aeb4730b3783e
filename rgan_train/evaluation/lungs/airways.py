"""Find the trachea and the main bronchi, whose air is no emphysema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

LUMEN_HU: Final = -900.0
"""Below this, after smoothing, a pixel may be the air of an airway."""

TRACHEA_MM2: Final = (30.0, 600.0)
"""Smallest and largest area of the trachea below ``LUMEN_HU``: its border, mixed with tissue, is
above. The lumen of adults has 75 to 550 mm2."""

ROUND: Final = 2.0
"""A trachea is at most so many times as long as wide."""

FULL: Final = 0.6
"""Share of its bounding box that a trachea fills at least; a disk fills 0.79."""

MIDDLE: Final = 0.1
"""How far off the middle of the body a trachea may lie, in widths of the body."""

REACH_MM: Final = 3.0
"""How far an airway may move sideways from one slice to the next, beyond its own border, and how
thick the wall and its blurred border are."""

TISSUE_MM: Final = 5.0
WALLED: Final = 0.6
"""Tissue lies within ``TISSUE_MM`` of at least this share of the border of an airway. Fewer pixels
around a dark spot in the lung are so near to tissue, even if it lies beside a vessel."""

AREAS_MM2: Final = (10.0, 1000.0)
"""Smallest and largest area of one airway on a slice. A smaller one is no main bronchus."""


def find_airways(
    lumen: Mask, aerated: Mask, body: Mask, pixel_mm: tuple[float, float]
) -> tuple[Mask, tuple[str, ...]]:
    """Follow the trachea from slice to slice, and its branches as far as they have walls.

    A round area of air in the middle of a slice may be the trachea. On each next slice the areas
    of air that touch those of the slice above belong to the same airway if tissue surrounds them,
    until there are none. Others are lung, into which the search would leak, or bronchi inside the
    lung, which count as lung. The airway with the most slices is that of the trachea.

    Parameters
    ----------
    lumen
        ``[N, H, W]``, from the head down: below ``LUMEN_HU`` and in the patient.
    aerated
        ``[N, H, W]``, all air in the patient, also that which is mixed with tissue.
    body
        ``[N, H, W]``, the patient.
    pixel_mm
        Distance between rows and between columns.

    Returns
    -------
    airways : ndarray
        ``[N, H, W]`` bool, with the walls.
    notes : tuple of str
        That no trachea was found.
    """
    from scipy import ndimage

    tracks: list[dict[int, Mask]] = [{}]  # each by the number of the slice
    pixel = pixel_mm[0] * pixel_mm[1]
    for number, air in enumerate(lumen):
        labels, _ = ndimage.label(air)
        areas = (np.bincount(labels.ravel()) * pixel).tolist()
        above = tracks[-1].get(number - 1)
        if above is not None:
            found = np.setdiff1d(labels[_grow(above, pixel_mm)], [0]).tolist()
        else:
            found = _possible_tracheas(labels, areas, body[number])
        fitting = [n for n in found if AREAS_MM2[0] <= areas[n] <= AREAS_MM2[1]]
        near_tissue = _grow(~aerated[number], pixel_mm, TISSUE_MM)
        tubes = [tube for tube in (labels == n for n in fitting) if _is_walled(tube, near_tissue)]
        if tubes and above is None:
            tracks.append({number: max(tubes, key=np.count_nonzero)})
        elif tubes:
            tracks[-1][number] = np.any(tubes, axis=0)
    airways = np.zeros_like(lumen)
    longest = max(tracks, key=len)
    for number, airway in longest.items():
        airways[number] = _grow(airway, pixel_mm)
    notes = () if longest else ("no trachea was found, so large airways may count as lung",)
    return airways, notes


def _possible_tracheas(labels: NDArray[np.int32], areas: Sequence[float], body: Mask) -> list[int]:
    """Return the labels of round areas in the middle of the body."""
    from scipy import ndimage

    columns = np.flatnonzero(body.any(axis=0))
    if not columns.size:
        return []
    middle, width = (columns[0] + columns[-1]) / 2, columns[-1] - columns[0] + 1
    found = []
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        part = labels[box] == label
        center = box[1].start + part.nonzero()[1].mean()
        is_round = max(part.shape) <= ROUND * min(part.shape) and part.mean() >= FULL
        fits = TRACHEA_MM2[0] <= areas[label] <= TRACHEA_MM2[1]
        if fits and is_round and abs(center - middle) <= MIDDLE * width:
            found.append(label)
    return found


def _is_walled(tube: Mask, near_tissue: Mask) -> bool:
    from scipy import ndimage

    solid = ndimage.binary_fill_holes(tube)
    return bool(near_tissue[solid & ~ndimage.binary_erosion(solid)].mean() >= WALLED)


def _grow(mask: Mask, pixel_mm: tuple[float, float], reach_mm: float = REACH_MM) -> Mask:
    """Return a mask ``[H, W]`` with all that lies within a distance."""
    from scipy import ndimage

    if not mask.any():
        return mask
    margins = [int(reach_mm / distance) for distance in pixel_mm]
    box = tuple(
        slice(max(0, int(places.min()) - margin), int(places.max()) + margin + 1)
        for places, margin in zip(mask.nonzero(), margins, strict=True)
    )
    away = ndimage.distance_transform_edt(~mask[box], sampling=pixel_mm)
    grown = np.zeros_like(mask)
    grown[box] = away <= reach_mm
    return grown
