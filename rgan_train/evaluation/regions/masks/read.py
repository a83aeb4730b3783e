"""Masks of structures on the grid of a series, from the formats that research uses."""

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
    """A structure.

    Attributes
    ----------
    voxels
        ``[N, H, W]``, whether a pixel belongs to it, in the order of ``Series.slices``.
    """

    name: str
    voxels: NDArray[np.bool_]


def read_masks(path: Path, series: Series) -> list[Mask]:
    """Read the structures of a file: a label map (NIfTI, NRRD), DICOM SEG or RTSTRUCT.

    Label maps are known by the file's ending, DICOM by its content. Masks are matched to the
    slices by where they lie in the patient, whatever order they are stored in, and are never
    resampled.

    Returns
    -------
    list of Mask
        With distinct names, at least one with pixels; see ``empty_names`` for the others. Each
        has a byte for every pixel of the series.

    Raises
    ------
    ConfigurationError
        If the file cannot be read or marks nothing, or if its grid is not that of the series:
        another matrix, pixel spacing, orientation, or a slice that is not in the series. They
        may differ by a quarter of a pixel, and of the distance between slices.
    """
    found = _read(path, series)
    if not any(voxels.any() for _, voxels in found):
        names = f" ({', '.join(name for name, _ in found)})" if found else ""
        raise ConfigurationError(f"{path}: marks no pixel of the series{names}; give another mask")
    return list(_distinct(found))


def empty_names(masks: Iterable[Mask]) -> list[str]:
    """Return the names of structures without a pixel, which no region comes from."""
    return [mask.name for mask in masks if not mask.voxels.any()]


def mask_rois(masks: Iterable[Mask], slices: Sequence[int]) -> list[Roi]:
    """Return a region for each structure and each slice that has pixels of it.

    Parameters
    ----------
    slices
        Numbers of those slices of the series that the stack holds, in its order.

    Returns
    -------
    list of Roi
        By structure, then by slice; the group is the structure's name.
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


def _distinct(found: Iterable[tuple[str, NDArray[np.bool_]]]) -> Iterator[Mask]:
    """Give a number to names that come again."""
    seen: Counter[str] = Counter()
    for name, voxels in found:
        seen[name] += 1
        yield Mask(name if seen[name] == 1 else f"{name} ({seen[name]})", voxels)
