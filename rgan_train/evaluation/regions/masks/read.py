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


def read_masks(path: Path, series: Series, choice: StructureChoice | None = None) -> list[Mask]:
    """Read the structures of a file: label map, DICOM SEG, RTSTRUCT or XML of LIDC.

    Label maps (NIfTI, NRRD, MetaImage) and XML are recognised by the ending of the file name, DICOM
    by its content. Masks are assigned to slices by their position in the patient, whatever order
    they are stored in. They are never resampled.

    Parameters
    ----------
    choice
        The structures that are wanted; None for all.

    Returns
    -------
    list of Mask
        Names are distinct. It is empty if no structure is wanted, otherwise at least one mask has
        pixels; ``empty_names`` returns those that have none. Each mask takes one byte for every
        pixel of the series.

    Raises
    ------
    ConfigurationError
        If the file cannot be read or marks nothing, or if its grid is not that of the series: it
        has another pixel spacing or orientation, pixels beside those of the series, or marked
        pixels where the series has none. Deviations up to a quarter of a pixel, and of the distance
        between slices, are accepted.
    """
    choice = choice or StructureChoice()
    with _name_file(path):
        masks = [
            replace(mask, name=name)
            for name, mask in _number_repeated_names(_read(path, series))
            if choice.takes(name, mask.name)
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


def _number_repeated_names(found: Iterable[Mask]) -> Iterator[tuple[str, Mask]]:
    """Yield distinct names and masks: a number is appended to a name that occurs again."""
    seen: Counter[str] = Counter()
    for mask in found:
        seen[mask.name] += 1
        again = seen[mask.name] > 1
        yield f"{mask.name} ({seen[mask.name]})" if again else mask.name, mask
