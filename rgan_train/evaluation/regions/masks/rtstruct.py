"""RT Structure Set (PS3.3 A.19): contours around structures, each on one slice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom import values
from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.regions.masks.grid import SeriesGrid
from rgan_train.evaluation.regions.masks.mask import Mask
from rgan_train.evaluation.regions.masks.polygons import fill_polygons, overlap_partly, sorted_edges

if TYPE_CHECKING:
    from pydicom import Dataset

PLAIN: Final = "CLOSED_PLANAR"
CLOSED: Final = (PLAIN, "CLOSEDPLANAR_XOR")
"""ContourGeometricType of contours that enclose an area; the others are points and lines."""

MAX_NOTES: Final = 5
"""More remarks on one structure are counted only."""


def read_structures(dataset: Dataset, grid: SeriesGrid) -> Iterator[Mask]:
    """Yield the structures in the order of the file; they are named by ROIName.

    A pixel belongs to a structure if its centre lies inside an odd number of its contours: a
    contour inside another is a hole. A structure of points or lines has no pixels.

    A CLOSED_PLANAR contour that is stored again counts once, with a note, and a note says where
    such contours overlap in part. In CLOSEDPLANAR_XOR both are meant (PS3.3 C.8.8.6.3).

    A contour that cannot be used is left out with a note, and the others stay. If it names the
    image that it was drawn on, the structure has no pixels on that slice: the contour may be a part
    of it or a hole.

    Raises
    ------
    InvalidSeriesError
        If a number of a structure is missing.
    """
    contours = {
        values.integer(item, "ReferencedROINumber"): item.get("ContourSequence") or ()
        for item in dataset.get("ROIContourSequence") or ()
    }
    for item in dataset.get("StructureSetROISequence") or ():
        number = values.integer(item, "ROINumber")
        name = values.text(item, "ROIName") or f"ROI {number}"
        try:
            grid.require_frame_of_reference(values.text(item, "ReferencedFrameOfReferenceUID"))
        except ConfigurationError as exc:
            yield Mask(name, np.zeros(grid.shape, np.bool_), (f"left out: {exc}",))
        else:
            yield _fill(name, contours.get(number, ()), grid)


def _fill(name: str, contours: Sequence[Dataset], grid: SeriesGrid) -> Mask:
    """Fill the contours of a structure, slice by slice."""
    polygons: dict[int, list[NDArray[np.float64]]] = defaultdict(list)
    plain: dict[int, list[NDArray[np.float64]]] = defaultdict(list)
    first: dict[object, int] = {}
    spoiled: set[int] = set()
    notes = []
    has_area = any(map(_is_closed, contours))
    for number, contour in enumerate(contours if has_area else (), start=1):
        try:
            points = _points(contour)
            if reason := _why_empty(contour, points):
                notes.append(f"contour {number} {reason}; it is left out")
                continue
            index = grid.slice_through(points, _images(contour))
        except ConfigurationError as exc:
            notes.append(f"contour {number} {exc}; it is left out")
            spoiled |= grid.named(_images(contour))
            continue
        polygon = grid.pixels(points, index)
        if _kind(contour) == PLAIN:
            same = first.setdefault((index, sorted_edges(polygon)), number)
            if same != number:
                notes.append(f"contour {number} repeats contour {same}; the two count once")
                continue
            plain[index].append(polygon)
        polygons[index].append(polygon)
        if not _reaches(polygon, grid):
            notes.append(f"contour {number} lies beside the image, on slice {index}")
    voxels = np.zeros(grid.shape, np.bool_)
    for index, found in polygons.items():
        if index in spoiled:
            notes.append(f"nothing is marked on slice {index}: a contour of it is left out")
        else:
            voxels[index] = fill_polygons(found, voxels.shape[1:])
    notes += [
        f"contours on slice {index} overlap in part: pixels inside an even number of contours are "
        "not marked; join the contours if these pixels belong to the structure"
        for index, found in plain.items()
        if len(found) > 1 and overlap_partly(found, voxels.shape[1:])
    ]
    more = len(notes) - MAX_NOTES
    notes[MAX_NOTES:] = [f"and {more} more remarks like these"] if more > 0 else []
    return Mask(name, voxels, tuple(notes))


def _kind(contour: Dataset) -> str:
    return values.text(contour, "ContourGeometricType")


def _is_closed(contour: Dataset) -> bool:
    return _kind(contour) in CLOSED


def _why_empty(contour: Dataset, points: NDArray[np.float64]) -> str | None:
    """Return why a contour encloses nothing; None if it encloses something."""
    if not _is_closed(contour):
        return "is a point or an open line, which encloses nothing"
    if len(np.unique(points, axis=0)) < 3:
        return "has fewer than three different points, which enclose nothing"
    return None


def _reaches(polygon: NDArray[np.float64], grid: SeriesGrid) -> bool:
    """Tell whether the box around a polygon, ``[P, 2]`` columns and rows, reaches the image."""
    _, rows, columns = grid.shape
    return bool((polygon.max(axis=0) >= 0).all() and (polygon.min(axis=0) < (columns, rows)).all())


def _points(contour: Dataset) -> NDArray[np.float64]:
    """Return the corners of a contour, ``[P, 3]`` mm.

    Raises
    ------
    ConfigurationError
        If they are not three numbers each.
    """
    coordinates = values.values(contour, "ContourData")
    if not coordinates or len(coordinates) % 3:
        raise ConfigurationError(f"has {len(coordinates)} coordinates, not three for each point")
    try:
        points = np.array(coordinates, np.float64).reshape(-1, 3)
    except (TypeError, ValueError) as exc:
        raise ConfigurationError("has a coordinate that is not a number") from exc
    if not np.isfinite(points).all():
        raise ConfigurationError("has a coordinate that is not a finite number")
    return points


def _images(contour: Dataset) -> list[str]:
    return [
        values.text(image, "ReferencedSOPInstanceUID")
        for image in contour.get("ContourImageSequence") or ()
    ]
