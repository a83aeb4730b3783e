"""Find the CT series under a folder, and give a reason for every file that belongs to none."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from rgan_sdk.dicom.discovery import Entry, LostContentError, walk
from rgan_sdk.dicom.header import NoRescaleError, Outline, read_series_uid
from rgan_sdk.dicom.read.duplicates import Copies
from rgan_sdk.dicom.read.pixels import UNSPECIFIED
from rgan_sdk.dicom.read.scanner import HeaderScan
from rgan_sdk.dicom.series import Series, group_alike
from rgan_sdk.dicom.slices.alike import AlikeSlices
from rgan_sdk.dicom.slices.lost import Place, place_of, series_beside
from rgan_sdk.dicom.slices.scouts import REASON, is_scout
from rgan_sdk.dicom.units import require_hu
from rgan_sdk.errors import DicomError, IneligibleError, InvalidSeriesError

RESTORE: Final = "it may have been a slice: restore it, or move it away if it is none"

_Place = tuple[AlikeSlices, int]


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
    group
        As in ``Series``, where a list numbers it; else 0.
    """

    series_instance_uid: str
    reason: str
    outcomes: tuple[FileOutcome, ...]
    group: int = 0


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
    on_files: Callable[[int], None] | None = None,
    *,
    assume_hu: bool = False,
    include_own: bool = False,
) -> Inventory:
    """Find all CT series under a folder, by content and not by name.

    Parameters
    ----------
    root
        Searched to any depth.
    on_files
        Is called now and then with how many files were examined since.
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
    return sort_files(root, walk(root), on_files, assume_hu=assume_hu, include_own=include_own)


def sort_files(
    root: Path,
    found: Iterable[Entry],
    on_files: Callable[[int], None] | None = None,
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
        What ``walk`` lists; its order does not matter.
    on_files, assume_hu, include_own
        As for ``find_series``.
    """
    search = _Search(root, assume_hu=assume_hu)
    scan = HeaderScan(include_own=include_own)
    for path, problem in scan.read(search.keep_readable(found, on_files), on_files):
        search.note(Path(path), problem)
    search.take(scan.found)
    search.resolve_repeated_uids()
    search.skip_scouts()
    search.blame_lost_files()
    return search.inventory()


