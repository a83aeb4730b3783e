"""Label maps in NIfTI, NRRD or MetaImage: a voxel's value says which structure it belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.regions.masks.grid import TOLERANCE, Place, Plane, SeriesGrid
from rgan_train.evaluation.regions.masks.mask import Mask
from rgan_train.evaluation.regions.masks.nifti import check_one_place, read_sheared

ENDINGS: Final = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
MAX_LABELS: Final = 1000
"""A file with more different values is an image that was given by mistake."""


def read_labels(path: Path, grid: SeriesGrid) -> Iterator[Mask]:
    """Yield the structures of a label map, in the order of their values.

    Their names are those in the header, otherwise ``label 3``.

    The axes of the map may have any order and direction; its geometry says how they lie in the
    series. The map may cover a part of the series, such as the box around a structure; the rest
    has no voxels. Where it goes beyond the series, nothing may be marked.

    Parameters
    ----------
    path
        Read by SimpleITK. A segmentation of 3D Slicer (``.seg.nrrd``) may have several layers, and
        names in its header.

    Raises
    ------
    ConfigurationError
        If the file cannot be read, is not a label map, or has another grid.
    """
    image = _read(path)
    names = _names(image)
    layers = image.GetNumberOfComponentsPerPixel()
    if layers > 1 and not names:
        raise ConfigurationError(
            f"has {layers} values for each voxel and does not say what they are; give a label map "
            "with one value, or a segmentation of 3D Slicer"
        )
    for layer, labels in enumerate(_layers(image, grid)):
        named = {value for known, value in names if known == layer}
        for value in sorted(named.union(_structure_values(labels))):
            yield Mask(names.get((layer, value), f"label {value}"), labels == value)


def _read(path: Path) -> Any:
    import SimpleITK

    process: Any = SimpleITK.ProcessObject
    warns = process.GetGlobalWarningDisplay()
    process.SetGlobalWarningDisplay(False)  # what matters is said below
    try:
        try:
            image: Any = SimpleITK.ReadImage(str(path))
        except RuntimeError as exc:
            if "orthonormal" not in str(exc):
                raise
            image = read_sheared(path)
    except RuntimeError as exc:
        raise ConfigurationError(
            "SimpleITK cannot read the file; it may be missing or damaged"
        ) from exc
    finally:
        process.SetGlobalWarningDisplay(warns)
    check_one_place(image, path, TOLERANCE)
    if image.GetDimension() != 3:
        raise ConfigurationError(f"has {image.GetDimension()} dimensions, but a label map has 3")
    return image


def _names(image: Any) -> dict[tuple[int, int], str]:
    """Return the names of segments by layer and label value, as 3D Slicer writes them."""
    known = {key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}
    names = {}
    for key, name in known.items():
        segment = key.removesuffix("_Name")
        value, layer = known.get(f"{segment}_LabelValue", ""), known.get(f"{segment}_Layer", "0")
        if segment != key and value.isdecimal() and layer.isdecimal():
            names[int(layer), int(value)] = name
    return names


def _structure_values(labels: NDArray[Any]) -> set[int]:
    """Return the values that stand for structures: all but 0."""
    values = np.unique(labels)
    if not (np.isfinite(values).all() and np.array_equal(values, np.trunc(values))):
        raise ConfigurationError("holds fractions, so it is an image and not a label map")
    if values[0] < 0 or len(values) > MAX_LABELS:
        raise ConfigurationError(
            f"holds {len(values)} values from {values[0]} to {values[-1]}, so it is an "
            "image and not a label map"
        )
    return {int(value) for value in values if value != 0}


def _layers(image: Any, grid: SeriesGrid) -> Iterator[NDArray[Any]]:
    """Return the values of each layer on the grid of the series, ``[N, H, W]``."""
    voxels, origin, steps = _align_axes(image, grid)
    planes = _planes(voxels.shape, origin, steps)
    places = _places(planes, grid)
    for layer in np.moveaxis(voxels, 3, 0):
        labels = np.zeros(grid.shape, voxels.dtype)
        for index, values in enumerate(layer):
            # Beyond the series nothing may be marked: this says that there is no slice.
            place = places.get(index) or (values.any() and grid.place_of(planes[index]))
            if place:
                labels[place.number] = grid.on_slice(values, place)
        yield labels


def _align_axes(
    image: Any, grid: SeriesGrid
) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64]]:
    """Reorder and flip the axes of an image so that they run like those of the series.

    Returns
    -------
    voxels
        ``[slices, rows, columns, layers]``
    origin
        ``[3]`` mm, of the first voxel's centre.
    steps
        ``[3, 3]`` mm, vectors from column to column, from row to row, from slice to slice.
    """
    import SimpleITK

    stored = SimpleITK.GetArrayViewFromImage(image)
    voxels = stored.reshape(*stored.shape[:3], -1).transpose(2, 1, 0, 3)
    origin = np.array(image.GetOrigin())
    steps = np.reshape(image.GetDirection(), (3, 3)).T * np.reshape(image.GetSpacing(), (3, 1))
    cosines = grid.axes @ np.reshape(image.GetDirection(), (3, 3))
    order = np.abs(cosines).argmax(axis=1)
    # Otherwise the map is rotated by about 45 degrees, and is refused later.
    if len(set(order.tolist())) == 3:
        voxels, steps, cosines = voxels.transpose(*order, 3), steps[order], cosines[:, order]
    for axis in np.flatnonzero(np.diag(cosines) < 0).tolist():
        voxels = np.flip(voxels, axis)
        origin = origin + steps[axis] * (voxels.shape[axis] - 1)
        steps[axis] *= -1
    return voxels.transpose(2, 1, 0, 3), origin, steps


def _planes(
    shape: tuple[int, ...], origin: NDArray[np.float64], steps: NDArray[np.float64]
) -> list[Plane]:
    """Return where the slices of a map lie."""
    slices, rows, columns = shape[:3]
    column_step, row_step, slice_step = steps
    between_rows, between_columns = np.linalg.norm(row_step), np.linalg.norm(column_step)
    orientation = *(column_step / between_columns), *(row_step / between_rows)
    spacing = float(between_rows), float(between_columns)
    return [
        Plane(rows, columns, spacing, orientation, tuple(first))
        for first in origin + np.outer(np.arange(slices), slice_step)
    ]


def _places(planes: Sequence[Plane], grid: SeriesGrid) -> dict[int, Place]:
    """Return the places of all planes that do not lie beyond the ends of the series."""
    places = {
        index: grid.place_of(plane) for index, plane in enumerate(planes) if grid.reaches(plane)
    }
    numbers = [place.number for place in places.values()]
    if numbers and numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        distance = np.linalg.norm(np.subtract(planes[1].origin, planes[0].origin))
        raise ConfigurationError(
            f"its slices are {distance:.6g} mm apart, farther than those of the series; resample "
            "the mask to the CT with nearest neighbours"
        )
    return places
