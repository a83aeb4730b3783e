"""What ``scan`` shows: groups of series, what became of each, and what to do next."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.table import Table

from rgan_sdk.cli.domain import number
from rgan_sdk.cli.tables import as_text, print_summary
from rgan_sdk.run.advice.advise import Advice, GroupAdvice, KernelAdvice, Route
from rgan_sdk.run.advice.commands import match_command, measure_command, pair_command
from rgan_sdk.run.advice.matches import FEWEST_SLICES
from rgan_sdk.run.report import Report, SeriesEntry

MOST_NAMED = 3
"""Folders that are named in a remark; of more, the number is given."""

LOSS = (
    "What is lost: the detail and the noise that sharper kernels have beyond it, for good. The "
    "other way round detail must be made up: on a scan whose pairs are known (docs/results/"
    "unpaired.md), sharp to soft reached 54 dB and soft to sharp 47 dB."
)


def print_scan(report: Report, advice: Advice, given: Sequence[str]) -> None:
    """Print groups, series, files that were left aside, and advice.

    Parameters
    ----------
    given
        The models that the user named; the report is about them.
    """
    console = Console(highlight=False)
    if advice.groups:
        console.print(_group_table(advice.groups))
        console.print()
        console.print(_series_table(report, advice, show_outcome=bool(given)))
        console.print()
    for line in _remarks(report, advice):
        console.print(as_text(line), soft_wrap=True)
    print_summary(console, report)
    for title, lines in (
        ("Models", list(_models(advice, given))),
        ("Pairs to train a model with", list(_pairs(advice))),
        ("A common kernel", list(_target(advice))),
    ):
        if lines:
            console.print()
            console.print(as_text(title), style="bold")
        for line in lines:
            for part in _wrap(line, console.width):
                console.print(as_text(part), soft_wrap=True)


def _wrap(line: str, width: int) -> list[str]:
    """Wrap a line, but no command, which is to be copied."""
    text = line.lstrip()
    if text.startswith("rgan-"):
        return [line]
    indent = " " * (len(line) - len(text))
    hanging = "  " if text.startswith("- ") else ""
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent + hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _group_table(groups: Sequence[GroupAdvice]) -> Table:
    table = Table(box=None, pad_edge=False)
    has_reconstruction = any(one.group.reconstruction for one in groups)
    for heading, is_shown, is_number in (
        ("#", True, True),
        ("manufacturer", True, False),
        ("kernel", True, False),
        ("recon.", has_reconstruction, False),
        ("pixel mm", True, True),
        ("slice mm", True, True),
        ("series", True, True),
        ("slices", True, True),
    ):
        if is_shown:
            table.add_column(
                heading,
                overflow="fold",
                justify="right" if is_number else "left",
                min_width=len(heading) if is_number else None,
            )
    for index, one in enumerate(groups, 1):
        group = one.group
        cells = (
            str(index),
            group.manufacturer or "-",
            group.kernel or "-",
            *([group.reconstruction or "-"] if has_reconstruction else []),
            _span(group.pixel_spacing),
            number(group.slice_thickness) if group.slice_thickness else "-",
            str(len(group.series)),
            str(group.slices),
        )
        table.add_row(*map(as_text, cells))
    return table


def _series_table(report: Report, advice: Advice, *, show_outcome: bool) -> Table:
    entries = {(one.series_instance_uid, one.group): one for one in report.series}
    table = Table(box=None, pad_edge=False)
    table.add_column("#", justify="right")
    table.add_column("folder", overflow="fold")
    table.add_column("description", overflow="fold")
    table.add_column("slices", justify="right")
    table.add_column("patient", min_width=12)
    has_mtf = any(one.mtf for one in report.series)
    if has_mtf:
        table.add_column("50/10 %, lp/cm")
    if show_outcome:
        table.add_column("outcome")
    for index, one in enumerate(advice.groups, 1):
        for series in one.group.series:
            key = series.series_instance_uid, series.group
            cells = (
                str(index),
                str(advice.folders[key]),
                advice.descriptions[key],
                str(len(series.slices)),
                series.patient,
                *([_describe_mtf(entries[key])] if has_mtf else []),
                *([entries[key].status] if show_outcome else []),
            )
            table.add_row(*map(as_text, cells))
    return table


def _describe_mtf(entry: SeriesEntry) -> str:
    """Return the frequencies in lp/cm at which the MTF of a series falls to 50 and 10 %."""
    if not entry.mtf:
        return "-"
    highest = 0.9 * (entry.mtf["nyquist"] or 0)
    values = (entry.mtf["f50"], entry.mtf["f10"])
    return " / ".join(f">{highest:.1f}" if one is None else f"{one:.1f}" for one in values)


def _remarks(report: Report, advice: Advice) -> Iterator[str]:
    """Yield reasons and notes, each once, with the folders of the series that have it."""
    texts: dict[str, list[str]] = defaultdict(list)
    for entry in report.series:
        name = str(advice.folders[entry.series_instance_uid, entry.group])
        for text in _texts(entry):
            texts[text].append(name)
    for text, names in texts.items():
        yield f"{_listed(tuple(dict.fromkeys(names)), len(names))}: {text}"


def _texts(entry: SeriesEntry) -> list[str]:
    reason = [f"{entry.status}: {entry.reason}"] if entry.reason else []
    return [*reason, *entry.notes]


def _listed(folders: Sequence[str], series: int) -> str:
    return ", ".join(folders) if len(folders) <= MOST_NAMED else f"{series} series"


def _models(advice: Advice, given: Sequence[str]) -> Iterator[str]:
    """Yield which groups each model takes, and why not the others.

    What the user's own models leave aside stands with each series already.
    """
    columns = zip(*(one.fits for one in advice.groups), strict=True)
    for fits in columns:
        model, target = fits[0].model, fits[0].target_kernel
        taken = [index for index, fit in enumerate(fits, 1) if fit.takes]
        what = f"takes {_groups(taken)}" if taken else "takes none of these groups"
        yield f"- {model}, to {target}: {what}"
        if model in given:
            continue
        other = [index for index, fit in enumerate(fits, 1) if "kernel" in fit.reasons]
        if other:
            yield f"  {_groups(other)}: another kernel, or none"
        reasons: dict[str, list[int]] = defaultdict(list)
        for index, fit in enumerate(fits, 1):
            if index not in other:
                for texts in fit.reasons.values():
                    for text in texts:
                        reasons[text].append(index)
        for text, indices in reasons.items():
            yield f"  {_groups(indices)}: {text}"


def _groups(indices: Sequence[int]) -> str:
    """Return numbers of groups, those in a row with the first and the last one."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    parts = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return f"group{'s' if len(indices) > 1 else ''} {', '.join(parts)}"