class _Search:
    """What has been found so far. Slices and faults are kept by SeriesInstanceUID."""

    def __init__(self, root: Path, *, assume_hu: bool) -> None:
        self._root, self._assume_hu = root, assume_hu
        self._slices: dict[str, list[AlikeSlices]] = defaultdict(list)
        self._faults: dict[str, list[FileOutcome]] = defaultdict(list)
        self._unscaled: dict[str, list[tuple[Path, Outline]]] = defaultdict(list)
        self._lost: dict[Place, list[FileOutcome]] = defaultdict(list)
        self._notes: dict[str, list[str]] = defaultdict(list)
        self._outcomes: list[FileOutcome] = []
        # Apart, because files are listed ahead of those that are read.
        self._unlisted: list[FileOutcome] = []

    def keep_readable(
        self, found: Iterable[Entry], on_files: Callable[[int], None] | None
    ) -> Iterator[str]:
        """Yield the files that can be read, and note the others."""
        for path, problem in found:
            if problem is None:
                yield path
                continue
            self._unlisted.append(_explain(Path(path), problem))
            if on_files is not None:
                on_files(1)

    def note(self, path: Path, problem: DicomError) -> None:
        match problem:
            case LostContentError():
                self._lost[place_of(str(path))].append(_explain(path, problem))
            case IneligibleError():
                self._outcomes.append(_explain(path, problem))
            case DicomError():
                outcome = FileOutcome(path, "failed", str(problem))
                series = read_series_uid(path)
                if series is None:
                    self._lost[place_of(str(path))].append(outcome)
                    return
                if isinstance(problem, NoRescaleError):
                    self._unscaled[series].append((path, problem.outline))
                self._faults[series].append(outcome)

    def take(self, found: Iterable[AlikeSlices]) -> None:
        for alike in found:
            self._slices[alike.header.series_instance_uid].append(alike)

    def resolve_repeated_uids(self) -> None:
        """Skip copies; fail every series with files of different content of one SOPInstanceUID."""
        alikes = [alike for found in self._slices.values() for alike in found]
        dropped: dict[AlikeSlices, list[int]] = defaultdict(list)
        for uid, places in _find_repeated(alikes).items():
            for alike, index in self._resolve(uid, places):
                dropped[alike].append(index)
        for alike, indices in dropped.items():
            alike.drop(indices)
            if not alike:
                self._slices[alike.header.series_instance_uid].remove(alike)

    def _resolve(self, uid: str, places: list[_Place]) -> Iterator[_Place]:
        """Yield the files of one SOPInstanceUID that are no slices of their series."""
        copies = Copies()
        kept = []
        for alike, index in places:
            path = Path(alike.paths[index])
            try:
                first = copies.add(path, alike.stamp(index))
            except DicomError as error:
                self._fail(alike, path, str(error))
                yield alike, index
                continue
            if first is None:
                kept.append((alike, index))
                continue
            original, kind = first
            reason = f"{kind} of {self._name(original)}"
            self._outcomes.append(FileOutcome(path, "skipped", reason))
            yield alike, index
        if len(kept) > 1:
            paths = [Path(alike.paths[index]) for alike, index in kept]
            names = " and ".join(map(self._name, paths[:2]))
            reason = (
                f"SOPInstanceUID {uid} stands for different content in {names}; what differs: "
                f"{copies.difference}"
            )
            for (alike, _), path in zip(kept, paths, strict=True):
                self._fail(alike, path, reason)
            yield from kept

    def skip_scouts(self) -> None:
        """Skip images without any rescale that are no slices of the series they are filed in."""
        for series, unscaled in self._unscaled.items():
            headers = [alike.header for alike in self._slices.get(series, ())]
            scouts = {path for path, outline in unscaled if is_scout(outline, headers)}
            self._outcomes += [FileOutcome(path, "skipped", REASON) for path in sorted(scouts)]
            self._faults[series] = [f for f in self._faults[series] if f.path not in scouts]

    def blame_lost_files(self) -> None:
        """Fail the series that files lie beside which may have been slices of it.

        Where that may be several series, each gets a note.
        """
        beside = series_beside(self._lost, self._paths())
        for place, lost in self._lost.items():
            if len(beside[place]) == 1:
                (series,) = beside[place]
                self._faults[series] += [
                    FileOutcome(one.path, "failed", f"{one.reason}; {RESTORE}") for one in lost
                ]
                continue
            self._outcomes += lost
            note = self._describe_lost(lost)
            for series in beside[place]:
                self._notes[series].append(note)

    def _paths(self) -> Iterator[tuple[str, Iterable[str]]]:
        for series, found in self._slices.items():
            for alike in found:
                yield series, alike.paths
        for series, faults in self._faults.items():
            yield series, [str(fault.path) for fault in faults]

    def _describe_lost(self, lost: Sequence[FileOutcome]) -> str:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        names = f"{self._name(lost[0].path)}{more} ({lost[0].reason})"
        return (
            f"it, or another series in its folder, may lack slices: {names}; restore what was a "
            "slice, and move away what was none"
        )

    def _fail(self, alike: AlikeSlices, path: Path, reason: str) -> None:
        outcome = FileOutcome(path, "failed", reason)
        self._faults[alike.header.series_instance_uid].append(outcome)

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()

    def inventory(self) -> Inventory:
        series: list[Series] = []
        failed: list[FailedSeries] = []
        for uid in sorted(self._slices.keys() | self._faults.keys()):
            slices = self._slices.pop(uid, [])  # in two forms there would be no room for them
            faults = self._faults.get(uid, [])
            try:
                if faults:
                    raise InvalidSeriesError(f"{self._name(faults[0].path)}: {faults[0].reason}")
                if slices:
                    made = make_series(slices, assume_hu=self._assume_hu)
                    series += map(self._with_notes, made)
            except DicomError as error:
                failed.append(_failed_series(uid, str(error), slices, faults))
        return Inventory(tuple(series), tuple(failed), (*self._unlisted, *self._outcomes))

    def _with_notes(self, series: Series) -> Series:
        notes = self._notes.get(series.series_instance_uid)
        return replace(series, notes=(*series.notes, *notes)) if notes else series


def make_series(found: Sequence[AlikeSlices], *, assume_hu: bool) -> list[Series]:
    """Make series of the slices of one SeriesInstanceUID, all in HU.

    Raises
    ------
    DicomError
        As ``group_slices`` and ``require_hu`` do.
    """
    open_ones = (alike for alike in found if alike.header.rescale_type == UNSPECIFIED)
    unspecified = {path for alike in open_ones for path in alike.paths}
    return [require_hu(one, unspecified, assume_hu=assume_hu) for one in group_alike(found)]


def _explain(path: Path, problem: IneligibleError | OSError) -> FileOutcome:
    if isinstance(problem, OSError):
        return FileOutcome(path, "failed", f"cannot be read: {problem.strerror}")
    return FileOutcome(path, "skipped", str(problem))


def _find_repeated(alikes: Sequence[AlikeSlices]) -> dict[str, list[_Place]]:
    """Return where each SOPInstanceUID stands that several files have, sorted by path."""
    uids = {uid for alike in alikes for uid in alike.sop_instance_uids}
    if len(uids) == sum(map(len, alikes)):
        return {}
    counts = Counter(uid for alike in alikes for uid in alike.sop_instance_uids)
    repeated = {uid for uid, count in counts.items() if count > 1}
    places = [
        (alike, index)
        for alike in alikes
        for index, uid in enumerate(alike.sop_instance_uids)
        if uid in repeated
    ]
    by_uid: dict[str, list[_Place]] = defaultdict(list)
    for alike, index in sorted(places, key=lambda place: Path(place[0].paths[place[1]]).parts):
        by_uid[alike.sop_instance_uids[index]].append((alike, index))
    return by_uid


def _failed_series(
    uid: str, reason: str, slices: list[AlikeSlices], faults: list[FileOutcome]
) -> FailedSeries:
    paths = [Path(path) for alike in slices for path in alike.paths]
    rest = [FileOutcome(path, "failed", f"its series failed: {reason}") for path in paths]
    outcomes = sorted([*faults, *rest], key=lambda outcome: outcome.path)
    return FailedSeries(uid, reason, tuple(outcomes))
