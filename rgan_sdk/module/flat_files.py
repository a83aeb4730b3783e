"""New series as flat files ``SERIES#FILE.dcm``, as mercure names them.

A run keeps a folder for each series. Its files are renamed from there when all series are done, and
renamed back if that was interrupted, so that the run can go on.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Final

from rgan_sdk.files import sync
from rgan_sdk.run.cohort.continuing import COPIED
from rgan_sdk.run.delivery.mapping import output_series
from rgan_sdk.run.report import Report
from rgan_sdk.run.state.finished import FinishedSeries
from rgan_sdk.run.state.journal import read_journal

SEPARATOR: Final = "#"


def publish(report: Report, run: Path, destination: Path) -> None:
    """Rename the files of each series that is done into one flat folder.

    Parameters
    ----------
    run
        OUTPUT of the run.

    Raises
    ------
    OSError
        If one cannot be renamed.
    """
    for entry in report.series:
        if entry.output is not None:
            for path in (run / entry.output).iterdir():
                path.rename(destination / f"{output_series(entry)}{SEPARATOR}{path.name}")
    sync(destination)


def take_back(run: Path, destination: Path) -> None:
    """Rename back what ``publish`` has renamed before it was interrupted.

    Raises
    ------
    OutputError
        If the journal of the run cannot be read.
    OSError
        If a file cannot be renamed.
    """
    earlier = read_journal(run)
    for folder, series in earlier.finished.items() if earlier else ():
        for file in series.files:
            path = destination / f"{_uid(folder, series)}{SEPARATOR}{file.name}"
            if path.exists():
                path.rename(run / folder / file.name)


def _uid(folder: str, series: FinishedSeries) -> str:
    """Return the SeriesInstanceUID of a finished series; a copy has that of its source."""
    return series.source if series.model == COPIED else PurePosixPath(folder).name
