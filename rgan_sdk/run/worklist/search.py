"""Find the series of a work list again, without a search of all that lies below its root."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from rgan_sdk.dicom.discovery import Entry, walk
from rgan_sdk.dicom.inventory import FailedSeries, FileOutcome, Inventory, sort_files
from rgan_sdk.dicom.series import SPACING_TOLERANCE_MM, Series, hash_slices
from rgan_sdk.errors import InvalidSeriesError
from rgan_sdk.run.worklist.table import BELOW, ListedSeries, WorkList

AGAIN = "write the list again with `rgan-harmonize scan --list`"


def find_listed(
    work: WorkList, on_file: Callable[[], None] | None = None, *, assume_hu: bool = False
) -> Inventory:
    """Read the headers in the folders that a list names, and return the series of its rows.

    Parameters
    ----------
    on_file, assume_hu
        As for ``find_series``.

    Returns
    -------
    Inventory
        With the listed series and no other files. A series fails if its folder is not there, if
        it has not the slices that are listed, or if what the plan goes by is not as listed:
        kernel and pixel spacing.
    """
    entries: dict[str, Entry] = {}
    faults: dict[ListedSeries, str] = {}
    for row in work.rows:
        try:
            entries |= {str(entry[0]): entry for entry in _list_folder(work, row)}
        except OSError as exc:
            faults[row] = f"folder {row.folder} cannot be read: {exc.strerror}"
        except InvalidSeriesError as exc:
            faults[row] = str(exc)
    listing = sorted(entries.values(), key=lambda entry: entry[0].parts)
    found = sort_files(work.root, listing, on_file, assume_hu=assume_hu)
    series: list[Series] = []
    reasons: dict[ListedSeries, str] = {}
    for row in work.rows:
        try:
            if row in faults:
                raise InvalidSeriesError(faults[row])
            series.append(_find(row, found))
        except InvalidSeriesError as exc:
            reasons[row] = f"{exc} ({work.path.name}, line {row.line})"
    ordered = sorted(series, key=lambda one: (one.series_instance_uid, one.group))
    return Inventory(tuple(ordered), tuple(_fail(reasons, found, ordered)), ())


def _list_folder(work: WorkList, row: ListedSeries) -> list[Entry]:
    """List the files of a row's folder; no link is followed, as in a search of the whole root."""
    deep = row.folder.name == BELOW
    folder = work.root / (row.folder.parent if deep else row.folder)
    if folder.resolve() != work.root.resolve() / folder.relative_to(work.root):
        raise InvalidSeriesError(f"folder {row.folder} lies behind a symbolic link")
    return walk(folder, deep=deep)


def _find(row: ListedSeries, found: Inventory) -> Series:
    """Return the series of a row with the number that the list gives its group of slices."""
    parts = [one for one in found.series if one.series_instance_uid == row.series]
    for one in parts:
        if hash_slices(one) == row.sources:
            _require_same_plan(row, one)
            return replace(one, group=row.group)
    for failed in found.failed:
        if failed.series_instance_uid == row.series:
            raise InvalidSeriesError(failed.reason)
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
    files: dict[str, list[Path]] = defaultdict(list)
    for one in found.series:
        files[one.series_instance_uid] += [file.path for file in one.slices]
    for failed in found.failed:
        files[failed.series_instance_uid] += [outcome.path for outcome in failed.outcomes]
    taken = {file.path for one in good for file in one.slices}
    for row, reason in reasons.items():
        paths = [path for path in sorted(files[row.series]) if path not in taken]
        taken.update(paths)
        outcomes = tuple(FileOutcome(path, "failed", reason) for path in paths)
        yield FailedSeries(row.series, reason, outcomes)