def _pairs(advice: Advice) -> Iterator[str]:
    for one in advice.pairs:
        count = "1 scan looks" if one.pairs == 1 else f"{one.pairs} scans look"
        labels = _named(advice.kernels[key].label for key in one.kernels)
        yield f"{count} like made with both {labels}:"
        yield f"  {pair_command(advice.root, one)}"


def _target(advice: Advice) -> Iterator[str]:
    if len(advice.candidates) < 2:
        return
    if advice.target is None:
        yield from _unknown_target(advice)
        return
    target = advice.kernels[advice.target]
    series = sum(one.series for one in advice.kernels.values())
    yield (
        f"Recommended target: {target.label}, the kernel of {target.series} of {series} series: "
        f"{_facts(target)}. {_softest(advice)}"
    )
    unknown = [one for one in advice.candidates if one not in advice.compared]
    if unknown:
        labels = _named(_with_reconstruction(advice.kernels[one]) for one in unknown)
        yield f"Not compared, so that they may be softer: {labels}."
    yield LOSS
    yield "Slices stay as thick, and pixels as large, as they are."
    routes = list(advice.routes())
    for route in routes:
        if route.kernel.slices >= FEWEST_SLICES or route.models:
            yield from _route(advice, route, target)
    few = [
        one.kernel.label for one in routes if one.kernel.slices < FEWEST_SLICES and not one.models
    ]
    if few:
        yield f"- {_named(few)}: no model, and too few slices to match"


def _unknown_target(advice: Advice) -> Iterator[str]:
    labels = _named(advice.kernels[one].label for one in advice.candidates)
    why = "names do not tell which that is"
    if advice.is_measured:
        why += ", and these images show too little"
    yield f"The best target is the softest kernel. Of {labels}, {why}. {_softest(advice)}".rstrip()
    if not advice.is_measured:
        yield "To measure it:"
        yield f"  {measure_command(advice.root)}"
    known = [one for one in advice.kernels.values() if not one.match.problem]
    for source in known[1:]:
        yield from _match(advice, source, known[0], "could be matched, either way:")


def _softest(advice: Advice) -> str:
    """Say which kernel is the softest of those that were compared; nothing if that is not known."""
    if advice.softest is None:
        return ""
    others = [advice.kernels[one].label for one in advice.compared if one != advice.softest]
    how = (
        "these series show" if advice.is_measured else "the images that models were made from show"
    )
    return f"As {how}, {advice.kernels[advice.softest].label} is not sharper than {_named(others)}."


def _route(advice: Advice, route: Route, target: KernelAdvice) -> Iterator[str]:
    kernel = route.kernel
    takes = [f"{name} takes {count}" for name, count in route.models.items()] or ["no model"]
    yield f"- {kernel.label}, {kernel.series} series of {_facts(kernel)}: {_named(takes)}"
    if kernel.series in route.models.values():
        return
    if route.pairs is not None:
        yield "  train one with the pairs above"
    elif kernel.match.problem or target.match.problem:
        problem = _named(
            f"{one.label} {one.match.problem}" for one in (kernel, target) if one.match.problem
        )
        yield f"  none can be matched: {problem}"
    else:
        yield from _match(advice, kernel, target, "could be matched:")


def _match(advice: Advice, source: KernelAdvice, target: KernelAdvice, how: str) -> Iterator[str]:
    yield f"  {source.label} and {target.label} {how}"
    for one in (source, target):
        if one.reconstructions:
            yield f"  {_with_reconstruction(one)}: where that is not linear, a match goes wrong"
    yield f"  {match_command(advice.root, source, target)}"


def _with_reconstruction(kernel: KernelAdvice) -> str:
    stated = ", ".join(kernel.reconstructions)
    return f"{kernel.label} states {stated}" if stated else kernel.label


def _facts(kernel: KernelAdvice) -> str:
    thickness = f"slices of {_span(kernel.thickness)} mm" if kernel.thickness else "slices"
    if kernel.noise_hu is None:
        return f"{thickness}, noise not measured"
    low, high = (f"{value:.0f}" for value in kernel.noise_hu)
    return f"{thickness}, noise {low if low == high else f'{low} to {high}'} HU"


def _span(limits: tuple[float, float]) -> str:
    low, high = map(number, limits)
    return low if low == high else f"{low} to {high}"


def _named(labels: Iterable[str]) -> str:
    *first, last = labels
    return f"{', '.join(first)} and {last}" if first else last
