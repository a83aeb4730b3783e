"""Find the series of a work list again, without a search of all that lies below its root."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from rgan_sdk.dicom.discovery import Entry, walk
from rgan_sdk.dicom.inventory import FailedSeries, FileOutcome, Inventory, sort_files
from rgan_sdk.dicom.series import SPACING_TOLERANCE_MM, Series, hash_slices
from rgan_sdk.errors import InvalidSeriesError
from rgan_sdk.run.worklist.table import BELOW, ListedSeries, WorkList

AGAIN = "write the list again with `rgan-harmonize scan --list`"


def find_listed(
    work: WorkList, on_files: Callable[[int], None] | None = None, *, assume_hu: bool = False
) -> Inventory:
    """Read the headers in the folders that a list names, and return the series of its rows.

    Parameters
    ----------
    on_files, assume_hu
        As for ``find_series``.

    Returns
    -------
    Inventory
        With the listed series and no other files. A series fails if its folder is not there, if
        it has not the slices that are listed, or if what the plan goes by is not as listed:
        kernel and pixel spacing.
    """
    faults: dict[PurePosixPath, str] = {}
    found = sort_files(work.root, _list_folders(work, faults), on_files, assume_hu=assume_hu)
    parts: dict[str, list[Series]] = defaultdict(list)
    for one in found.series:
        parts[one.series_instance_uid].append(one)
    failed = {one.series_instance_uid: one.reason for one in found.failed}
    series: list[Series] = []
    reasons: dict[ListedSeries, str] = {}
    for row in work.rows:
        try:
            if row.folder in faults:
                raise InvalidSeriesError(faults[row.folder])
            series.append(_find(row, parts[row.series], failed.get(row.series)))
        except InvalidSeriesError as exc:
            reasons[row] = f"{exc} ({work.path.name}, line {row.line})"
    ordered = sorted(series, key=lambda one: (one.series_instance_uid, one.group))
    return Inventory(tuple(ordered), tuple(_fail(reasons, found, ordered)), ())


def _list_folders(work: WorkList, faults: dict[PurePosixPath, str]) -> Iterator[Entry]:
    """List the files in the folders of all rows, each once; note what cannot be listed."""
    listed = sorted({row.folder for row in work.rows})
    deep = {folder.parent for folder in listed if folder.name == BELOW}
    for name in listed:
        above = name.parent.parents if name.name == BELOW else (name, *name.parents)
        if deep.isdisjoint(above):  # else its files are listed with a folder above
            yield from _list_folder(work, name, faults)


def _list_folder(
    work: WorkList, name: PurePosixPath, faults: dict[PurePosixPath, str]
) -> Iterator[Entry]:
    """List the files of a row's folder; no link is followed, as in a search of the whole root."""
    deep = name.name == BELOW
    folder = work.root / (name.parent if deep else name)
    try:
        if folder.resolve() != work.root.resolve() / folder.relative_to(work.root):
            faults[name] = f"folder {name} lies behind a symbolic link"
            return
        yield from walk(folder, deep=deep)
    except OSError as exc:
        faults[name] = f"folder {name} cannot be read: {exc.strerror}"


def _find(row: ListedSeries, parts: Sequence[Series], why_failed: str | None) -> Series:
    """Return the series of a row with the number that the list gives its group of slices.

    Parameters
    ----------
    parts
        What was found of its SeriesInstanceUID.
    why_failed
        The reason, if that could not be made into a series.
    """
    for one in parts:
        if hash_slices(one) == row.sources:
            _require_same_plan(row, one)
            return replace(one, group=row.group)
    if why_failed is not None:
        raise InvalidSeriesError(why_failed)
    if not parts:
        raise InvalidSeriesError(f"no file of it is in the folder {row.folder} any more; {AGAIN}")
    counts = [len(one.slices) for one in parts]
    if row.files in counts:
        raise InvalidSeriesError(f"its files are not those that were listed; {AGAIN}")
    raise InvalidSeriesError(f"{sum(counts)} of its files are there, {row.files} listed; {AGAIN}")


def _require_same_plan(row: ListedSeries, series: Series) -> None:
    kernel = series.convolution_kernel or ""
    if kernel != row.kernel:
        raise InvalidSeriesError(
            f"ConvolutionKernel (0018,1210) is {kernel or 'absent'}, "
            f"{row.kernel or 'none'} is listed; {AGAIN}"
        )
    spacing = series.mean_pixel_spacing
    if abs(spacing - row.spacing) > SPACING_TOLERANCE_MM:
        raise InvalidSeriesError(
            f"PixelSpacing (0028,0030) is {spacing:g} mm, {row.spacing:g} mm is listed; {AGAIN}"
        )


def _fail(
    reasons: Mapping[ListedSeries, str], found: Inventory, good: Iterable[Series]
) -> Iterator[FailedSeries]:
    """Yield the series that failed, with what is there of their files, each file once."""
    wanted = {row.series for row in reasons}
    files: dict[str, list[Path]] = defaultdict(list)
    for one in found.series:
        if one.series_instance_uid in wanted:
            files[one.series_instance_uid] += map(Path, one.slices.paths)
    for failed in found.failed:
        files[failed.series_instance_uid] += [outcome.path for outcome in failed.outcomes]
    taken = {
        Path(path) for one in good if one.series_instance_uid in wanted for path in one.slices.paths
    }
    for row, reason in reasons.items():
        paths = [path for path in sorted(files[row.series]) if path not in taken]
        taken.update(paths)
        outcomes = tuple(FileOutcome(path, "failed", reason) for path in paths)
        yield FailedSeries(row.series, reason, outcomes, row.group)
