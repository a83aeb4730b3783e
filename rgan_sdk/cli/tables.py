"""Reports as tables for people."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.table import Table

from rgan_sdk.report import Report


def print_report(report: Report, *, done: str = "done") -> None:
    """Print one row per series, then the files that were left aside, by reason.

    ``done`` is the word for series that were, or would be, harmonized.
    """
    console = Console(highlight=False)
    if report.series:
        console.print(_series_table(report, done))
    inside = {entry.reason for entry in report.series}
    others = Counter(
        (file.status, file.reason)
        for file in report.files
        if file.status != "done" and file.reason not in inside
    )
    for (status, reason), count in sorted(others.items()):
        console.print(f"{count} file(s) {status}: {reason}", markup=False, soft_wrap=True)
    for warning in report.warnings:
        console.print(f"warning: {warning}", markup=False, soft_wrap=True)
    for kind, counts in report.summary.items():
        told = ", ".join(
            f"{count} {done if status == 'done' else status}" for status, count in counts.items()
        )
        console.print(f"{kind}: {told}")


def _series_table(report: Report, done: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("series", "kernel", "slices", "outcome", "note"):
        table.add_column(
            heading, overflow="fold", justify="right" if heading == "slices" else "left"
        )
    for entry in report.series:
        notes = [entry.reason, *entry.notes]
        if entry.clips:
            notes.append(f"{entry.clips} pixels clamped to the stored range")
        table.add_row(
            _shortened(entry.series_instance_uid) + (f" #{entry.group}" if entry.group else ""),
            entry.convolution_kernel or "-",
            str(entry.slices),
            done if entry.status == "done" else entry.status,
            "; ".join(note for note in notes if note),
        )
    return table


def _shortened(uid: str) -> str:
    return uid if len(uid) <= 24 else f"{uid[:11]}..{uid[-10:]}"
