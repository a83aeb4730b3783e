"""The report of an evaluation: a page that opens from disk, and its figures for other programs."""

from __future__ import annotations

import base64
import csv
import dataclasses
import gzip
import hashlib
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, Final

import numpy as np

from rgan_sdk.errors import OutputError
from rgan_train.evaluation.metrics.reproducibility import count_by_class
from rgan_train.evaluation.report.charts import THRESHOLD, best_method, chart_data
from rgan_train.evaluation.report.tables import (
    Table,
    counted,
    groups_of,
    make_tables,
    sample_of,
    shown_count,
    slices_of,
    to_html,
    to_latex,
    to_markdown,
)
from rgan_train.evaluation.results import (
    INPUT,
    Agreement,
    Count,
    Evaluation,
    filter_and_class,
)

SCHEMA: Final = 1
FEW_REGIONS: Final = 100
FEW_SLICES: Final = 20
"""Percentile limits of the bootstrap are too narrow for fewer."""

AGREEMENT_COLUMNS: Final = (
    *("group", "method", "feature", "filter", "class"),
    *("ccc", "ccc_low", "ccc_high"),
    *("icc", "icc_low", "icc_high"),
)
REGION_COLUMNS: Final = ("group", "repeat", "slice", "pixels", "variant")


def write_report(evaluation: Evaluation, folder: Path) -> Path:
    """Write ``report.html``, and beside it the figures for other programs.

    These are ``results.json`` (counts, image quality, notes, provenance), ``agreement.csv`` (each
    group, method and feature), ``features.csv.gz`` (each region and variant), and the tables as
    ``tables.md`` and ``tables.tex``.

    Parameters
    ----------
    folder
        Made where it is absent; files of an earlier report are replaced.

    Returns
    -------
    Path
        Of ``report.html``: one file that needs nothing else, and no network.

    Raises
    ------
    OutputError
        If something cannot be written.
    """
    tables = make_tables(evaluation)
    texts = {
        "results.json": json.dumps(results(evaluation), indent=2, allow_nan=False) + "\n",
        "tables.md": "\n".join(map(to_markdown, tables)),
        "tables.tex": "% Needs \\usepackage{booktabs}.\n" + "\n".join(map(to_latex, tables)),
        "report.html": _page(evaluation, tables),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_csv(folder / "agreement.csv", _agreement_rows(evaluation))
        _write_csv(folder / "features.csv.gz", _feature_rows(evaluation))
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as exc:
        raise OutputError(f"{folder}: the report cannot be written ({exc.strerror})") from exc
    return folder / "report.html"


def _write_csv(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    with path.open("wb") as file:
        packed = gzip.GzipFile("", "wb", 6, file, mtime=0) if path.suffix == ".gz" else file
        with io.TextIOWrapper(packed, encoding="utf-8", newline="") as text:
            csv.writer(text).writerows(rows)


def results(evaluation: Evaluation) -> dict[str, Any]:
    """Return all but images and the features themselves as JSON data.

    Numbers that are undefined or infinite are None.
    """
    found = {
        "schema": SCHEMA,
        "source_kernel": evaluation.source_kernel,
        "target_kernel": evaluation.target_kernel,
        "patients": evaluation.patients,
        "manufacturers": evaluation.manufacturers,
        "slices": len(evaluation.pixel_spacings),
        "features": len(evaluation.table.names),
        "methods": evaluation.methods,
        "agreement": [
            {
                "group": agreement.group,
                "method": agreement.method,
                "regions": agreement.regions,
                "slices": agreement.slices,
                "reproducible": agreement.counts,
            }
            for agreement in evaluation.agreements
        ],
        "quality": evaluation.quality,
        "notes": evaluation.notes,
        "provenance": evaluation.provenance,
    }
    plain: dict[str, Any] = _plain(found)
    return plain


def _plain(value: Any) -> Any:
    """Turn dataclasses and arrays into what JSON has."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _agreement_rows(evaluation: Evaluation) -> Iterator[Sequence[Any]]:
    yield AGREEMENT_COLUMNS
    for found in evaluation.agreements:
        numbers = np.column_stack([found.ccc, found.ccc_interval, found.icc, found.icc_interval])
        for name, row in zip(evaluation.table.names, numbers.tolist(), strict=True):
            yield (found.group, found.method, name, *filter_and_class(name), *_or_empty(row))


def _feature_rows(evaluation: Evaluation) -> Iterator[Sequence[Any]]:
    yield (*REGION_COLUMNS, *evaluation.table.names)
    for variant in evaluation.images:
        values = evaluation.table.values[variant].tolist()
        for roi, row in zip(evaluation.table.rois, values, strict=True):
            region = roi.group, roi.repeat, roi.slice_number, roi.pixels, variant
            yield (*region, *_or_empty(row))


def _or_empty(row: Sequence[float]) -> list[float | str]:
    """Return numbers, which ``csv`` writes with all their digits; NaN is an empty cell."""
    return ["" if math.isnan(value) else value for value in row]


def _page(evaluation: Evaluation, tables: Sequence[Table]) -> str:
    *features, quality, bias = map(to_html, tables)
    script = _template("report.js")
    data = json.dumps(chart_data(evaluation), allow_nan=False).replace("<", "\\u003c")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    size = [
        counted(len(evaluation.table.names), "feature"),
        counted(len(evaluation.table.rois), "region"),
        counted(len(evaluation.pixel_spacings), "slice"),
        counted(evaluation.patients, "patient"),
        *evaluation.manufacturers,
    ]
    return Template(_template("report.html")).substitute(
        kernels=escape(f"{evaluation.source_kernel} → {evaluation.target_kernel}"),
        size=escape(", ".join(size)),
        threshold=THRESHOLD,
        sample=escape(slices_of(evaluation)),
        verdict=escape(_verdict(evaluation)),
        findings="".join(map(_html_finding, _findings(evaluation, tables[-2]))),
        warnings=_html_list(_warnings(evaluation)),
        features="".join(features),
        quality=quality + bias,
        provenance=_html_nested(evaluation.provenance),
        style=_template("report.css"),
        data=data,
        script=script,
        script_sha256=digest,
    )


def _template(name: str) -> str:
    folder = files("rgan_train.evaluation.report").joinpath("templates")
    return folder.joinpath(name).read_text(encoding="utf-8")


def _html_list(items: Sequence[str]) -> str:
    return "".join(f"<li>{escape(item)}</li>" for item in items)


def _html_finding(finding: tuple[str, str, str]) -> str:
    about, sample, text = map(escape, finding)
    return f"<li><b>{about}</b> <small>{sample}</small>\n{text}</li>"


def _html_nested(value: Any) -> str:
    """Write JSON data as nested lists; what is inside another is folded away."""
    if isinstance(value, Mapping):
        return f"<ul>{''.join(f'<li>{_html_entry(k, v)}</li>' for k, v in value.items())}</ul>"
    if isinstance(value, list | tuple):
        return f"<ul>{''.join(f'<li>{_html_nested(item)}</li>' for item in value)}</ul>"
    return escape(value if isinstance(value, str) else json.dumps(value))


def _html_entry(key: str, value: Any) -> str:
    if isinstance(value, Mapping | list | tuple) and value:
        return f"<details><summary>{escape(key)}</summary>{_html_nested(value)}</details>"
    return f"<b>{escape(key)}</b> {_html_nested(value)}"


def _verdict(evaluation: Evaluation) -> str:
    """Say in which groups of regions a model is better than the input."""
    groups = groups_of(evaluation)
    if not groups:
        return "No group has the three regions that a comparison needs."
    if list(evaluation.methods) == [INPUT]:
        return "There is no model: this is how the input agrees with the target."
    if all(agreement.slices == 1 for agreement in evaluation.agreements):
        return "One slice cannot say: there are no intervals, so no difference is beyond doubt."
    helped = [group for group in groups if _helps(evaluation, group)]
    other = [group for group in groups if group not in helped]
    verdict = (
        f"Harmonization helps in {len(helped)} of {counted(len(groups), 'group')} of regions: "
        "there a model reproduces more features than the input, and their intervals are apart."
        if helped
        else "In no group of regions is a model better than the input beyond doubt: either it "
        "reproduces no more features, or the intervals overlap."
    )
    return f"{verdict} No such gain in {_and(other)}." if helped and other else verdict


def _helps(evaluation: Evaluation, group: str) -> bool:
    counts = _counts(evaluation, group)
    return _is_above(counts[best_method(evaluation, [group])], counts[INPUT])


def _findings(evaluation: Evaluation, quality: Table) -> list[tuple[str, str, str]]:
    """Say of what, from how much, who is best, who is level, and who is worse than the input."""
    features = [
        (group, sample_of(evaluation, group), _group_finding(evaluation, group))
        for group in groups_of(evaluation)
    ]
    return [*features, ("Image quality", slices_of(evaluation), _quality_finding(quality))]


def _counts(evaluation: Evaluation, group: str) -> dict[str, Count]:
    return {
        method: evaluation.agreement(group, method).counts[THRESHOLD]
        for method in evaluation.methods
    }


def _is_above(one: Count, other: Count) -> bool:
    """Tell whether an interval lies above another; never so where there are none."""
    return one.interval[0] > other.interval[1]


def _with_counts(counts: Mapping[str, Count], methods: Sequence[str]) -> str:
    return _and([f"{method} {shown_count(counts[method])}" for method in methods])


def _and(items: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(items[:-1]), items[-1]]))


def _group_finding(evaluation: Evaluation, group: str) -> str:
    counts = _counts(evaluation, group)
    best = best_method(evaluation, [group])
    models = [method for method in counts if method not in (INPUT, best)]
    level = [m for m in models if not _is_above(counts[best], counts[m])]
    worse = [m for m in counts if counts[m].features < counts[INPUT].features]
    reproduced = f"{shown_count(counts[best])} of {counts[best].total:,} features"
    if best == INPUT:
        return f"The input reproduces {reproduced}."
    sentences = [f"{best} reproduces {reproduced}, the input {shown_count(counts[INPUT])}."]
    if math.isnan(counts[best].interval[0]):
        sentences.append("One slice gives no intervals, so no difference is beyond doubt.")
    else:
        if not _is_above(counts[best], counts[INPUT]):
            sentences.append("Their intervals overlap: no clear gain.")
        if level:
            sentences.append(f"Intervals overlap with {_with_counts(counts, level)}.")
        elif models:
            sentences.append("Its interval is above that of every other model.")
    if worse:
        sentences.append(f"Fewer than the input: {_with_counts(counts, worse)}.")
    sentences.append(_class_finding(evaluation.agreement(group, best), evaluation.table.names))
    return " ".join(filter(None, sentences))


def _class_finding(agreement: Agreement, names: Sequence[str]) -> str:
    """Say which feature class a model reproduces best, and which worst."""
    totals: dict[str, tuple[int, int]] = {}
    for (_, name), (above, total) in count_by_class(agreement, names, THRESHOLD).items():
        earlier = totals.get(name, (0, 0))
        totals[name] = earlier[0] + above, earlier[1] + total
    shares = {name: above / total for name, (above, total) in totals.items() if total}
    if not shares:
        return ""
    most, least = max(shares, key=shares.__getitem__), min(shares, key=shares.__getitem__)
    if shares[most] == shares[least]:
        return ""
    return (
        f"{agreement.method} does best on {most} ({shares[most]:.0%} of its features) and worst on "
        f"{least} ({shares[least]:.0%})."
    )


def _quality_finding(table: Table) -> str:
    """Say which method is best by each measure, a line for each."""
    row = table.methods.index(INPUT)
    lines = []
    for column in table.columns:
        best = _and([table.methods[number] for number in sorted(column.best)])
        ranked = zip(table.methods, column.badness, strict=True)
        worse = [method for method, bad in ranked if bad > column.badness[row]]
        lines.append(
            f"Best {column.label}: {best}, {column.texts[min(column.best)]}; input "
            f"{column.texts[row]}." + (f" Worse than the input: {_and(worse)}." if worse else "")
        )
    return "\n".join(lines)


def _warnings(evaluation: Evaluation) -> list[str]:
    """Say what limits the conclusions."""
    slices = len(evaluation.pixel_spacings)
    compared = groups_of(evaluation)
    regions = {group: len(evaluation.table.rows(group)) for group in evaluation.table.groups}
    few = [f"{group} ({regions[group]})" for group in compared if regions[group] < FEW_REGIONS]
    left_out = [group for group in regions if group not in compared]
    warnings = [
        "Regions of one slice are not independent. Intervals are from resampled slices; those "
        "of ICC and the limits of agreement count regions as independent, and are too narrow."
    ]
    if evaluation.patients == 1:
        warnings.append(
            "One patient: nothing here says how a method does on another patient or scanner."
        )
    if slices < FEW_SLICES:
        warnings.append(
            f"{counted(slices, 'slice')}: with fewer than {FEW_SLICES}, intervals are too narrow."
        )
    if few:
        warnings.append(f"Fewer than {FEW_REGIONS} regions: {_and(few)}.")
    if left_out:
        warnings.append(f"Fewer than three regions, so not compared: {_and(left_out)}.")
    return [*warnings, *evaluation.notes]
