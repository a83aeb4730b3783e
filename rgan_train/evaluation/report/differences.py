"""The table of differences between methods, and its rows for ``differences.csv``."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from rgan_train.evaluation.metrics.blocks import MANY_PATIENTS
from rgan_train.evaluation.metrics.stability import Stability
from rgan_train.evaluation.report.table import Column, Table
from rgan_train.evaluation.report.texts import format_number, pluralize
from rgan_train.evaluation.results import INPUT, THRESHOLDS, Difference, Evaluation

MOST_ROWS: Final = 15
"""Most pairs of methods that the table shows; with more of them, only those with the input."""


class _Measure(NamedTuple):
    over: str
    label: str
    digits: int


def difference_table(evaluation: Evaluation) -> Table:
    """Return a table with a row for each pair of methods."""
    rows: dict[str, list[Difference]] = {}
    for one in _shown(evaluation):
        rows.setdefault(f"{one.method} − {one.other}", []).append(one)
    by_measure = [[_measure(one) for one in found] for found in rows.values()]
    columns = []
    for number, (over, label, digits) in enumerate(by_measure[0]):
        column = [found[number] for found in rows.values()]
        texts = [format_difference(one, digits) for one in column]
        values = [one.value for one in column]
        columns.append(Column(over, label, texts, values, [math.nan] * len(column)))
    title = "Differences between methods on the same slices"
    return Table("differences", title, list(rows), columns, _remarks(evaluation))


def difference_rows(evaluation: Evaluation) -> Iterator[Sequence[Any]]:
    """Yield the rows of ``differences.csv``, with its heading; empty cells for NaN."""
    names = [field.name for field in dataclasses.fields(Difference) if field.name != "interval"]
    yield (*names, "low", "high")
    for one in evaluation.differences:
        numbers = [one.value, *one.interval]
        value, low, high = ["" if math.isnan(number) else number for number in numbers]
        named = dataclasses.asdict(one) | {"value": value}
        yield (*(named[name] for name in names), low, high)


def describe_scope(evaluation: Evaluation) -> str:
    """Return for whom results hold: with few patients, or known ones, for these patients only."""
    drawn: list[Difference | Stability] = [*evaluation.differences, *evaluation.stability]
    widest = max(drawn, key=lambda one: one.patients, default=None)
    if widest and widest.block == 0:
        return ""
    patients = evaluation.patients
    count = "one patient" if patients == 1 else f"{patients} patients"
    known = ", some of them known from training" if patients >= MANY_PATIENTS else ""
    return f"Descriptive: {count}{known}."


def format_difference(one: Difference, digits: int) -> str:
    """Return a difference with its limits: ``+595 (+560 to +623)``."""
    text = format_number(one.value, digits, plus="+")
    if not one.has_limits:
        return text
    low, high = (format_number(limit, digits, plus="+") for limit in one.interval)
    return f"{text} ({low} to {high})"


def _shown(evaluation: Evaluation) -> list[Difference]:
    methods = len(evaluation.methods)
    if methods * (methods - 1) // 2 <= MOST_ROWS:
        return list(evaluation.differences)
    return [one for one in evaluation.differences if one.other == INPUT]


def _measure(one: Difference) -> _Measure:
    if one.measure == "psnr_db":
        return _Measure("image quality", "PSNR, dB", 2)
    if one.measure == "ssim":
        return _Measure("image quality", "SSIM", 4)
    return _Measure(one.group, "features", 0)


def _remarks(evaluation: Evaluation) -> list[str]:
    drawn = {
        f"{pluralize(one.patients, 'patient')}"
        if one.block == 0
        else f"blocks of {pluralize(one.block, 'neighbouring slice')}"
        for one in evaluation.differences
    }
    shown = len({(one.method, one.other) for one in _shown(evaluation)})
    total = len({(one.method, one.other) for one in evaluation.differences})
    remarks = [
        "PSNR and SSIM: means over slices. Features: how many have a CCC above "
        f"{THRESHOLDS[0]:.2f} in each group of regions. In brackets 95 % limits of each single "
        f"difference from a paired bootstrap, which draws {' or '.join(sorted(drawn))} for all "
        "methods alike.",
        "Each pair stands for itself: among many pairs, some limits miss 0 by chance.",
        describe_scope(evaluation),
        f"All {total} pairs of methods are in differences.csv." if shown < total else "",
    ]
    return list(filter(None, remarks))
