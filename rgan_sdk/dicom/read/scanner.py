"""Read the headers of many files: with the native reader where possible, else with pydicom."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from pydicom.uid import CTImageStorage

from rgan_sdk import _core
from rgan_sdk.cores import look_ahead, usable_cores
from rgan_sdk.dicom import reconstruction
from rgan_sdk.dicom.header import NOT_SLICES, SliceHeader, are_orthonormal, pseudonym, read_header
from rgan_sdk.dicom.read import origin
from rgan_sdk.dicom.slices.alike import AlikeSlices, common_values
from rgan_sdk.dicom.stamp import Stamp
from rgan_sdk.dicom.values import UID_PATTERN
from rgan_sdk.errors import DicomError
from rgan_sdk.kernels import kernel_name

FEWEST, MOST = 64, 1024  # files that are read at a time
BRISK_SECONDS: Final = 0.05

_SOP_INSTANCE_UID: Final = 0x00080018
_FROM_UUID: Final = "2.25."
_COMMON_TAGS: Final = sorted({*reconstruction.TAGS, *origin.TAGS} - {_SOP_INSTANCE_UID})

Heads = tuple[list[str], list[_core.Head]]


class HeaderScan:
    """The headers of many files, gathered by what they have in common.

    The files are read in parallel. Most slices of a series say the same in all that is asked of
    a header but UID and position, so that it is looked at once.

    Parameters
    ----------
    include_own
        As for ``read_header``.

    Attributes
    ----------
    found
        The slices that were read so far.
    """

    def __init__(self, *, include_own: bool = False) -> None:
        self.found: list[AlikeSlices] = []
        self._include_own = include_own
        self._by_head: dict[bytes, AlikeSlices | None] = {}
        self._by_values: dict[Hashable, AlikeSlices] = {}

    def read(
        self, paths: Iterable[str], on_files: Callable[[int], None] | None = None
    ) -> Iterator[tuple[str, DicomError]]:
        """Read the headers of files.

        Parameters
        ----------
        on_files
            Is called now and then with how many files were examined since.

        Yields
        ------
        path, error
            A file that is no slice to harmonize, and what ``read_header`` raises for it.
        """
        for names, heads in _scan_ahead(paths):
            start = 0
            for count, places, uids in _core.split_alike(heads):
                alike = self._find_alike(names[start], heads[start])
                if alike is None or not uids or any(map(_is_own_uid, uids)):
                    for index in range(start, start + count):
                        yield from self._read_slowly(names[index])
                else:
                    alike.paths += names[start : start + count]
                    alike.sop_instance_uids += uids
                    alike.places += places
                start += count
            if on_files is not None:
                on_files(len(names))

    def _find_alike(self, path: str, head: _core.Head) -> AlikeSlices | None:
        """Return the slices that a head is alike with; None if it takes the slow reader."""
        if head.common not in self._by_head:
            self._by_head[head.common] = self._begin(path, head)
        return self._by_head[head.common]

    def _begin(self, path: str, head: _core.Head) -> AlikeSlices | None:
        """Return the slices that begin with a head, but without it."""
        if not _is_plain(head):
            return None
        found = dict(head.values(_COMMON_TAGS))
        if reconstruction.SEQUENCE in found or origin.is_own(found):
            return None
        alike = AlikeSlices(_from_head(Path(path), head, reconstruction.describe(found)))
        self.found.append(alike)
        return alike

    def _read_slowly(self, path: str) -> Iterator[tuple[str, DicomError]]:
        """Read a header with what looks into sequences, and says why a file is no plain slice."""
        try:
            header = read_header(Path(path), include_own=self._include_own)
        except DicomError as error:
            yield path, error
            return
        values = common_values(header)
        if values not in self._by_values:
            self._by_values[values] = AlikeSlices(header)
            self.found.append(self._by_values[values])
        self._by_values[values].add(header)


def _scan_ahead(paths: Iterable[str]) -> Iterator[Heads]:
    """Yield files with their heads; while the caller looks at some, the next ones are read."""
    pool = _core.ThreadPool(usable_cores())

    def scan(names: list[str]) -> list[_core.Head]:
        return _core.scan([os.fsencode(name) for name in names], pool, _COMMON_TAGS)

    yield from look_ahead(_deal(iter(paths)), scan)


def _deal(paths: Iterator[str]) -> Iterator[list[str]]:
    """Deal paths into lists: more at a time while that goes fast, so that callers hear of it."""
    count = FEWEST
    while names := list(islice(paths, count)):
        start = time.monotonic()
        yield names
        is_brisk = time.monotonic() - start < BRISK_SECONDS
        count = min(2 * count, MOST) if is_brisk else max(count // 2, FEWEST)


def _is_own_uid(uid: str) -> bool:
    return uid.startswith(_FROM_UUID) and origin.is_own({_SOP_INSTANCE_UID: uid.encode()})


def _is_plain(head: _core.Head) -> bool:
    if head.problem is not None:
        return False
    uids = (head.series_instance_uid, head.study_instance_uid)
    return (
        head.sop_class_uid == CTImageStorage
        and head.modality in ("", "CT")
        and head.photometric_interpretation[:10] in ("", "MONOCHROME")
        and not any(term.strip() in NOT_SLICES for term in head.image_type.split("\\")[2:])
        and all(len(uid) <= 64 and UID_PATTERN.fullmatch(uid) for uid in uids)
        and min(head.pixel_spacing) > 0
        and are_orthonormal(tuple(head.orientation))
    )


def _from_head(path: Path, head: _core.Head, reconstructed: str | None) -> SliceHeader:
    return SliceHeader(
        path=path,
        stamp=Stamp(*head.stamp),
        sop_instance_uid=head.sop_instance_uid,
        series_instance_uid=head.series_instance_uid,
        study_instance_uid=head.study_instance_uid,
        frame_of_reference_uid=head.frame_of_reference_uid,
        patient=pseudonym(head.patient_id or head.study_instance_uid),
        manufacturer=head.manufacturer,
        convolution_kernel=kernel_name(head.convolution_kernel) or None,
        rows=head.rows,
        columns=head.columns,
        pixel_spacing=tuple(head.pixel_spacing),
        slice_thickness=head.slice_thickness,
        orientation=tuple(head.orientation),
        origin=tuple(head.position),
        reconstruction=reconstructed,
        rescale_type=head.rescale_type,
        image_type=tuple(
            term.strip().upper() for term in head.image_type.split("\\") if head.image_type
        ),
    )
