"""Find series of one scan that differ in their convolution kernel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, combinations
from pathlib import Path
from typing import TYPE_CHECKING

from rgan_sdk.errors import DicomError, InvalidSeriesError, TrainingError
from rgan_train.pairs.compare import OnFiles, compare_series, kernel_of, make_reader

if TYPE_CHECKING:
    from rgan_sdk.dicom.inventory import Inventory
    from rgan_sdk.dicom.series import Series


@dataclass(frozen=True)
class Pair:
    """Two series of one scan with different kernels and the same slice positions.

    Attributes
    ----------
    patient
        Pseudonym, which does not contain the patient's name or number.
    kernel_a, kernel_b
        ConvolutionKernel of each series.
    slices, rows, columns
        Number of slices, and their size in pixels.
    series_a, series_b
        SeriesInstanceUID of each series.
    folder_a, folder_b
        Folder of each series' files.
    split
        ``train``, ``validation`` or ``test`` if the user assigned the pair, else empty.
    """

    patient: str
    kernel_a: str
    kernel_b: str
    manufacturer: str
    slices: int
    rows: int
    columns: int
    study_instance_uid: str
    frame_of_reference_uid: str
    series_a: str
    series_b: str
    folder_a: Path
    folder_b: Path
    split: str = ""


@dataclass(frozen=True)
class NearMiss:
    """Two series of one study with different kernels that are not a pair, and the reason."""

    series_a: str
    series_b: str
    kernels: tuple[str, str]
    reason: str


@dataclass(frozen=True)
class Remark:
    """What may matter about a pair, and what could not be compared."""

    series_a: str
    series_b: str
    text: str


@dataclass(frozen=True)
class Failure:
    """A series that was left out because it failed, or files whose series is not known.

    Attributes
    ----------
    series
        SeriesInstanceUID, empty if it is not known.
    paths
        All files that are left out with it.
    reason
        The first problem found, with the name of its file.
    """

    series: str
    paths: frozenset[Path]
    reason: str


@dataclass(frozen=True)
class Pairing:
    """The result of ``find_pairs``.

    Attributes
    ----------
    series
        Number of CT series found that did not fail.
    failures
        What could not be read, and so is in no pair.
    """

    pairs: tuple[Pair, ...]
    near_misses: tuple[NearMiss, ...]
    series: int
    failures: tuple[Failure, ...] = ()
    remarks: tuple[Remark, ...] = ()


def find_pairs(folders: Iterable[Path], on_files: OnFiles | None = None) -> Pairing:
    """Find all pairs below some folders.

    Parameters
    ----------
    folders
        Searched recursively. A folder may hold one series or thousands. The folders may
        overlap, and a series may be spread over several of them.
    on_files
        Counts a header when it is searched, and again when it is compared.

    Raises
    ------
    TrainingError
        If a folder does not exist, or two folders hold different copies of a slice.
    """
    inventories = {folder: search_folder(folder, on_files) for folder in dict.fromkeys(folders)}
    found = _join_series(inventories)
    studies: dict[tuple[str, str], list[Series]] = defaultdict(list)
    for series in found:
        studies[series.patient, series.study_instance_uid].append(series)
    pairs: list[Pair] = []
    near_misses: list[NearMiss] = []
    remarks: list[Remark] = []
    for study in studies.values():
        read = cache(make_reader(on_files))
        for a, b in combinations(study, 2):
            kernels = (kernel_of(a), kernel_of(b))
            if kernels[0].casefold() == kernels[1].casefold() != "":
                continue
            uids = (a.series_instance_uid, b.series_instance_uid)
            difference, notes = compare_series(a, b, read)
            if difference is not None:
                near_misses.append(NearMiss(*uids, kernels, difference))
            else:
                pairs.append(make_pair(a, b))
                remarks += [Remark(*uids, note) for note in notes]
    failures = tuple(_find_failures(inventories.values()))
    return Pairing(tuple(pairs), tuple(near_misses), len(found), failures, tuple(remarks))


def open_pairs(
    pairs: Iterable[Pair], on_files: OnFiles | None = None
) -> list[tuple[Series, Series]]:
    """Find the two series of each listed pair on disk, and check that they are still a pair.

    Parameters
    ----------
    on_files
        As for ``find_pairs``.

    Raises
    ------
    TrainingError
        If a series is missing, or the two no longer agree.
    """
    search = cache(lambda folder: search_folder(folder, on_files))
    read = make_reader(on_files)
    opened = []
    for pair in pairs:
        a = _find_listed(search(pair.folder_a), pair.folder_a, pair.series_a, pair.kernel_a, pair)
        b = _find_listed(search(pair.folder_b), pair.folder_b, pair.series_b, pair.kernel_b, pair)
        difference = compare_series(a, b, read).difference
        if difference is not None:
            raise TrainingError(
                f"series {pair.series_a} and {pair.series_b} are no longer a pair: {difference}; "
                "write the list again with `rgan-train pair`"
            )
        opened.append((a, b))
    return opened


def make_pair(a: Series, b: Series) -> Pair:
    """Return the row of a list of pairs for two series of one scan."""
    return Pair(
        patient=a.patient,
        kernel_a=kernel_of(a),
        kernel_b=kernel_of(b),
        manufacturer=a.manufacturer or "",
        slices=len(a.slices),
        rows=a.rows,
        columns=a.columns,
        study_instance_uid=a.study_instance_uid,
        frame_of_reference_uid=a.frame_of_reference_uid or "",
        series_a=a.series_instance_uid,
        series_b=b.series_instance_uid,
        folder_a=folder_of(a),
        folder_b=folder_of(b),
    )


def _join_series(inventories: Mapping[Path, Inventory]) -> list[Series]:
    """Return the series of all folders; join a series that is spread over several of them."""
    found: dict[str, dict[Path, list[Series]]] = defaultdict(lambda: defaultdict(list))
    for folder, inventory in inventories.items():
        for series in inventory.series:
            found[series.series_instance_uid][folder].append(series)
    merged: list[Series] = []
    for uid, parts in sorted(found.items()):
        together = [series for part in parts.values() for series in part]
        merged += together if len(parts) == 1 else _regroup(uid, together)
    return merged


def _regroup(uid: str, parts: Iterable[Series]) -> list[Series]:
    """Group the slices of one UID again, without copies."""
    from rgan_sdk.dicom.header import read_header
    from rgan_sdk.dicom.read.duplicates import Copies
    from rgan_sdk.dicom.series import group_slices

    files = sorted(
        (item for part in parts for item in part.slices), key=lambda item: item.path.parts
    )
    copies: dict[str, Copies] = defaultdict(Copies)
    try:
        kept = [f for f in files if copies[f.sop_instance_uid].add(f.path, f.stamp) is None]
        for instance, found in copies.items():
            if found.difference:
                raise InvalidSeriesError(
                    f"SOPInstanceUID {instance} stands for different content; what differs: "
                    f"{found.difference}"
                )
        return group_slices(read_header(item.path) for item in kept)
    except (DicomError, OSError) as exc:
        raise TrainingError(
            f"series {uid} is spread over several folders and cannot be joined: {exc}; "
            "give only folders that hold the same copy of it"
        ) from exc


def _find_failures(inventories: Iterable[Inventory]) -> Iterable[Failure]:
    """Return what failed in the folders, once each where folders overlap."""
    found: dict[tuple[str, frozenset[Path]], Failure] = {}
    for failure in chain.from_iterable(map(_failures_of, inventories)):
        found.setdefault((failure.series, failure.paths), failure)
    return found.values()


def _failures_of(inventory: Inventory) -> Iterator[Failure]:
    for series in inventory.failed:
        paths = frozenset(outcome.path.resolve() for outcome in series.outcomes)
        yield Failure(series.series_instance_uid, paths, series.reason)
    for outcome in inventory.outcomes:
        if outcome.status == "failed":
            reason = f"{outcome.path}: {outcome.reason}"
            yield Failure("", frozenset({outcome.path.resolve()}), reason)


def search_folder(folder: Path, on_files: OnFiles | None = None) -> Inventory:
    """Return what a folder holds.

    Parameters
    ----------
    on_files
        As for ``find_pairs``.

    Raises
    ------
    TrainingError
        If it does not exist, or cannot be read.
    """
    from rgan_sdk.dicom.inventory import find_series

    try:
        return find_series(folder, on_files)
    except OSError as exc:
        raise TrainingError(f"{folder}: cannot be searched ({exc.strerror})") from exc


def _find_listed(inventory: Inventory, folder: Path, uid: str, kernel: str, pair: Pair) -> Series:
    """Return a listed series of a folder."""
    wanted = (uid, pair.rows, pair.columns, pair.slices)
    matching = [
        series
        for series in inventory.series
        if (series.series_instance_uid, series.rows, series.columns, len(series.slices)) == wanted
    ]
    for failed in inventory.failed:
        if failed.series_instance_uid == uid:
            raise TrainingError(f"{folder}: series {uid} failed: {failed.reason}")
    if len(matching) > 1:
        matching = _choose_listed(matching, kernel, pair)
    if not matching:
        lost = [failure.reason for failure in _failures_of(inventory)]
        hint = f". {len(lost)} failed there, such as {lost[0]}" if lost else ""
        raise TrainingError(
            f"{folder}: has no series {uid} of {pair.slices} slices {pair.rows}x{pair.columns}; "
            f"was it moved or changed? Write the list again with `rgan-train pair`{hint}"
        )
    return matching[0]


def _choose_listed(several: Sequence[Series], kernel: str, pair: Pair) -> list[Series]:
    """Return which of several series with one UID is listed; an empty list if none is.

    A single series needs no check of its kernel: a list of simulated pairs names one for a group.
    """
    wanted = (kernel.casefold(), pair.frame_of_reference_uid)
    found = [
        series
        for series in several
        if (kernel_of(series).casefold(), series.frame_of_reference_uid or "") == wanted
    ]
    if len(found) > 1:
        raise TrainingError(
            f"series {found[0].series_instance_uid} holds {len(found)} scans with kernel {kernel} "
            "that a list of pairs cannot tell apart, as they differ in pixel spacing or "
            "orientation only; delete its rows, or give each scan a SeriesInstanceUID of its own"
        )
    return found


def folder_of(series: Series) -> Path:
    """Return the deepest folder above all files of a series."""
    folders = {item.path.resolve().parent for item in series.slices}
    folder = folders.pop()
    while any(not other.is_relative_to(folder) for other in folders):
        folder = folder.parent
        if folder == folder.parent:
            raise TrainingError(
                f"series {series.series_instance_uid} lies in folders that have only {folder} in "
                "common; put its files below one folder"
            )
    return folder
