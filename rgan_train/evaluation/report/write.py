"""The report of an evaluation: a page that opens from disk, and its results for other programs."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from rgan_sdk.errors import OutputError
from rgan_train.evaluation.lungs.density import LungDensity
from rgan_train.evaluation.report.differences import difference_rows
from rgan_train.evaluation.report.page import render_page
from rgan_train.evaluation.report.table import Table, to_latex, to_markdown
from rgan_train.evaluation.report.tables import make_tables
from rgan_train.evaluation.report.trust import stable_rows
from rgan_train.evaluation.results import Agreement, Evaluation, filter_and_class

SCHEMA: Final = 1

NAME_ERRORS: Final = "replace"
"""A report is UTF-8: names of files that are not show question marks."""

AGREEMENT_COLUMNS: Final = (
    "group",
    "method",
    "feature",
    "filter",
    "class",
    "ccc",
    "ccc_low",
    "ccc_high",
    "icc",
    "icc_low",
    "icc_high",
)
REGION_COLUMNS: Final = ("group", "repeat", "slice", "pixels", "variant")


def write_report(evaluation: Evaluation, folder: Path) -> Path:
    """Write ``report.html``, and beside it the results for other programs.

    These are ``results.json`` (counts, image quality, differences, notes, provenance),
    ``agreement.csv`` (a row for each group, method or control, and feature), ``differences.csv``
    (a row for each pair of methods, measure and group), ``stable_features.csv`` (a row for each
    model, group and stable feature), ``features.csv.gz`` (a row for each region and variant),
    ``lung.csv`` (a row for each scan with lungs and variant), and the tables as ``tables.md`` and
    ``tables.tex``.

    Parameters
    ----------
    folder
        Created if it does not exist. Files of an earlier report are replaced.

    Returns
    -------
    Path
        Path of ``report.html``, which needs no other file and no network.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    tables = make_tables(evaluation)
    rows = {
        "agreement.csv": _agreement_rows(evaluation),
        "differences.csv": difference_rows(evaluation),
        "stable_features.csv": stable_rows(evaluation),
        "features.csv.gz": _feature_rows(evaluation),
        "lung.csv": _lung_rows(evaluation),
    }
    page = render_page(evaluation, tables)
    return write_files(folder, page, tables, results_data(evaluation), rows)


def write_files(
    folder: Path,
    page: str,
    tables: Sequence[Table],
    data: dict[str, Any],
    rows: Mapping[str, Iterable[Sequence[Any]]],
) -> Path:
    """Write ``report.html``, tables, ``results.json`` and CSV files; return the page's path.

    Parameters
    ----------
    rows
        By name of the file.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    texts = {
        "results.json": json.dumps(data, indent=2, allow_nan=False) + "\n",
        "tables.md": "\n".join(map(to_markdown, tables)),
        "tables.tex": "% Needs \\usepackage{booktabs}.\n" + "\n".join(map(to_latex, tables)),
        "report.html": page,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, lines in rows.items():
            write_csv(folder / name, lines)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8", errors=NAME_ERRORS)
    except OSError as exc:
        raise OutputError(f"{folder}: the report cannot be written ({exc.strerror})") from exc
    return folder / "report.html"


def write_csv(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows; packed where the name ends with ``.gz``."""
    with path.open("wb") as file:
        packed = gzip.GzipFile("", "wb", 6, file, mtime=0) if path.suffix == ".gz" else file
        with io.TextIOWrapper(packed, "utf-8", NAME_ERRORS, newline="") as text:
            csv.writer(text).writerows(rows)


def results_data(evaluation: Evaluation) -> dict[str, Any]:
    """Return everything but images and features as JSON data.

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
        "agreement": [_counts(one.method, one) for one in evaluation.agreements],
        "controls": [
            _counts(name, one)
            for name, row in evaluation.controls.rows.items()
            for one in row.values()
        ],
        "quality": evaluation.quality,
        "differences": evaluation.differences,
        "lungs": [
            {
                "patient": case.patient,
                "slices": case.slices,
                "volume_ml": case.volume_ml,
                "off_protocol": case.off_protocol,
                "densities": case.densities,
            }
            for case in evaluation.lungs
        ],
        "notes": evaluation.notes,
        "provenance": evaluation.provenance,
    }
    data: dict[str, Any] = plain(found)
    return data


def plain(value: Any) -> Any:
    """Turn dataclasses and arrays into JSON data, with None for what is not finite."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _counts(row: str, agreement: Agreement) -> dict[str, Any]:
    return {
        "group": agreement.group,
        "method": row,
        "regions": agreement.regions,
        "slices": agreement.slices,
        "reproducible": agreement.counts,
    }


def _agreement_rows(evaluation: Evaluation) -> Iterator[Sequence[Any]]:
    yield AGREEMENT_COLUMNS
    named = [(one.method, one) for one in evaluation.agreements]
    for control, by_group in evaluation.controls.rows.items():
        named += [(control, one) for one in by_group.values()]
    for method, found in named:
        numbers = np.column_stack([found.ccc, found.ccc_interval, found.icc, found.icc_interval])
        for name, row in zip(evaluation.table.names, numbers.tolist(), strict=True):
            yield (found.group, method, name, *filter_and_class(name), *_or_empty(row))


def _feature_rows(evaluation: Evaluation) -> Iterator[Sequence[Any]]:
    yield (*REGION_COLUMNS, *evaluation.table.names)
    for variant in evaluation.images:
        values = evaluation.table.values[variant].tolist()
        for roi, row in zip(evaluation.table.rois, values, strict=True):
            region = roi.group, roi.repeat, roi.slice_number, roi.pixels, variant
            yield (*region, *_or_empty(row))


def _lung_rows(evaluation: Evaluation) -> Iterator[Sequence[Any]]:
    names = [field.name for field in dataclasses.fields(LungDensity)]
    yield ("patient", "slices", "volume_ml", "off_protocol", "variant", *names)
    for case in evaluation.lungs:
        scan = case.patient, len(case.slices), case.volume_ml, "; ".join(case.off_protocol)
        for variant, density in case.densities.items():
            yield (*scan, variant, *dataclasses.astuple(density))


def _or_empty(row: Sequence[float]) -> list[float | str]:
    """Return an empty cell for NaN; ``csv`` writes the other numbers with all their digits."""
    return ["" if math.isnan(value) else value for value in row]
