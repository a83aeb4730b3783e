"""The table of features that ``rgan-train features`` writes and ``rgan-train traits`` reads."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rgan_sdk.errors import ConfigurationError, OutputError
from rgan_sdk.files import atomic_write

KEY: Final = ("case", "variant", "region")
"""Columns in which no two rows agree."""

EARLIER: Final = ("case", "label", "variant", "region", "voxels", "spacing", "kernel", "extraction")
"""Columns that hold no feature in tables of versions that did not name the series."""

FACTS: Final = (*EARLIER, "series")
"""Columns that hold no feature."""


@dataclass(frozen=True)
class Row:
    """One structure in one variant of a case.

    Attributes
    ----------
    facts
        By the columns of ``FACTS``.
    values
        Features by name.
    """

    facts: dict[str, str]
    values: dict[str, float]

    @property
    def key(self) -> tuple[str, ...]:
        """What tells rows apart."""
        return tuple(self.facts[name] for name in KEY)


class FeatureTable:
    """A CSV file with a row for each structure of each series.

    Rows that are there stay, unless there are new ones of the same series, case, variant and
    region.

    Parameters
    ----------
    path
        File to write; its folder must exist.
    extraction
        What tells sets of features and settings apart.

    Raises
    ------
    ConfigurationError
        If there is a file that is no such table, or was made with other settings.
    """

    def __init__(self, path: Path, extraction: str) -> None:
        self.path, self.extraction = path, extraction
        self.rows = {row.key: row for row in _read(path)} if path.exists() else {}
        others = {row.facts["extraction"] for row in self.rows.values()} - {extraction}
        if others:
            raise ConfigurationError(
                f"{path}: has features of other settings or of another version (extraction "
                f"{others.pop()}, now {extraction}), which cannot be compared; name another file"
            )

    def add(self, rows: Sequence[Row]) -> None:
        """Add rows, and write the file anew.

        Raises
        ------
        ConfigurationError
            If two new rows have the same case, variant and region, or one has those of another
            series that is there.
        OutputError
            If the file cannot be written.
        """
        new = {row.key: row for row in rows}
        if len(new) < len(rows):
            raise ConfigurationError(
                "two series of a case would have the same variant; name variants with NAME=SERIES, "
                "or cases with --case"
            )
        self._check_series(new)
        self.rows |= new
        names = list(dict.fromkeys(name for row in self.rows.values() for name in row.values))
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, [*FACTS, *names], restval="")
        writer.writeheader()
        for row in self.rows.values():
            writer.writerow({**row.facts, **{name: repr(v) for name, v in row.values.items()}})
        try:
            with atomic_write(self.path) as temporary:
                temporary.write_text(text.getvalue(), encoding="utf-8", newline="")
        except OSError as exc:
            raise OutputError(f"{self.path}: cannot be written ({exc.strerror})") from exc

    def _check_series(self, new: Mapping[tuple[str, ...], Row]) -> None:
        for number, (key, row) in enumerate(self.rows.items(), 1):
            earlier = row.facts["series"]
            if key in new and earlier not in ("", new[key].facts["series"]):
                raise ConfigurationError(
                    f"{self.path}, row {number}: is of another series with the same case, variant "
                    "and region; name cases with --case, such as one for each time point, or "
                    "variants with NAME=SERIES; to replace the row, remove it from the table"
                )


def _read(path: Path) -> list[Row]:
    try:
        lines = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise ConfigurationError(f"{path}: is no readable CSV file ({exc})") from exc
    header, *rows = lines or [[]]
    named = next((one for one in (FACTS, EARLIER) if tuple(header[: len(one)]) == one), None)
    if named is None:
        raise ConfigurationError(
            f"{path}: was not written by `rgan-train features`, as its columns do not begin with "
            f"{', '.join(FACTS)}; name another file"
        )
    return [_parse(path, number, named, header, line) for number, line in enumerate(rows, 1)]


def _parse(
    path: Path, number: int, named: Sequence[str], header: Sequence[str], line: Sequence[str]
) -> Row:
    try:
        cells = dict(zip(header, line, strict=True))
        facts = dict.fromkeys(FACTS, "") | {name: cells.pop(name) for name in named}
        return Row(facts, {name: float(cell) for name, cell in cells.items() if cell})
    except ValueError as exc:
        raise ConfigurationError(
            f"{path}, row {number}: is not as `rgan-train features` writes it ({exc}); name "
            "another file"
        ) from exc
