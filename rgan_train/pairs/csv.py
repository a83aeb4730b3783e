"""The list of pairs: a CSV file with one row per pair, for people to read and edit.

A row is symmetric. The configuration of a training run decides which kernel is the source. The
names of folders are written byte for byte: they need not be UTF-8, and may begin or end in a blank.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from rgan_sdk.errors import OutputError, TrainingError
from rgan_sdk.files import atomic_write, decode_text, find_delimiter, is_utf8
from rgan_train.pairs.find import Pair

COLUMNS = tuple(field.name for field in dataclasses.fields(Pair))
OPTIONAL_COLUMNS = frozenset({"split"})
FOLDER_COLUMNS = ("folder_a", "folder_b")
FOLDER_ERRORS = "surrogateescape"
"""What stands for bytes that are not UTF-8, in the names of folders as ``pathlib`` gives them."""

COUNT_COLUMNS = ("slices", "rows", "columns")
FILLED_COLUMNS = ("patient", "kernel_a", "kernel_b", "series_a", "series_b", *FOLDER_COLUMNS)


@dataclass(frozen=True)
class PairList(Sequence[Pair]):
    """The pairs of a CSV file.

    Attributes
    ----------
    pairs
        In the order of the rows; folders are absolute.
    sha256
        Hash of the file's content, hexadecimal.
    """

    pairs: tuple[Pair, ...]
    sha256: str

    def __len__(self) -> int:
        return len(self.pairs)

    @overload
    def __getitem__(self, index: int) -> Pair: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Pair, ...]: ...

    def __getitem__(self, index: int | slice) -> Pair | tuple[Pair, ...]:
        return self.pairs[index]


def write_pairs(pairs: Sequence[Pair], path: Path) -> None:
    """Write a list of pairs.

    A folder below that of the CSV file is written relative to it, others as they are.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            atomic_write(path) as temporary,
            temporary.open("w", newline="", encoding="utf-8", errors=FOLDER_ERRORS) as file,
        ):
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            for pair in pairs:
                row = dataclasses.asdict(pair)
                for column in FOLDER_COLUMNS:
                    row[column] = _shorten(row[column], path.parent)
                writer.writerow(row)
    except OSError as exc:
        raise OutputError(f"{path}: the list of pairs cannot be written ({exc.strerror})") from exc


def read_pairs(path: Path) -> PairList:
    """Read a list of pairs, whose cells are parted by commas, semicolons or tabs.

    Raises
    ------
    TrainingError
        If the file cannot be read, lacks a column or a value, or has no rows.
    """
    try:
        content = path.read_bytes()
        text = decode_text(content, FOLDER_ERRORS)
        delimiter = find_delimiter(text, FILLED_COLUMNS)
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
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
    pairs = [
        _parse_row(row, f"{path}, row {number}", path.parent) for number, row in enumerate(rows, 1)
    ]
    return PairList(tuple(pairs), hashlib.sha256(content).hexdigest())


def _shorten(folder: Path, base: Path) -> str:
    """Return a folder relative to ``base`` if it lies below it."""
    base = base.resolve()
    return str(folder.relative_to(base) if folder.is_relative_to(base) else folder)


def _parse_row(row: dict[str, str | None], where: str, base: Path) -> Pair:
    text = {name: row.get(name) or "" for name in COLUMNS}
    for name in COLUMNS:
        if name not in FOLDER_COLUMNS:
            text[name] = text[name].strip()
            _require_utf8(text[name], f"{where}: {name}")
    for name in FILLED_COLUMNS:
        if not text[name]:
            raise TrainingError(f"{where}: {name} is empty")
    counts = {}
    for name in COUNT_COLUMNS:
        if not text[name].isdecimal():
            raise TrainingError(f"{where}: {name} is {text[name]!r}, not a number")
        counts[name] = int(text[name])
    folders = {name: (base / text[name]).resolve() for name in FOLDER_COLUMNS}
    for name, folder in folders.items():
        if not folder.exists():
            _require_utf8(text[name], f"{where}: there is no folder {folder}, and {name}")
    return Pair(**{**text, **counts, **folders})  # type: ignore[arg-type]


def _require_utf8(text: str, what: str) -> None:
    if not is_utf8(text):
        raise TrainingError(f"{what} is not UTF-8; save the list as CSV UTF-8")
