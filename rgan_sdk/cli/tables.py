"""Reports as tables for people."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rgan_sdk.run.report import Report, SeriesEntry

ROOM_FOR_SPACING = 100
"""Columns of a terminal that also shows the pixel spacing."""

PLACES = {"air": "air", "dense": "bone or metal", "tissue": "tissue"}
"""What clamped pixels show, as the report and as a table names it."""


def print_report(report: Report) -> None:
    """Print one row per series, what is to be said of them, and the files that were left aside."""
    console = Console(highlight=False)
    notes = list(dict.fromkeys(text for entry in report.series for text in _notes(entry)))
    numbers = {text: number for number, text in enumerate(notes, start=1)}
    if report.series:
        console.print(_series_table(report, console.width, numbers))
        console.print()
    for text, number in numbers.items():
        print_wrapped(console, f"{number}: {text}")
    print_summary(console, report)


def print_summary(console: Console, report: Report) -> None:
    """Print the files that were left aside, by reason, warnings, and how many of what there are."""
    inside = {entry.reason for entry in report.series}
    inside |= {f"its series failed: {reason}" for reason in inside}
    for (status, reason), count in sorted(report.files.outcomes().items()):
        if not reason or reason in inside:
            continue
        print_wrapped(console, f"{count} file{'s' if count > 1 else ''} {status}: {reason}")
    for warning in report.warnings:
        print_wrapped(console, f"warning: {warning}")
    for kind, counts in report.summary.items():
        console.print(f"{kind}: {', '.join(f'{n} {status}' for status, n in counts.items())}")
    if report.stages:
        busy = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in report.stages.items())
        console.print(f"busy: {busy}; {report.bottleneck} sets the pace")


def print_wrapped(console: Console, text: str) -> None:
    """Print a text in lines that fit a terminal, the later ones indented; elsewhere in one line.

    Words are never broken: a path is to be copied.
    """
    if not console.is_terminal:
        console.print(as_text(text), soft_wrap=True)
        return
    lines = textwrap.wrap(
        as_text(text).plain,
        console.width,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    for line in lines:
        console.print(Text(line), soft_wrap=True)


def as_text(text: str) -> Text:
    """Return text as it is: no markup of Rich's, no control characters for the terminal."""
    return Text("".join(char if char.isprintable() else "\ufffd" for char in text))


def _series_table(report: Report, width: int, notes: Mapping[str, int]) -> Table:
    """Return a row for each series; of its notes, the numbers."""
    has_reconstruction = any(entry.reconstruction for entry in report.series)
    is_narrow = width < ROOM_FOR_SPACING
    room = 16 if is_narrow and (has_reconstruction or report.models) else 24
    cells: dict[str, Callable[[SeriesEntry], str]] = {
        "series": lambda entry: _name(entry, room),
        "kernel": lambda entry: entry.convolution_kernel or "-",
        "recon.": lambda entry: entry.reconstruction or "-",
        "pixel, mm": lambda entry: f"{entry.pixel_spacing:.3f}" if entry.pixel_spacing else "-",
        "model": lambda entry: entry.model or "-",
        "slices": lambda entry: str(entry.slices),
        "outcome": lambda entry: entry.status,
        "clamped": lambda entry: describe_clamped(entry.clamped),
        "note": lambda entry: ", ".join(str(notes[text]) for text in _notes(entry)),
    }
    is_needed = {
        "recon.": has_reconstruction,
        "pixel, mm": not is_narrow,
        "model": bool(report.models),
        "clamped": any(entry.clamped for entry in report.series),
        "note": bool(notes),
    }
    table = Table(box=None, pad_edge=False)
    shown = [heading for heading in cells if is_needed.get(heading, True)]
    for heading in shown:
        is_number = heading in ("pixel, mm", "slices")
        table.add_column(heading, overflow="fold", justify="right" if is_number else "left")
    for entry in report.series:
        table.add_row(*(as_text(cells[heading](entry)) for heading in shown))
    return table


def _name(entry: SeriesEntry, room: int) -> str:
    group = f" #{entry.group}" if entry.group else ""
    return shorten_uid(entry.series_instance_uid, room) + group


def _notes(entry: SeriesEntry) -> list[str]:
    return list(dict.fromkeys(note for note in (entry.reason, *entry.notes) if note))


def describe_clamped(clamped: Mapping[str, float]) -> str:
    """Say which share of the pixels was clamped, and where they lie; empty if none was."""
    if not clamped:
        return ""
    places = {name: clamped[key] for key, name in PLACES.items() if clamped.get(key)}
    total = _percent(clamped["all"])
    if not places:
        return total
    if len(places) == 1:
        return f"{total}, all in {next(iter(places))}"
    return f"{total}: " + ", ".join(f"{_percent(one)} {name}" for name, one in places.items())


def _percent(share: float) -> str:
    """Return a share with one digit that tells something; never 0 or 100 % for what is not."""
    percent = 100 * share
    if percent < 0.1:
        return "< 0.1 %"
    return f"{percent:.0f} %" if 2 <= percent <= 99 else f"{percent:.1f} %"


def shorten_uid(uid: str, room: int = 24) -> str:
    """Return the beginning and the end of a UID, where a table has no room for all of it."""
    half = room // 2
    return uid if len(uid) <= room else f"{uid[: half - 1]}..{uid[2 - half :]}"
