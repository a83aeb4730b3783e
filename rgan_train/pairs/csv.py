"""The list of pairs: a CSV file, one row for each pair, to be read and edited by people.

A row is symmetric: which kernel is the source is decided by the configuration of a
training run.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from rgan_sdk.errors import OutputError, TrainingError
from rgan_train.pairs.find import Pair

COLUMNS = tuple(field.name for field in dataclasses.fields(Pair))
OPTIONAL_COLUMNS = frozenset({"split"})


def write_pairs(pairs: Sequence[Pair], path: Path) -> None:
    """Write the list of pairs; folders below the file's own are written relative to it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            for pair in pairs:
                row = dataclasses.asdict(pair)
                for column in ("folder_a", "folder_b"):
                    row[column] = _relative(row[column], path.parent)
                writer.writerow(row)
    except OSError as exc:
        raise OutputError(f"{path}: the list of pairs cannot be written ({exc.strerror})") from exc


def read_pairs(path: Path) -> list[Pair]:
    """Read a list of pairs.

    Raises
    ------
    TrainingError
        If the file cannot be read, lacks a column or a value, or has no rows.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
            columns = reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise TrainingError(f"{path}: not a readable list of pairs ({exc})") from exc
    missing = [name for name in COLUMNS if name not in columns and name not in OPTIONAL_COLUMNS]
    if missing:
        raise TrainingError(
            f"{path}: the columns {', '.join(missing)} are missing; write the list with "
            "`rgan-train pair`"
        )
    if not rows:
        raise TrainingError(f"{path}: lists no pair")
    return [_parse(row, f"{path}, row {number}", path.parent) for number, row in enumerate(rows, 1)]


def _relative(folder: Path, base: Path) -> str:
    base = base.resolve()
    return str(folder.relative_to(base) if folder.is_relative_to(base) else folder)


def _parse(row: dict[str, str | None], where: str, base: Path) -> Pair:
    text = {name: (row.get(name) or "").strip() for name in COLUMNS}
    for name in ("patient", "kernel_a", "kernel_b", "series_a", "series_b", "folder_a", "folder_b"):
        if not text[name]:
            raise TrainingError(f"{where}: {name} is empty")
    numbers = {}
    for name in ("slices", "rows", "columns"):
        if not text[name].isdecimal():
            raise TrainingError(f"{where}: {name} is {text[name]!r}, not a number")
        numbers[name] = int(text[name])
    folders = {name: (base / text[name]).resolve() for name in ("folder_a", "folder_b")}
    return Pair(**{**text, **numbers, **folders})  # type: ignore[arg-type]
