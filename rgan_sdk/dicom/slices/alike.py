"""Headers of slices, gathered by what they have in common."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import fields
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from rgan_sdk.dicom.header import SliceHeader
from rgan_sdk.dicom.slices.table import PLACE, stamp_of
from rgan_sdk.dicom.stamp import Stamp

_OWN: Final = {"path", "stamp", "sop_instance_uid", "origin", "dataset"}
_COMMON: Final = tuple(each.name for each in fields(SliceHeader) if each.name not in _OWN)


class AlikeSlices:
    """Slices whose headers differ in nothing but file, SOPInstanceUID and position.

    Attributes
    ----------
    header
        Of one of them: what it says besides holds for all.
    paths, sop_instance_uids
        Of each.
    places
        Of each, packed as ``PLACE``.
    datasets
        Of slices in memory; empty where the slices are files.
    """

    def __init__(self, header: SliceHeader) -> None:
        self.header = header
        self.paths: list[str] = []
        self.sop_instance_uids: list[str] = []
        self.places = bytearray()
        self.datasets: list[Dataset | None] = []

    def add(self, header: SliceHeader) -> None:
        """Add a slice, which has everything in common with the others."""
        self.paths.append(str(header.path))
        self.sop_instance_uids.append(header.sop_instance_uid)
        self.places += np.array((header.origin, *header.stamp), PLACE).tobytes()
        if header.dataset is not None:
            self.datasets.append(header.dataset)

    def unpack(self) -> NDArray[np.void]:
        """Return ``places`` as an array ``[N]`` of dtype ``PLACE``."""
        return np.frombuffer(bytes(self.places), PLACE)

    def stamp(self, index: int) -> Stamp:
        """Return the stamp of one of the files."""
        start = index * PLACE.itemsize
        return stamp_of(np.frombuffer(self.places[start : start + PLACE.itemsize], PLACE)[0])

    def drop(self, indices: Iterable[int]) -> None:
        """Take some of the slices out."""
        dropped = set(indices)
        kept = [index for index in range(len(self)) if index not in dropped]
        self.places = bytearray(self.unpack()[kept].tobytes())
        self.paths = [self.paths[index] for index in kept]
        self.sop_instance_uids = [self.sop_instance_uids[index] for index in kept]

    def __len__(self) -> int:
        return len(self.paths)


def common_values(header: SliceHeader) -> Hashable:
    """Return what two headers must have in common to be alike."""
    return tuple(getattr(header, name) for name in _COMMON)


def gather(headers: Iterable[SliceHeader]) -> list[AlikeSlices]:
    """Return headers by what they have in common."""
    found: dict[Hashable, AlikeSlices] = {}
    for header in headers:
        found.setdefault(common_values(header), AlikeSlices(header)).add(header)
    return list(found.values())
