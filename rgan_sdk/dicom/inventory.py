"""Find the CT series under a folder, and account for every other file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rgan_sdk.dicom.discovery import walk
from rgan_sdk.dicom.header import SliceHeader, read_series_uid
from rgan_sdk.dicom.read.scanner import scan_headers
from rgan_sdk.dicom.series import Series, SliceFile, group_slices, slice_normal
from rgan_sdk.dicom.stamp import checksum
from rgan_sdk.errors import DicomError, IneligibleError, InvalidSeriesError

__all__ = [
    "FailedSeries",
    "FileOutcome",
    "Inventory",
    "Series",
    "SliceFile",
    "find_series",
    "slice_normal",
]


@dataclass(frozen=True)
class FileOutcome:
    """A file that will not be harmonized, and why. A folder only if it can't be read."""

    path: Path
    status: Literal["skipped", "failed"]
    reason: str


@dataclass(frozen=True)
class FailedSeries:
    """A series that cannot be harmonized as a whole.

    Attributes
    ----------
    reason
        The first thing that is wrong with it.
    outcomes
        Every file of the series, each ``failed``.
    """

    series_instance_uid: str
    reason: str
    outcomes: tuple[FileOutcome, ...]


@dataclass(frozen=True)
class Inventory:
    """What lies under a folder: each file found is in exactly one of the three."""

    series: tuple[Series, ...]
    failed: tuple[FailedSeries, ...]
    outcomes: tuple[FileOutcome, ...]


def find_series(root: Path, on_file: Callable[[], None] | None = None) -> Inventory:
    """Find all CT series under a folder, by content and not by name.

    Parameters
    ----------
    on_file
        Called after each file has been looked at.

    Returns
    -------
    Inventory
        In an order that depends on nothing but UIDs and paths.

    Raises
    ------
    OSError
        If ``root`` itself cannot be read. Whatever is wrong below it is in the inventory.
    """
    search = _Search(root)
    found = walk(root)
    for path, problem in found:
        if problem is not None:
            search.note(path, problem)
            if on_file is not None:
                on_file()
    for path, header in scan_headers([path for path, problem in found if problem is None], on_file):
        search.note(path, header)
    search.settle_repeated_uids()
    return search.inventory()


class _Search:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._headers: dict[str, list[SliceHeader]] = defaultdict(list)
        self._faults: dict[str, list[FileOutcome]] = defaultdict(list)
        self._outcomes: list[FileOutcome] = []

    def note(self, path: Path, found: SliceHeader | DicomError | OSError) -> None:
        match found:
            case SliceHeader():
                self._headers[found.series_instance_uid].append(found)
            case IneligibleError():
                self._outcomes.append(FileOutcome(path, "skipped", str(found)))
            case DicomError():
                outcome = FileOutcome(path, "failed", str(found))
                series = read_series_uid(path)
                (self._outcomes if series is None else self._faults[series]).append(outcome)
            case OSError():
                reason = f"cannot be read: {found.strerror}"
                self._outcomes.append(FileOutcome(path, "failed", reason))

    def settle_repeated_uids(self) -> None:
        """Skip identical copies; fail the series of files that share a UID and differ."""
        by_uid: dict[str, list[SliceHeader]] = defaultdict(list)
        for header in _in_path_order(self._headers):
            by_uid[header.sop_instance_uid].append(header)
        for uid, headers in by_uid.items():
            if len(headers) == 1:
                continue
            kept: dict[str, SliceHeader] = {}
            for header in headers:
                try:
                    content = checksum(header.path, header.stamp)
                except DicomError as error:
                    self._fail(header, str(error))
                    continue
                first = kept.setdefault(content, header)
                if first is not header:
                    reason = f"identical duplicate of {self._name(first.path)}"
                    self._outcomes.append(FileOutcome(header.path, "skipped", reason))
                    self._headers[header.series_instance_uid].remove(header)
            if len(kept) > 1:
                self._fail_all(uid, list(kept.values()))

    def _fail_all(self, uid: str, headers: list[SliceHeader]) -> None:
        names = " and ".join(self._name(header.path) for header in headers[:2])
        reason = f"SOPInstanceUID {uid} stands for different content in {names}"
        for header in headers:
            self._fail(header, reason)

    def _fail(self, header: SliceHeader, reason: str) -> None:
        series = header.series_instance_uid
        self._faults[series].append(FileOutcome(header.path, "failed", reason))
        self._headers[series].remove(header)

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()

    def inventory(self) -> Inventory:
        series: list[Series] = []
        failed: list[FailedSeries] = []
        for uid in sorted(self._headers.keys() | self._faults.keys()):
            headers = self._headers.get(uid, [])
            faults = self._faults.get(uid, [])
            try:
                if faults:
                    raise InvalidSeriesError(f"{self._name(faults[0].path)}: {faults[0].reason}")
                series += group_slices(headers)
            except InvalidSeriesError as error:
                failed.append(_failed(uid, str(error), headers, faults))
        return Inventory(tuple(series), tuple(failed), tuple(self._outcomes))


def _failed(
    uid: str, reason: str, headers: list[SliceHeader], faults: list[FileOutcome]
) -> FailedSeries:
    rest = [FileOutcome(h.path, "failed", f"its series failed: {reason}") for h in headers]
    outcomes = sorted([*faults, *rest], key=lambda outcome: outcome.path)
    return FailedSeries(uid, reason, tuple(outcomes))


def _in_path_order(headers: dict[str, list[SliceHeader]]) -> list[SliceHeader]:
    return sorted((h for group in headers.values() for h in group), key=lambda h: h.path.parts)
