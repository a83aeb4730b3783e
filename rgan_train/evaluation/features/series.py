"""Features of the structures of whole series, kept on disk as far as they are computed."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.geometry import TOLERANCE_MM
from rgan_sdk.dicom.read.padding import fill_padding
from rgan_sdk.errors import MeasurementError, OutputError
from rgan_sdk.files import atomic_write
from rgan_train.evaluation.lungs.mask import slice_distance
from rgan_train.evaluation.regions.masks.mask import Mask, StructureChoice
from rgan_train.evaluation.regions.masks.read import read_masks
from rgan_train.evaluation.stacks import read_with_padding

if TYPE_CHECKING:
    from rgan_sdk.dicom.series import Series

UNEVEN: Final = 0.01
"""Part of the distance between slices by which a slice may lie off its even place."""


@dataclass(frozen=True)
class Volume:
    """A series in memory.

    Attributes
    ----------
    hu, padding
        ``[N, H, W]`` HU, and true for padding, which has the HU of the image next to it.
    spacing
        Mm between slices, rows, columns.
    is_own
        Whether this project made the series.
    """

    hu: NDArray[np.float32]
    padding: NDArray[np.bool_]
    spacing: tuple[float, float, float]
    is_own: bool


@dataclass(frozen=True)
class StructureFeatures:
    """The features of one structure, or why there are none.

    Attributes
    ----------
    name
        Of the structure.
    voxels
        How many it has, padding left out.
    values
        By the names of pyradiomics; empty if it failed.
    reason
        Why it failed.
    """

    name: str
    voxels: int
    values: dict[str, float]
    reason: str = ""


class StructureExtractor(Protocol):
    """Computes one set of features of structures."""

    @property
    def description(self) -> dict[str, Any]:
        """Everything that the values depend on, except image and mask; JSON data."""

    @property
    def sha256(self) -> str:
        """SHA-256 of ``description``, hexadecimal."""

    def extract(
        self,
        hu: NDArray[np.float32],
        spacing: tuple[float, float, float],
        masks: Sequence[NDArray[np.bool_]],
    ) -> list[dict[str, float] | MeasurementError]:
        """Return for each mask ``[N, H, W]`` its features, or why it has none."""


def read_volume(series: Series, *, needs_even: bool = True) -> Volume:
    """Read all slices of a series, with padding filled as an evaluation fills it.

    Parameters
    ----------
    needs_even
        Whether the slices must lie at even distances; single slices need not.

    Raises
    ------
    MeasurementError
        If several slices lie at one position, or slices are missing between others and must not.
    DicomError
        If a slice cannot be read.
    """
    from rgan_sdk.dicom.read.origin import own_object
    from rgan_sdk.dicom.read.pydicom_reader import read_slice

    positions = [file.position for file in series.slices]
    distance = slice_distance(positions, series.slice_thickness)
    if needs_even and len(positions) > 1:
        distance = _even_distance(positions)
    hu, padding = read_with_padding(series, series.slices)
    _fill(hu, padding)
    first = series.slices[0]
    is_own = bool(own_object(read_slice(first.path, first.stamp).dataset))
    rows, columns = series.pixel_spacing
    return Volume(hu, padding, (distance, rows, columns), is_own)


def _even_distance(positions: Sequence[float]) -> float:
    """Return the mean distance of slices in mm; raise where they are uneven.

    Each is held to its place on an even grid, and not to its neighbours, as headers round
    positions: 0.625 mm in two decimals are gaps of 0.62 and 0.63 mm.
    """
    even, distance = np.linspace(positions[0], positions[-1], len(positions), retstep=True)
    if np.abs(positions - even).max() > max(UNEVEN * distance, TOLERANCE_MM):
        gaps = np.diff(positions)
        raise MeasurementError(
            f"slices are {gaps.min():.2f} to {gaps.max():.2f} mm apart, and features of a volume "
            "need even distances; give a series without gaps, or take --dimensions slice"
        )
    return float(distance)


def _fill(hu: NDArray[np.float32], padding: NDArray[np.bool_]) -> None:
    """Fill padding in place; a slice without image becomes the nearest one that has some."""
    for image, outside in zip(hu, padding, strict=True):
        image[:] = fill_padding(image, outside)
    is_empty = padding.all(axis=(1, 2))
    known = np.flatnonzero(~is_empty)
    if len(known):
        for number in np.flatnonzero(is_empty):
            hu[number] = hu[known[np.abs(known - number).argmin()]]


def find_structures(
    paths: Sequence[Path], structures: Sequence[str], series: Series, padding: NDArray[np.bool_]
) -> list[Mask]:
    """Read the wanted structures of all mask files, without padding.

    Names are distinct over all files: one that occurs again, in the order of the files, gets a
    number.

    Raises
    ------
    ConfigurationError
        If a file cannot be read or is not on the grid of the series, or none has a structure.
    """
    choice = StructureChoice(structures)
    seen: Counter[str] = Counter()
    found = [mask for path in paths for mask in read_masks(path, series, choice, seen)]
    choice.check_found()
    return [replace(mask, voxels=mask.voxels & ~padding) for mask in found]


def compute_structures(
    volume: Volume,
    masks: Sequence[Mask],
    extractor: StructureExtractor,
    cache: Path,
    on_done: Callable[[int], None] = lambda count: None,
) -> list[StructureFeatures]:
    """Compute the features of all structures, or take them from the cache.

    Parameters
    ----------
    cache
        Folder; created if it does not exist. The name of a file is a hash of everything that its
        values depend on.
    on_done
        Called with the number of structures that are done, first with those in the cache.

    Raises
    ------
    OutputError
        If the cache cannot be written.
    """
    keys = list(_keys(volume, masks, extractor))
    paths = [cache / f"{key}.json" for key in keys]
    missing = [number for number, path in enumerate(paths) if not path.exists()]
    on_done(len(masks) - len(missing))
    computed = extractor.extract(
        volume.hu, volume.spacing, [masks[number].voxels for number in missing]
    )
    for number, values in zip(missing, computed, strict=True):
        entry = {"reason": str(values)} if isinstance(values, MeasurementError) else values
        _save(paths[number], entry)
    on_done(len(missing))
    return [_load(mask, path) for mask, path in zip(masks, paths, strict=True)]


def _keys(volume: Volume, masks: Sequence[Mask], extractor: StructureExtractor) -> Iterator[str]:
    common = hashlib.sha256(extractor.sha256.encode())
    common.update(repr((volume.hu.shape, volume.spacing)).encode())
    common.update(np.ascontiguousarray(volume.hu).tobytes())
    for mask in masks:
        own = common.copy()
        own.update(np.packbits(mask.voxels).tobytes())
        yield own.hexdigest()


def _save(path: Path, entry: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(entry), encoding="utf-8")
    except OSError as exc:
        raise OutputError(f"{path}: cannot be written ({exc.strerror})") from exc


def _load(mask: Mask, path: Path) -> StructureFeatures:
    values = json.loads(path.read_text(encoding="utf-8"))
    reason = values.pop("reason", "")
    return StructureFeatures(mask.name, int(np.count_nonzero(mask.voxels)), values, reason)
