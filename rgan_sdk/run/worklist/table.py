"""The work list: a CSV file with one row per series, for people to read and to shorten.

What holds for all rows, the root and the timestamp, stands in each of them, so that any program
that reads tables reads the list, and rows can be deleted one by one.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Final, Self

from rgan_sdk.dicom.series import Series, hash_slices
from rgan_sdk.errors import ConfigurationError, OutputError
from rgan_sdk.files import as_path, atomic_write, decode_text, find_delimiter, is_utf8
from rgan_sdk.model import stored_name
from rgan_sdk.run.options import Shard
from rgan_sdk.run.places.folders import common_folder, folders_of

COLUMNS: Final = (
    "root",
    "timestamp",
    "series",
    "group",
    "folder",
    "files",
    "kernel",
    "spacing",
    "model",
    "sources",
)
MAY_BE_EMPTY: Final = frozenset({"kernel", "model"})
FOLDERS: Final = ("root", "folder")
NAMES: Final = "surrogateescape"
"""What stands for bytes that are not UTF-8, in the names of folders as ``pathlib`` gives them."""

BELOW: Final = "**"
"""Last part of a folder whose series has files in the folders below it too."""
BETWEEN_MODELS: Final = " | "


@dataclass(frozen=True)
class ListedSeries:
    """A row of a work list.

    Attributes
    ----------
    line
        Of the file, the last one of the row; 0 for a row that is not from a file.
    series, group
        SeriesInstanceUID, and ``Series.group``.
    folder
        Of its files, relative to the root; it ends in ``**`` if folders below hold files too.
    files
        How many.
    kernel
        As in ``Series.convolution_kernel``; empty where absent.
    spacing
        ``Series.mean_pixel_spacing``, mm.
    model
        As ``stored_name`` gives it; empty if the list leaves it open.
    sources
        Hash of its slices; see ``hash_slices``.
    """

    line: int
    series: str
    group: int
    folder: PurePosixPath
    files: int
    kernel: str
    spacing: float
    model: str
    sources: str

    @classmethod
    def of(cls, series: Series, root: Path, models: Sequence[str]) -> Self:
        """Return the row of a series, with the models that take it."""
        return cls(
            line=0,
            series=series.series_instance_uid,
            group=series.group,
            folder=folder_of(series, root),
            files=len(series.slices),
            kernel=series.convolution_kernel or "",
            spacing=series.mean_pixel_spacing,
            model=BETWEEN_MODELS.join(models),
            sources=hash_slices(series),
        )


@dataclass(frozen=True)
class WorkList:
    """Which series of a folder to harmonize, and the time that enters their UIDs.

    Threads: it never changes, so any number may share one.

    Attributes
    ----------
    path
        Of the file.
    root
        The folder that was scanned, absolute.
    timestamp
        Of the scan: it is written into the new objects as if the run had begun then.
    rows
        At least one in a file.
    """

    path: Path
    root: Path
    timestamp: datetime
    rows: tuple[ListedSeries, ...]

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a list, whose cells are parted by commas, semicolons or tabs.

        Raises
        ------
        ConfigurationError
            If it cannot be read, or a cell makes no sense. The message names line and column.
        """
        path = as_path("path", path)
        try:
            text = decode_text(path.read_bytes(), NAMES)
            delimiter = find_delimiter(text, COLUMNS)
            reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
            # Spreadsheets leave rows of empty cells where people delete what is in them.
            numbered = [(reader.line_num, row) for row in reader if any(row.values())]
            columns = reader.fieldnames or []
        except OSError as exc:
            raise ConfigurationError(f"{path}: cannot be read ({exc.strerror})") from exc
        except (UnicodeDecodeError, csv.Error) as exc:
            raise ConfigurationError(f"{path}: not a readable list ({exc})") from exc
        if missing := [name for name in COLUMNS if name not in columns]:
            raise ConfigurationError(
                f"{path}, line 1: no column {', '.join(missing)}; write the list with "
                "`rgan-harmonize scan INPUT --list FILE.csv`"
            )
        if not numbered:
            raise ConfigurationError(f"{path}: lists no series")
        rows = [_Row(path, line, cells) for line, cells in numbered]
        for row in rows:
            row.require_alike(rows[0])
        name = cache(stored_name)  # few models stand in many rows
        listed = tuple(row.parse(name) for row in rows)
        _refuse_repeated(path, listed)
        return cls(path, rows[0].root(), rows[0].timestamp(), listed)

    @property
    def models(self) -> tuple[str, ...]:
        """The models that rows name, each once."""
        return tuple(dict.fromkeys(row.model for row in self.rows if row.model))

    def take(self, models: Iterable[str]) -> Self:
        """Return the list with the rows for these models only, and those that name none.

        Models are called as in the list.
        """
        wanted = {"", *models}
        return replace(self, rows=tuple(row for row in self.rows if row.model in wanted))

    def deal(self, shard: Shard | None) -> Self:
        """Return the list with the rows of one shard only, so that no other folder is read."""
        if shard is None:
            return self
        return replace(self, rows=tuple(row for row in self.rows if shard.holds(row.series)))

    def without_models(self) -> Self:
        """Return the list with no model named, for a run with one that the caller has chosen."""
        return replace(self, rows=tuple(replace(row, model="") for row in self.rows))

    def write(self) -> None:
        """Write the list to its file, whole or not at all.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        common = {"root": self.root, "timestamp": self.timestamp.isoformat()}
        try:
            with (
                atomic_write(self.path) as temporary,
                temporary.open("w", newline="", encoding="utf-8", errors=NAMES) as file,
            ):
                writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
                writer.writeheader()
                for row in self.rows:
                    writer.writerow({**common, **vars(row), "spacing": f"{row.spacing:.6g}"})
        except OSError as exc:
            raise OutputError(f"{self.path}: the list cannot be written ({exc.strerror})") from exc


def folder_of(series: Series, root: Path) -> PurePosixPath:
    """Return the deepest folder above all files of a series, as a list names it."""
    folders = folders_of(series.slices.paths, root)
    return common_folder(folders) / BELOW if len(folders) > 1 else folders.pop()


def _refuse_repeated(path: Path, rows: Iterable[ListedSeries]) -> None:
    seen: dict[tuple[str, int], int] = {}
    for row in rows:
        first = seen.setdefault((row.series, row.group), row.line)
        if first != row.line:
            raise ConfigurationError(
                f"{path}, line {row.line}, column series: {row.series} is in line {first} already"
            )


class _Row:
    """A row on its way from text to values."""

    def __init__(self, path: Path, line: int, cells: dict[str, str | None]) -> None:
        self._path, self._line = path, line
        self._cells: dict[str, str] = {}
        for name in COLUMNS:
            cell = cells.get(name)
            if cell is None:
                raise self._error(name, "the line ends before it")
            self._cells[name] = cell if name in FOLDERS else cell.strip()
            if not self._cells[name] and name not in MAY_BE_EMPTY:
                raise self._error(name, "is empty")
            if name not in FOLDERS and not is_utf8(cell):
                raise self._error(name, "is not UTF-8; save the list as CSV UTF-8")
        if None in cells:
            raise self._error(COLUMNS[-1], "the line has further cells after the last column")

    def require_alike(self, first: _Row) -> None:
        """Refuse a row with another root or timestamp: a list is of one scan."""
        for name in ("root", "timestamp"):
            if self._cells[name] != first._cells[name]:
                raise self._error(
                    name,
                    f"is {self._cells[name]!r}, and {first._cells[name]!r} in line {first._line}; "
                    "all rows of a list have the same",
                )

    def root(self) -> Path:
        root = Path(self._cells["root"])
        if not root.is_absolute():
            raise self._error("root", f"{root} is not an absolute path")
        if not root.is_dir():
            raise self._error("root", f"there is no folder {root}; if it was moved, change root")
        return root

    def timestamp(self) -> datetime:
        text = self._cells["timestamp"]
        try:
            timestamp = datetime.fromisoformat(text)
        except ValueError:
            timestamp = None
        if timestamp is None or timestamp.tzinfo is None:
            raise self._error(
                "timestamp", f"{text!r} is not like 2026-01-31T12:00:00+00:00, with its time zone"
            )
        return timestamp

    def parse(self, name: Callable[[str], str]) -> ListedSeries:
        cells = self._cells
        return ListedSeries(
            line=self._line,
            series=cells["series"],
            group=self._count("group"),
            folder=self._folder(),
            files=self._count("files"),
            kernel=cells["kernel"],
            spacing=self._millimetres("spacing"),
            model=self._model(name),
            sources=cells["sources"],
        )

    def _folder(self) -> PurePosixPath:
        folder = PurePosixPath(self._cells["folder"])
        if folder.is_absolute() or ".." in folder.parts:
            raise self._error("folder", f"{folder} must be relative to root, and lie below it")
        return folder

    def _model(self, name: Callable[[str], str]) -> str:
        model = self._cells["model"]
        if BETWEEN_MODELS in model:
            raise self._error("model", f"names several that fit, {model}; leave one of them")
        return model and name(model)

    def _count(self, name: str) -> int:
        text = self._cells[name]
        if not (text.isascii() and text.isdecimal()):
            raise self._error(name, f"{text!r} is not a count")
        return int(text)

    def _millimetres(self, name: str) -> float:
        try:
            value = float(self._cells[name])
        except ValueError:
            value = math.nan
        if not 0 < value < math.inf:
            raise self._error(name, f"{self._cells[name]!r} is not a number of mm, such as 0.7")
        return value

    def _error(self, column: str, text: str) -> ConfigurationError:
        return ConfigurationError(f"{self._path}, line {self._line}, column {column}: {text}")
