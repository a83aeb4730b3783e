"""``OUTPUT/mapping.csv``: which series of INPUT became which series of OUTPUT.

It holds UIDs and folders, and no patient data; but folders of INPUT are as people named them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from rgan_sdk.files import atomic_write
from rgan_sdk.run.places.folders import series_folders
from rgan_sdk.run.planning import Plan
from rgan_sdk.run.report import Report, SeriesEntry

MAPPING: Final = "mapping.csv"
COLUMNS: Final = (
    "source_series",
    "group",
    "source_folder",
    "output_series",
    "output_folder",
    "model",
    "outcome",
    "processed",
    "kernel",
    "spacing",
    "noise",
)
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What the cells begin with that spreadsheets compute."""


def write_mapping(output: Path, plan: Plan, report: Report) -> None:
    """Write a row for each series of a run, whole or not at all.

    Rows are sorted by source. Rows of earlier runs stay where their series are still in OUTPUT and
    not in the report. Any other chosen series that is not in the report, as in a run that was
    interrupted, is ``unfinished``.

    Parameters
    ----------
    output
        The folder to write to.
    report
        Says what became of each series; gets a warning where the file cannot be written.
    """
    folders = series_folders(plan.source, plan.inventory)
    rows = [_row(entry, folders) for entry in report.series]
    rows += _earlier_rows(output, rows)
    rows += [_row(entry, folders) for entry in _unfinished(plan, rows)]
    save_rows(output, rows, report)


def save_rows(output: Path, rows: list[dict[str, str]], report: Report) -> None:
    """Write the rows of a mapping, sorted by source, as ``write_mapping`` does."""
    rows.sort(key=lambda row: (row["source_folder"], row["source_series"], row["group"]))
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    # Names that are not UTF-8 are spelled out, so that the file is.
    content = text.getvalue().encode(errors="backslashreplace").decode()
    encoding = "utf-8" if content.isascii() else "utf-8-sig"  # Excel takes plain UTF-8 for ANSI
    try:
        with atomic_write(output / MAPPING) as temporary:
            temporary.write_text(content, encoding=encoding, newline="")
    except OSError as exc:  # the series are all in place
        report.warnings.append(f"{MAPPING} cannot be written ({exc.strerror})")


def _earlier_rows(output: Path, rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return earlier rows of series that lie in OUTPUT, and that none of these rows is about."""
    try:
        with (output / MAPPING).open(encoding="utf-8-sig", newline="") as file:
            earlier = [row for row in csv.DictReader(file) if set(row) == set(COLUMNS)]
    except (OSError, ValueError, csv.Error):
        return []
    known = _series_of(rows)
    taken = {row["output_folder"] for row in rows} | {"", None}
    return [
        row
        for row in earlier
        if (row["source_series"], row["group"]) not in known
        and row["output_folder"] not in taken
        and (output / row["output_folder"]).is_dir()
    ]


def _series_of(rows: list[dict[str, str]]) -> set[tuple[str, str]]:
    return {(row["source_series"], row["group"]) for row in rows}


def _unfinished(plan: Plan, rows: list[dict[str, str]]) -> list[SeriesEntry]:
    """Return the chosen series that no row is about."""
    known = _series_of(rows)
    return [
        SeriesEntry(
            series_instance_uid=one.series_instance_uid,
            group=one.group,
            convolution_kernel=one.convolution_kernel,
            slices=len(one.slices),
            status="planned",
            pixel_spacing=one.mean_pixel_spacing,
        )
        for one in plan.chosen
        if (one.series_instance_uid, str(one.group)) not in known
    ]


def _row(entry: SeriesEntry, folders: Mapping[tuple[str, int], PurePosixPath]) -> dict[str, str]:
    folder = folders.get((entry.series_instance_uid, entry.group))
    return {
        "source_series": entry.series_instance_uid,
        "group": str(entry.group),
        "source_folder": _relative(folder),
        "output_series": output_series(entry),
        "output_folder": entry.output or "",
        "model": entry.model or "",
        "outcome": "unfinished" if entry.status == "planned" else entry.status,
        "processed": "true" if entry.processed else "false",
        "kernel": _plain(entry.convolution_kernel or ""),
        "spacing": "" if entry.pixel_spacing is None else f"{entry.pixel_spacing:.6g}",
        "noise": "" if entry.noise_hu is None else f"{entry.noise_hu:.1f}",
    }


def output_series(entry: SeriesEntry) -> str:
    """Return the SeriesInstanceUID in OUTPUT; a copy, which no model takes, keeps its own.

    Empty where the series is not in OUTPUT.
    """
    if entry.output is None:
        return ""
    return PurePosixPath(entry.output).name if entry.model else entry.series_instance_uid


def _relative(folder: PurePosixPath | None) -> str:
    """Return a folder with ``./`` in front, so that nobody reads ``0012`` or a date as a number."""
    if folder is None:
        return ""
    return f"./{folder}" if folder.parts else "."


def _plain(text: str) -> str:
    """Return text from a header so that no spreadsheet computes it."""
    return f"'{text}" if text.startswith(FORMULA) else text
