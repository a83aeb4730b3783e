"""Reports as tables for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rgan_sdk.run.report import Report, SeriesEntry

ROOM_FOR_SPACING = 100
"""Columns of a terminal that also shows the pixel spacing."""


def print_report(report: Report) -> None:
    """Print one row per series, then the files that were left aside, by reason."""
    console = Console(highlight=False)
    if report.series:
        console.print(_series_table(report, console.width))
    print_summary(console, report)


def print_summary(console: Console, report: Report) -> None:
    """Print the files that were left aside, by reason, warnings, and how many of what there are."""
    inside = {entry.reason for entry in report.series}
    inside |= {f"its series failed: {reason}" for reason in inside}
    others = Counter(
        (file.status, file.reason)
        for file in report.files
        if file.reason and file.reason not in inside
    )
    for (status, reason), count in sorted(others.items()):
        console.print(as_text(f"{count} file(s) {status}: {reason}"), soft_wrap=True)
    for warning in report.warnings:
        console.print(as_text(f"warning: {warning}"), soft_wrap=True)
    for kind, counts in report.summary.items():
        console.print(f"{kind}: {', '.join(f'{n} {status}' for status, n in counts.items())}")
    if report.stages:
        busy = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in report.stages.items())
        console.print(f"busy: {busy}; {report.bottleneck} sets the pace")


def as_text(text: str) -> Text:
    """Return text as it is: no markup of Rich's, no control characters for the terminal."""
    return Text("".join(char if char.isprintable() else "\ufffd" for char in text))


def _series_table(report: Report, width: int) -> Table:
    table = Table(box=None, pad_edge=False)
    extra: dict[str, Callable[[SeriesEntry], str]] = {}
    if any(entry.reconstruction for entry in report.series):
        extra["reconstruction"] = lambda entry: entry.reconstruction or "-"
    if width >= ROOM_FOR_SPACING:
        extra["pixel, mm"] = lambda entry: (
            f"{entry.pixel_spacing:.3f}" if entry.pixel_spacing else "-"
        )
    if report.models:
        extra["model"] = lambda entry: entry.model or "-"
    for heading in ("series", "kernel", *extra, "slices", "outcome", "note"):
        is_number = heading in ("pixel, mm", "slices")
        table.add_column(heading, overflow="fold", justify="right" if is_number else "left")
    for entry in report.series:
        notes = [entry.reason, *entry.notes]
        if entry.clips:
            notes.append(f"{entry.clips} pixels clamped to the stored range")
        cells = (
            shorten_uid(entry.series_instance_uid) + (f" #{entry.group}" if entry.group else ""),
            entry.convolution_kernel or "-",
            *(show(entry) for show in extra.values()),
            str(entry.slices),
            entry.status,
            "; ".join(note for note in notes if note),
        )
        table.add_row(*map(as_text, cells))
    return table


def shorten_uid(uid: str) -> str:
    """Return the beginning and the end of a UID, where a table has no room for all of it."""
    return uid if len(uid) <= 24 else f"{uid[:11]}..{uid[-10:]}"
