"""The slices of a series, as texts and numbers: their objects are made when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self, overload

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from rgan_sdk.dicom.header import Vector
from rgan_sdk.dicom.read.pydicom_reader import PydicomSlice, convert_dataset, read_slice
from rgan_sdk.dicom.stamp import Stamp

PLACE: Final = np.dtype(
    [("origin", "f8", 3), ("size", "i8"), ("modified_ns", "i8"), ("inode", "u8")]
)
"""ImagePositionPatient, mm, and the stamp of the file, as ``_core.Head.place`` packs them."""


def stamp_of(place: np.void) -> Stamp:
    """Return the stamp that a value of dtype ``PLACE`` holds."""
    return Stamp(int(place["size"]), int(place["modified_ns"]), int(place["inode"]))


@dataclass(frozen=True)
class SliceFile:
    """One file of a series.

    Attributes
    ----------
    position
        mm along the slice normal of the series.
    origin
        ImagePositionPatient: x, y, z of the centre of the first pixel, mm.
    stamp
        Of the file before its header was read.
    dataset
        As in ``SliceHeader``.
    """

    path: Path
    sop_instance_uid: str
    position: float
    origin: Vector
    rows: int
    columns: int
    stamp: Stamp
    dataset: Dataset | None = field(default=None, repr=False, compare=False)

    def read(self) -> PydicomSlice:
        """Read the slice through pydicom, or raise as ``read_slice`` does."""
        if self.dataset is None:
            return read_slice(self.path, self.stamp)
        return convert_dataset(self.dataset, self.path)


class SliceTable(Sequence[SliceFile]):
    """The slices of a series. Each ``SliceFile`` is made anew, so compare with ``==``, not ``is``.

    Parameters
    ----------
    paths, sop_instance_uids
        Of the files.
    places
        ``[N]`` of dtype ``PLACE``.
    positions
        ``[N]`` float64, mm along the slice normal.
    rows, columns
        Of every slice.
    datasets
        Of slices in memory; empty where the slices are files.
    """

    def __init__(
        self,
        paths: Sequence[str],
        sop_instance_uids: Sequence[str],
        places: NDArray[np.void],
        positions: NDArray[np.float64],
        *,
        rows: int,
        columns: int,
        datasets: Sequence[Dataset | None] = (),
    ) -> None:
        self.paths, self.sop_instance_uids = tuple(paths), tuple(sop_instance_uids)
        self.positions = positions
        self._places, self._datasets = places, tuple(datasets)
        self._shape = rows, columns

    @classmethod
    def of(cls, files: Iterable[SliceFile]) -> Self:
        """Return the table of slices that are objects already."""
        files = tuple(files)
        rows, columns = (files[0].rows, files[0].columns) if files else (0, 0)
        return cls(
            [str(file.path) for file in files],
            [file.sop_instance_uid for file in files],
            np.array([(file.origin, *file.stamp) for file in files], PLACE),
            np.array([file.position for file in files], np.float64),
            rows=rows,
            columns=columns,
            datasets=[file.dataset for file in files],
        )

    @property
    def sizes(self) -> list[int]:
        """Of the files, bytes."""
        sizes: list[int] = self._places["size"].tolist()
        return sizes

    @property
    def newest_ns(self) -> int:
        """When the file that was modified last was modified, nanoseconds since 1970."""
        return int(self._places["modified_ns"].max())

    @property
    def is_sorted(self) -> bool:
        """Whether they are sorted by position, then by SOPInstanceUID."""
        if (np.diff(self.positions) > 0).all():
            return True
        keys = list(zip(self.positions.tolist(), self.sop_instance_uids, strict=True))
        return keys == sorted(keys)

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> SliceFile: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[SliceFile, ...]: ...

    def __getitem__(self, index: int | slice) -> SliceFile | tuple[SliceFile, ...]:
        if isinstance(index, slice):
            return tuple(self[each] for each in range(*index.indices(len(self))))
        place = self._places[index]
        return SliceFile(
            path=Path(self.paths[index]),
            sop_instance_uid=self.sop_instance_uids[index],
            position=float(self.positions[index]),
            origin=tuple(place["origin"].tolist()),
            rows=self._shape[0],
            columns=self._shape[1],
            stamp=stamp_of(place),
            dataset=self._datasets[index] if self._datasets else None,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SliceTable):
            return NotImplemented
        return (
            (self._shape, self.paths, self.sop_instance_uids)
            == (other._shape, other.paths, other.sop_instance_uids)
            and np.array_equal(self._places, other._places)
            and np.array_equal(self.positions, other.positions)
        )

    def __hash__(self) -> int:
        return hash(self.sop_instance_uids)
