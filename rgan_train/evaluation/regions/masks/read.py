"""Masks of structures on the grid of a series, from all formats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rgan_sdk.errors import ConfigurationError, DicomError, IneligibleError
from rgan_train.evaluation.regions.masks.mask import Mask, StructureChoice
from rgan_train.evaluation.regions.rois import Roi

if TYPE_CHECKING:
    from rgan_sdk.dicom.series import Series


def read_masks(
    path: Path,
    series: Series,
    choice: StructureChoice | None = None,
    seen: Counter[str] | None = None,
) -> list[Mask]:
    """Read the structures of a file: label map, DICOM SEG, RTSTRUCT or XML of LIDC.

    Label maps (NIfTI, NRRD, MetaImage) and XML are recognised by the ending of the file name, DICOM
    by its content. Masks are assigned to slices by their position in the patient, whatever order
    they are stored in. They are never resampled.

    Parameters
    ----------
    choice
        The structures that are wanted; None for all.
    seen
        How often each name was in the files before, to which those of this file are added; None
        if names may come again from file to file.

    Returns
    -------
    list of Mask
        Names are distinct, also from those in ``seen``: one that occurs again gets a number. It is
        empty if no structure is wanted, otherwise at least one mask has pixels; ``empty_names``
        returns those that have none. Each mask takes one byte for every pixel of the series.

    Raises
    ------
    ConfigurationError
        If the file cannot be read or marks nothing, or if its grid is not that of the series: it
        has another pixel spacing or orientation, pixels beside those of the series, or marked
        pixels where the series has none. Deviations up to a quarter of a pixel, and of the distance
        between slices, are accepted.
    """
    choice = choice or StructureChoice()
    seen = Counter() if seen is None else seen
    with _name_file(path):
        masks = [
            replace(mask, name=name)
            for mask in _read(path, series)
            if choice.takes(name := _make_distinct(mask.name, seen), mask.name)
        ]
        if not any(mask.voxels.any() for mask in masks) and (masks or not choice.names):
            names = f" ({', '.join(mask.name for mask in masks)})" if masks else ""
            notes = "".join(f"; {mask.name}: {note}" for mask in masks for note in mask.notes)
            raise ConfigurationError(
                f"marks no pixel of the series{names}{notes}; give another mask"
            )
    return masks


def empty_names(masks: Iterable[Mask]) -> list[str]:
    """Return the names of structures without pixels, which give no regions."""
    return [mask.name for mask in masks if not mask.voxels.any()]


def mask_rois(masks: Iterable[Mask], slices: Sequence[int]) -> list[Roi]:
    """Return a region for each structure and each slice on which it has pixels.

    Parameters
    ----------
    slices
        Which slices of the series the stack holds, in the order of the stack.

    Returns
    -------
    list of Roi
        By structure, then by slice. The group is the name of the structure.
    """
    return [
        Roi(mask.name, index, mask.voxels[number])
        for mask in masks
        for index, number in enumerate(slices)
        if mask.voxels[number].any()
    ]


def _read(path: Path, series: Series) -> Iterator[Mask]:
    from rgan_train.evaluation.regions.masks.dicom import read_dicom_masks
    from rgan_train.evaluation.regions.masks.grid import SeriesGrid
    from rgan_train.evaluation.regions.masks.labels import ENDINGS, read_labels
    from rgan_train.evaluation.regions.masks.lidc import ENDING, read_nodules

    grid = SeriesGrid(series)
    if path.name.lower().endswith(ENDINGS):
        return read_labels(path, grid)
    if path.name.lower().endswith(ENDING):
        return read_nodules(path, grid)
    return read_dicom_masks(path, grid)


@contextmanager
def _name_file(path: Path) -> Iterator[None]:
    """Put the path in front of the messages of errors."""
    from rgan_train.evaluation.regions.masks.labels import ENDINGS

    try:
        yield
    except IneligibleError as exc:
        raise ConfigurationError(
            f"{path}: {exc}; a mask is a label map ({', '.join(ENDINGS)}), a DICOM Segmentation, "
            "an RT Structure Set or XML of LIDC"
        ) from exc
    except (ConfigurationError, DicomError) as exc:
        raise ConfigurationError(f"{path}: {exc}") from exc


def _make_distinct(name: str, seen: Counter[str]) -> str:
    """Return a name that has not occurred, by a number if need be, and count it."""
    seen[name] += 1
    return name if seen[name] == 1 else _make_distinct(f"{name} ({seen[name]})", seen)
