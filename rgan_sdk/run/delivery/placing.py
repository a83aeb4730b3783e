"""Put a series that has passed all stages into OUTPUT."""

from __future__ import annotations

from pathlib import Path

from rgan_sdk.dicom.discovery import STATE_FOLDER
from rgan_sdk.files import sync
from rgan_sdk.run.jobs import SeriesJob
from rgan_sdk.run.outputs import done_again, finished_series, take_the_place
from rgan_sdk.run.places.layout import make_folders
from rgan_sdk.run.state.journal import Journal


def put_in_place(job: SeriesJob, output: Path, journal: Journal, *, durable: bool) -> str:
    """Note a series in the journal, and rename its folder into OUTPUT.

    Parameters
    ----------
    durable
        Whether to wait until it is on the disk.

    Returns
    -------
    str
        Why the series was done again; empty for any other.

    Raises
    ------
    OutputError, OSError
        If that fails.
    """
    make_folders(output, job.above, durable=durable)
    if durable:
        sync(job.folder)
    journal.note(finished_series(job))
    target, kept = output / job.output, ""
    if job.damage:
        kept = take_the_place(job.folder, target, journal.replaced)
    else:
        job.folder.rename(target)
    if durable:
        sync(target.parent)
        if kept:
            sync(journal.replaced)
    return done_again(job, f"{STATE_FOLDER}/{journal.replaced.name}/{kept}" if kept else "")
