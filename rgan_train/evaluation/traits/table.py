"""The feature table of a comparison of traits: a row for each case and variant."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from rgan_sdk.errors import ConfigurationError
from rgan_sdk.files import decode_text, find_delimiter
from rgan_train.evaluation.features.table import FACTS
from rgan_train.evaluation.results import TARGET
from rgan_train.evaluation.traits.traits import Cohort

COLUMNS: Final = ("case", "label", "variant")


def read_cohort(path: Path, region: str | None = None) -> Cohort:
    """Read a table of features.

    Parameters
    ----------
    path
        CSV, parted by commas or semicolons, with a row for each case and variant. It has the
        columns ``case``, ``label`` (two values) and ``variant`` (one is ``target``), perhaps others
        of ``FACTS``, and a feature in each other column. An empty cell is a missing value.
    region
        Which rows count, by the column ``region``; None where all have the same one.

    Returns
    -------
    Cohort
        Without cases that lack a variant. Of the remaining rows, features that are not finite
        everywhere or constant in every variant are also left out.

    Raises
    ------
    ConfigurationError
        If the file cannot be read, is no such table, or nothing remains.
    """
    features, rows = _read_rows(path)
    rows = _of_region(path, rows, region)
    variants = list(dict.fromkeys(row.variant for row in rows))
    if TARGET not in variants or len(variants) < 2:
        raise ConfigurationError(
            f"{path}: the column variant needs {TARGET!r} and at least one other, such as source"
        )
    variants.sort(key=TARGET.__eq__)
    by_case = _by_case(path, rows)
    complete = [case for case in by_case.values() if len(case) == len(variants)]
    labels = np.array([case[TARGET].label for case in complete])
    groups = sorted(set(labels.tolist()))
    if len(groups) != 2:
        raise ConfigurationError(
            f"{path}: the column label has {len(groups)} value(s) in the {len(complete)} case(s) "
            "that have every variant; expected two, such as benign and malignant"
        )
    values = np.array([[case[variant].values for case in complete] for variant in variants])
    finite = np.isfinite(values).all(axis=(0, 1))
    varies = (values != values[:, :1]).any(axis=(0, 1))
    kept = finite & varies
    if not kept.any():
        raise ConfigurationError(
            f"{path}: no feature varies and has a finite value in every row; leave out the rows "
            "that lack values"
        )
    return Cohort(
        groups=(groups[0], groups[1]),
        in_second=labels == groups[1],
        features=tuple(name for name, keep in zip(features, kept, strict=True) if keep),
        values=dict(zip(variants, values[:, :, kept], strict=True)),
        excluded={
            "cases without every variant": len(by_case) - len(complete),
            "features not finite everywhere": int((~finite).sum()),
            "features constant in every variant": int((finite & ~varies).sum()),
        },
    )


@dataclass(frozen=True)
class _Row:
    number: int
    case: str
    label: str
    variant: str
    region: str
    values: list[float]


def _of_region(path: Path, rows: list[_Row], wanted: str | None) -> list[_Row]:
    """Return the rows of one region."""
    regions = list(dict.fromkeys(row.region for row in rows))
    if wanted is None and len(regions) > 1:
        raise ConfigurationError(
            f"{path}: has {len(regions)} regions; choose one with --region: "
            f"{', '.join(map(repr, regions))}"
        )
    if wanted is not None and wanted not in regions:
        raise ConfigurationError(
            f"{path}: has no region {wanted!r}; it has {', '.join(map(repr, regions))}"
        )
    return [row for row in rows if wanted in (None, row.region)]


def _read_rows(path: Path) -> tuple[list[str], list[_Row]]:
    """Return the names of the features and the rows."""
    try:
        text = decode_text(path.read_bytes())
        delimiter = find_delimiter(text, COLUMNS)
        table = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise ConfigurationError(f"{path}: is no readable CSV file ({exc})") from exc
    header, *lines = table or [[]]
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise ConfigurationError(f"{path}: the columns {', '.join(missing)} are missing")
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise ConfigurationError(f"{path}: several columns are called {twice[0]!r}")
    features = [name for name in header if name not in FACTS]
    if delimiter != ",":
        lines = _with_decimal_points(header, lines)
    rows = [_parse(path, number, header, line) for number, line in enumerate(lines, 1) if line]
    if not features or not rows:
        raise ConfigurationError(f"{path}: has no features or no rows")
    return features, rows


def _with_decimal_points(header: Sequence[str], lines: list[list[str]]) -> list[list[str]]:
    """Return lines with points for decimal commas, unless a number has a point already.

    Spreadsheets part cells by semicolons or tabs where the comma is the decimal sign. Where points
    occur too, a comma may part thousands, and stays.
    """
    numbers = [index for index, name in enumerate(header) if name not in FACTS]
    if any("." in line[index] for line in lines for index in numbers if index < len(line)):
        return lines
    return [
        [cell.replace(",", ".") if index in numbers else cell for index, cell in enumerate(line)]
        for line in lines
    ]


def _parse(path: Path, number: int, header: Sequence[str], line: Sequence[str]) -> _Row:
    where = f"{path}, row {number}"
    if len(line) != len(header):
        raise ConfigurationError(f"{where}: {len(line)} cells for {len(header)} columns")
    cells = {name: cell.strip() for name, cell in zip(header, line, strict=True)}
    case, label, variant = (cells[name] for name in COLUMNS)
    region = cells.get("region", "")
    if not (case and label and variant):
        raise ConfigurationError(f"{where}: one of {', '.join(COLUMNS)} is empty")
    values = []
    for name, cell in cells.items():
        if name in FACTS:
            continue
        try:
            values.append(float(cell) if cell else math.nan)
        except ValueError as exc:
            raise ConfigurationError(
                f"{where}: {name} is not a number; remove columns that are not features"
            ) from exc
    return _Row(number, case, label, variant, region, values)


def _by_case(path: Path, rows: Sequence[_Row]) -> dict[str, dict[str, _Row]]:
    """Return the rows of each case by variant. Messages name rows, as a case may name a person."""
    cases: dict[str, dict[str, _Row]] = {}
    for row in rows:
        case = cases.setdefault(row.case, {})
        for other in case.values():
            if other.variant == row.variant or other.label != row.label:
                what = "the same variant" if other.variant == row.variant else "another label"
                raise ConfigurationError(
                    f"{path}, row {row.number}: has the case of row {other.number}, with {what}"
                )
        case[row.variant] = row
    return cases
