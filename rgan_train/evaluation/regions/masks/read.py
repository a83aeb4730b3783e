"""Masks of structures on the grid of a series, from all formats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import ConfigurationError, DicomError, IneligibleError
from rgan_train.evaluation.regions.rois import Roi

if TYPE_CHECKING:
    from rgan_sdk.dicom.series import Series


@dataclass(frozen=True)
class Mask:
    """The pixels of one structure.

    Attributes
    ----------
    name
        Name of the structure.
    voxels
        ``[N, H, W]`` bool, in the order of ``Series.slices``.
    """

    name: str
    voxels: NDArray[np.bool_]


def read_masks(path: Path, series: Series) -> list[Mask]:
    """Read the structures of a file: a label map (NIfTI, NRRD), DICOM SEG or RTSTRUCT.

    Label maps are recognised by the ending of the file name, DICOM by its content. Masks are
    assigned to slices by their position in the patient, whatever order they are stored in. They
    are never resampled.

    Returns
    -------
    list of Mask
        Names are distinct. At least one mask has pixels; ``empty_names`` returns those that have
        none. Each mask takes one byte for every pixel of the series.

    Raises
    ------
    ConfigurationError
        If the file cannot be read or marks nothing, or if its grid is not that of the series: it
        has another matrix, pixel spacing or orientation, or a slice that the series does not have.
        Deviations up to a quarter of a pixel, and of the distance between slices, are accepted.
    """
    found = _read(path, series)
    if not any(voxels.any() for _, voxels in found):
        names = f" ({', '.join(name for name, _ in found)})" if found else ""
        raise ConfigurationError(f"{path}: marks no pixel of the series{names}; give another mask")
    return list(_number_repeated_names(found))


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


def _read(path: Path, series: Series) -> list[tuple[str, NDArray[np.bool_]]]:
    from rgan_train.evaluation.regions.masks.dicom import read_dicom_masks
    from rgan_train.evaluation.regions.masks.grid import SeriesGrid
    from rgan_train.evaluation.regions.masks.labels import ENDINGS, read_labels

    grid = SeriesGrid(series)
    try:
        if path.name.lower().endswith(ENDINGS):
            return list(read_labels(path, grid))
        return read_dicom_masks(path, grid)
    except IneligibleError as exc:
        raise ConfigurationError(
            f"{path}: {exc}; a mask is a label map ({', '.join(ENDINGS)}), a DICOM Segmentation "
            "or an RT Structure Set"
        ) from exc
    except (ConfigurationError, DicomError) as exc:
        raise ConfigurationError(f"{path}: {exc}") from exc


def _number_repeated_names(found: Iterable[tuple[str, NDArray[np.bool_]]]) -> Iterator[Mask]:
    """Yield masks with distinct names: a number is appended to a name that occurs again."""
    seen: Counter[str] = Counter()
    for name, voxels in found:
        seen[name] += 1
        yield Mask(name if seen[name] == 1 else f"{name} ({seen[name]})", voxels)
