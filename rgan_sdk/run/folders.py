"""Check the two folders of a run before anything is read or written."""

from __future__ import annotations

from pathlib import Path

from rgan_sdk.errors import ConfigurationError, OutputError
from rgan_sdk.run.journal import STATE_FOLDER, has_journal


def check_folders(source: Path, destination: Path, *, resume: bool) -> None:
    """Refuse folders that lie inside each other, and an output folder that is in use.

    Raises
    ------
    ConfigurationError
        If one folder contains the other, or cannot be looked at.
    OutputError
        If ``destination`` is not empty and holds no run to continue.
    """
    try:
        inner, outer = destination.resolve(), source.resolve()
        if inner == outer or outer in inner.parents or inner in outer.parents:
            raise ConfigurationError(
                f"INPUT {source} and OUTPUT {destination} lie inside each other; "
                "choose another OUTPUT"
            )
        if not source.is_dir():
            raise ConfigurationError(f"{source}: no such folder; INPUT is a folder of DICOM files")
        found = [path.name for path in destination.iterdir()] if destination.exists() else []
    except OSError as exc:
        raise ConfigurationError(f"{exc.filename}: cannot be used ({exc.strerror})") from exc
    # Without a journal nobody can tell what an earlier run has left, unless it left nothing.
    holds_a_run = found == [STATE_FOLDER] or has_journal(destination)
    if found and not (holds_a_run and resume):
        hint = "leave --no-resume out to continue its run, or " if holds_a_run else ""
        raise OutputError(f"{destination}: is not empty; {hint}choose an empty or a new folder")
