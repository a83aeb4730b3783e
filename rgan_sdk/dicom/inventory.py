"""Find the CT series under a folder, and give a reason for every file that belongs to none."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rgan_sdk.dicom.discovery import Entry, walk
from rgan_sdk.dicom.header import NoRescaleError, Outline, SliceHeader, read_series_uid
from rgan_sdk.dicom.read.duplicates import Copies
from rgan_sdk.dicom.read.pixels import UNSPECIFIED
from rgan_sdk.dicom.read.scanner import scan_headers
from rgan_sdk.dicom.scouts import REASON, is_scout
from rgan_sdk.dicom.series import Series, group_slices
from rgan_sdk.dicom.units import require_hu
from rgan_sdk.errors import DicomError, IneligibleError, InvalidSeriesError


@dataclass(frozen=True)
class FileOutcome:
    """A file that will not be harmonized, and why; or a folder that cannot be read."""

    path: Path
    status: Literal["skipped", "failed"]
    reason: str


@dataclass(frozen=True)
class FailedSeries:
    """A series that cannot be harmonized as a whole.

    Attributes
    ----------
    reason
        The first problem that was found.
    outcomes
        All files of the series, each with the status ``failed``.
    """

    series_instance_uid: str
    reason: str
    outcomes: tuple[FileOutcome, ...]


@dataclass(frozen=True)
class Inventory:
    """All files under a folder. Each is in exactly one of the three attributes.

    Attributes
    ----------
    series
        What can be harmonized.
    failed
        Series that should be harmonized, but cannot.
    outcomes
        Files that belong to no series.
    """

    series: tuple[Series, ...]
    failed: tuple[FailedSeries, ...]
    outcomes: tuple[FileOutcome, ...]

    def explain_empty(self) -> str:
        """Say that there is no series, and the most frequent reason why files belong to none."""
        reasons = Counter(outcome.reason for outcome in self.outcomes)
        if not reasons:
            return "no CT series"
        reason, count = reasons.most_common(1)[0]
        return f"no CT series ({count} of {reasons.total()} files: {reason})"


def find_series(
    root: Path,
    on_file: Callable[[], None] | None = None,
    *,
    assume_hu: bool = False,
    include_own: bool = False,
) -> Inventory:
    """Find all CT series under a folder, by content and not by name.

    Parameters
    ----------
    root
        Searched to any depth.
    on_file
        Called for each file once it has been examined.
    assume_hu
        Take numbers of RescaleType US (unspecified) as HU without looking at them.
    include_own
        Take series that this project wrote too: to measure them, never to harmonize them again.

    Returns
    -------
    Inventory
        Its order depends only on UIDs and paths.

    Raises
    ------
    OSError
        If ``root`` itself cannot be read. Problems below it are part of the inventory.
    """
    return sort_files(root, walk(root), on_file, assume_hu=assume_hu, include_own=include_own)


def sort_files(
    root: Path,
    found: Iterable[Entry],
    on_file: Callable[[], None] | None = None,
    *,
    assume_hu: bool = False,
    include_own: bool = False,
) -> Inventory:
    """Sort files into CT series, as ``find_series`` does with all that it finds.

    Parameters
    ----------
    root
        The folder that names in messages are relative to.
    found
        What ``walk`` lists, in its order.
    on_file, assume_hu, include_own
        As for ``find_series``.
    """
    search = _Search(root, assume_hu=assume_hu)
    found = list(found)
    for path, problem in found:
        if problem is not None:
            search.note(path, problem)
            if on_file is not None:
                on_file()
    readable = [path for path, problem in found if problem is None]
    for path, header in scan_headers(readable, on_file, include_own=include_own):
        search.note(path, header)
    search.resolve_repeated_uids()
    search.skip_scouts()
    return search.inventory()


class _Search:
    """What has been found so far. Headers and faults are kept by SeriesInstanceUID."""

    def __init__(self, root: Path, *, assume_hu: bool) -> None:
        self._root, self._assume_hu = root, assume_hu
        self._headers: dict[str, list[SliceHeader]] = defaultdict(list)
        self._faults: dict[str, list[FileOutcome]] = defaultdict(list)
        self._unscaled: dict[str, list[tuple[Path, Outline]]] = defaultdict(list)
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
                if isinstance(found, NoRescaleError) and series is not None:
                    self._unscaled[series].append((path, found.outline))
                (self._outcomes if series is None else self._faults[series]).append(outcome)
            case OSError():
                reason = f"cannot be read: {found.strerror}"
                self._outcomes.append(FileOutcome(path, "failed", reason))

    def resolve_repeated_uids(self) -> None:
        """Skip copies; fail every series with files of different content of one SOPInstanceUID."""
        by_uid: dict[str, list[SliceHeader]] = defaultdict(list)
        for header in _sort_by_path(self._headers):
            by_uid[header.sop_instance_uid].append(header)
        for uid, headers in by_uid.items():
            if len(headers) > 1:
                self._resolve(uid, headers)

    def _resolve(self, uid: str, headers: list[SliceHeader]) -> None:
        copies = Copies()
        kept = []
        for header in headers:
            try:
                first = copies.add(header.path, header.stamp)
            except DicomError as error:
                self._fail(header, str(error))
                continue
            if first is None:
                kept.append(header)
                continue
            original, kind = first
            reason = f"{kind} of {self._name(original)}"
            self._outcomes.append(FileOutcome(header.path, "skipped", reason))
            self._headers[header.series_instance_uid].remove(header)
        if len(kept) > 1:
            names = " and ".join(self._name(header.path) for header in kept[:2])
            reason = (
                f"SOPInstanceUID {uid} stands for different content in {names}; what differs: "
                f"{copies.difference}"
            )
            for header in kept:
                self._fail(header, reason)

    def skip_scouts(self) -> None:
        """Skip images without any rescale that are no slices of the series they are filed in."""
        for series, unscaled in self._unscaled.items():
            slices = self._headers.get(series, ())
            scouts = {path for path, outline in unscaled if is_scout(outline, slices)}
            self._outcomes += [FileOutcome(path, "skipped", REASON) for path in sorted(scouts)]
            self._faults[series] = [f for f in self._faults[series] if f.path not in scouts]

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
                series += make_series(headers, assume_hu=self._assume_hu)
            except DicomError as error:
                failed.append(_failed_series(uid, str(error), headers, faults))
        return Inventory(tuple(series), tuple(failed), tuple(self._outcomes))


def make_series(headers: Sequence[SliceHeader], *, assume_hu: bool) -> list[Series]:
    """Make series of the slices of one SeriesInstanceUID, all in HU.

    Raises
    ------
    DicomError
        As ``group_slices`` and ``require_hu`` do.
    """
    unspecified = {each.path for each in headers if each.rescale_type == UNSPECIFIED}
    return [require_hu(one, unspecified, assume_hu=assume_hu) for one in group_slices(headers)]


def _failed_series(
    uid: str, reason: str, headers: list[SliceHeader], faults: list[FileOutcome]
) -> FailedSeries:
    rest = [FileOutcome(h.path, "failed", f"its series failed: {reason}") for h in headers]
    outcomes = sorted([*faults, *rest], key=lambda outcome: outcome.path)
    return FailedSeries(uid, reason, tuple(outcomes))


def _sort_by_path(headers: dict[str, list[SliceHeader]]) -> list[SliceHeader]:
    return sorted((h for group in headers.values() for h in group), key=lambda h: h.path.parts)
