"""Write the lung density of series as CSV or JSON, for other programs."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rgan_sdk.errors import ConfigurationError, OutputError
from rgan_sdk.files import atomic_write
from rgan_train.evaluation.lungs.density import LungDensity
from rgan_train.evaluation.lungs.series import SeriesLungs

SCHEMA: Final = 1
ENDINGS: Final = (".csv", ".json")


@dataclass(frozen=True)
class Measured:
    """What was measured in one series, or why nothing was.

    Attributes
    ----------
    series
        SeriesInstanceUID, or a folder or file that shows no series. Series of one UID are numbered.
    kernel
        ConvolutionKernel, empty where it is absent.
    lungs
        None if it failed.
    reason
        Why it failed.
    """

    series: str
    kernel: str = ""
    slices: int = 0
    lungs: SeriesLungs | None = None
    reason: str = ""


def check_ending(path: Path) -> None:
    """Raise ConfigurationError unless the file can be written in the format of its ending."""
    if path.suffix.lower() not in ENDINGS:
        raise ConfigurationError(f"{path}: name the file {' or '.join(ENDINGS)}")


def write_measured(rows: Sequence[Measured], mask: str, path: Path) -> None:
    """Write a row for each series.

    Parameters
    ----------
    mask
        Where the masks come from, for the reader.
    path
        Its ending, ``.csv`` or ``.json``, says how. Its folder is made.

    Raises
    ------
    ConfigurationError
        If it has another ending.
    OutputError
        If it cannot be written.
    """
    check_ending(path)
    entries = [_entry(row) for row in rows]
    if path.suffix.lower() == ".json":
        content = json.dumps({"schema": SCHEMA, "mask": mask, "series": entries}, indent=2) + "\n"
    else:
        content = _as_csv(entries)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary:
            temporary.write_text(content, encoding="utf-8", errors="replace", newline="")
    except OSError as exc:
        raise OutputError(f"{path}: cannot be written ({exc.strerror})") from exc


def _entry(row: Measured) -> dict[str, Any]:
    lungs = row.lungs
    numbers: dict[str, float | None] = {
        field.name: getattr(lungs.density, field.name) if lungs else None
        for field in dataclasses.fields(LungDensity)
    }
    return {
        "series": row.series,
        "kernel": row.kernel,
        "slices": row.slices,
        "status": "measured" if lungs else "failed",
        "volume_ml": lungs.volume_ml if lungs else None,
        **numbers,
        "off_protocol": list(lungs.off_protocol) if lungs else [],
        "notes": list(lungs.notes) if lungs else [],
        "reason": row.reason,
    }


def _as_csv(entries: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(_entry(Measured(""))))
    writer.writeheader()
    for entry in entries:
        lists = {name: "; ".join(entry[name]) for name in ("off_protocol", "notes")}
        writer.writerow({**entry, **lists})
    return text.getvalue()
