"""RT Structure Set (PS3.3 A.19): contours around structures, each on one slice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom import values
from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.regions.masks.grid import SeriesGrid
from rgan_train.evaluation.regions.masks.polygons import fill_polygons

if TYPE_CHECKING:
    from pydicom import Dataset

CLOSED: Final = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
"""ContourGeometricType of contours that enclose an area; the others are points and lines."""


def read_structures(dataset: Dataset, grid: SeriesGrid) -> list[tuple[str, NDArray[np.bool_]]]:
    """Return the structures in the order of the file.

    A pixel belongs to a structure if its centre lies inside. A contour inside another contour of
    the same structure is a hole. A structure of points or lines has no pixels.

    Returns
    -------
    list of (name, voxels)
        ROIName, and ``[N, H, W]`` bool on the grid of the series.

    Raises
    ------
    ConfigurationError
        If a contour does not lie on a slice of the series, or has another frame of reference.
    InvalidSeriesError
        If an attribute is missing.
    """
    contours = {
        values.integer(item, "ReferencedROINumber"): item.get("ContourSequence") or ()
        for item in dataset.get("ROIContourSequence") or ()
    }
    structures = []
    for item in dataset.get("StructureSetROISequence") or ():
        number = values.integer(item, "ROINumber")
        name = values.text(item, "ROIName") or f"ROI {number}"
        grid.require_frame_of_reference(values.text(item, "ReferencedFrameOfReferenceUID"))
        structures.append((name, _voxels(name, contours.get(number, ()), grid)))
    return structures


def _voxels(name: str, contours: Iterable[Dataset], grid: SeriesGrid) -> NDArray[np.bool_]:
    polygons: dict[int, list[NDArray[np.float64]]] = defaultdict(list)
    for contour in contours:
        if values.text(contour, "ContourGeometricType") in CLOSED:
            points = _points(name, contour)
            try:
                number = grid.slice_through(points, _images(contour))
            except ConfigurationError as exc:
                raise ConfigurationError(f"a contour of {name} {exc}") from exc
            polygons[number].append(grid.pixels(points, number))
    voxels = np.zeros(grid.shape, np.bool_)
    for number, found in polygons.items():
        voxels[number] = fill_polygons(found, voxels.shape[1:])
    return voxels


def _points(name: str, contour: Dataset) -> NDArray[np.float64]:
    """Return the corners of a contour, ``[P, 3]`` mm."""
    coordinates = np.array(values.values(contour, "ContourData"), np.float64)
    if not coordinates.size or coordinates.size % 3:
        raise ConfigurationError(
            f"a contour of {name} has {coordinates.size} coordinates, not three for each point; "
            "export the structure set again"
        )
    return coordinates.reshape(-1, 3)


def _images(contour: Dataset) -> list[str]:
    return [
        values.text(image, "ReferencedSOPInstanceUID")
        for image in contour.get("ContourImageSequence") or ()
    ]
