"""Lung density of whole series."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.geometry import describe_uneven_distances
from rgan_sdk.errors import OutputError
from rgan_train.evaluation.lungs.density import LungDensity, measure_density
from rgan_train.evaluation.lungs.mask import LungMask, find_lungs, slice_distance
from rgan_train.evaluation.lungs.picture import draw_lungs
from rgan_train.evaluation.lungs.protocol import off_protocol
from rgan_train.evaluation.regions.masks.mask import StructureChoice
from rgan_train.evaluation.regions.masks.read import read_masks
from rgan_train.evaluation.stacks import read_with_padding

if TYPE_CHECKING:
    from rgan_sdk.dicom.series import Series


@dataclass(frozen=True)
class GivenMask:
    """A file with the lungs, instead of those that would be found.

    Attributes
    ----------
    path
        See ``read_masks``.
    structures
        Names of those of its structures that are the lungs; none for all of them.
    """

    path: Path
    structures: tuple[str, ...] = ()


@dataclass(frozen=True)
class SeriesLungs:
    """Lung density of one series.

    Attributes
    ----------
    volume_ml
        Of the lungs.
    off_protocol
        In what the series is off the protocol of lung density.
    notes
        What the reader must know about the slices and the mask.
    """

    density: LungDensity
    volume_ml: float
    off_protocol: tuple[str, ...]
    notes: tuple[str, ...]


def measure_series(
    series: Series, given: GivenMask | None = None, picture: Path | None = None
) -> SeriesLungs:
    """Measure the density of the lungs of a series.

    Parameters
    ----------
    given
        The lungs; None to find them. A given mask is taken as it is, airways and all, but without
        padding.
    picture
        PNG file to write, which shows the mask.

    Raises
    ------
    ConfigurationError
        If the given mask cannot be read, or lies on another grid.
    MeasurementError
        If no lung is found.
    DicomError
        If a slice cannot be read.
    OutputError
        If the picture cannot be written.
    """
    from rgan_sdk.dicom.read.acquisition import read_acquisitions

    hu, padding = read_with_padding(series, series.slices)
    distance = slice_distance([file.position for file in series.slices], series.slice_thickness)
    pixel_mm = series.pixel_spacing[0], series.pixel_spacing[1]
    lungs = (
        find_lungs(hu, pixel_mm, series.orientation, padding)
        if given is None
        else _read_mask(given, series, padding)
    )
    density = measure_density(hu[lungs.voxels], float(hu[~padding].min(initial=np.inf)))
    if picture is not None:
        _write_picture(picture, draw_lungs(hu, lungs))
    return SeriesLungs(
        density,
        np.count_nonzero(lungs.voxels) * distance * pixel_mm[0] * pixel_mm[1] / 1000,
        off_protocol(read_acquisitions(series)),
        (*_note_uneven_distances(series, distance), *lungs.notes),
    )


def _note_uneven_distances(series: Series, distance: float) -> tuple[str, ...]:
    if not (uneven := describe_uneven_distances(series)):
        return ()
    return (
        f"{uneven}: the volume counts {distance:.2f} mm for each, and lung where slices are "
        "missing is not measured; give the whole series",
    )


def _read_mask(given: GivenMask, series: Series, padding: NDArray[np.bool_]) -> LungMask:
    choice = StructureChoice(given.structures)
    masks = read_masks(given.path, series, choice)
    choice.check_found()
    lungs = np.any([mask.voxels for mask in masks], axis=0) & ~padding
    notes = tuple(f"{mask.name}: {note}" for mask in masks for note in mask.notes)
    return LungMask(lungs, np.zeros_like(lungs), notes)


def _write_picture(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as exc:
        raise OutputError(f"{path}: the picture cannot be written ({exc.strerror})") from exc
