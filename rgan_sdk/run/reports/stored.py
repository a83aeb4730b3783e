"""Reports as they lie in a file: a million files are read one by one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from rgan_sdk.errors import OutputError
from rgan_sdk.run.report import REPORT_SCHEMA, SeriesEntry
from rgan_sdk.run.reports.files import FileEntry

_OPENING: Final = ' "files": [\n'
_TUPLES: Final = ("notes", "outside")


class StoredReport(NamedTuple):
    """A report in a file.

    Attributes
    ----------
    content
        All of it but the entries of the files.
    series
        The outcomes of the series.
    """

    path: Path
    content: dict[str, Any]
    series: tuple[SeriesEntry, ...]

    def files(self) -> Iterator[FileEntry]:
        """Yield the outcomes of the files."""
        with self.path.open() as lines:
            for is_file, line in _tell_files(lines):
                if is_file:
                    yield FileEntry(**json.loads(line.rstrip(",\n")))


def read_report(path: Path) -> StoredReport:
    """Read a report that ``Report.write`` wrote.

    Raises
    ------
    OutputError
        If there is none, it cannot be read, or another version wrote it.
    """
    try:
        with path.open() as lines:
            rest = "".join(line for is_file, line in _tell_files(lines) if not is_file)
        content = json.loads(rest)
        if content["schema"] != REPORT_SCHEMA:
            raise OutputError(f"{path}: written by another version of this software")
        return StoredReport(path, content, tuple(map(_make_entry, content["series"])))
    except FileNotFoundError as exc:
        raise OutputError(
            f"{path}: there is no report, so that run is not finished; run the same command again"
        ) from exc
    except OSError as exc:
        raise OutputError(f"{path}: cannot be read ({exc.strerror})") from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise OutputError(
            f"{path}: is no report of this software; run the same command again"
        ) from exc


def _make_entry(record: dict[str, Any]) -> SeriesEntry:
    return SeriesEntry(**record | {name: tuple(record[name]) for name in _TUPLES})


def _tell_files(lines: Iterator[str]) -> Iterator[tuple[bool, str]]:
    """Yield each line, and whether it is the entry of a file."""
    inside = False
    for line in lines:
        inside = inside and not line.startswith(" ]")
        yield inside, line
        inside = inside or line == _OPENING
