"""One run at a time for an output folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from rgan_sdk.dicom.discovery import STATE_FOLDER
from rgan_sdk.errors import OutputBusyError, OutputError
from rgan_sdk.files import sync


@contextmanager
def lock_folder(output: Path, *, durable: bool) -> Iterator[None]:
    """Hold an output folder, so that no other run can use it.

    Parameters
    ----------
    durable
        Whether to wait until folders that had to be made are on the disk.

    Raises
    ------
    OutputBusyError
        If another run holds it.
    OutputError
        If it cannot be written to.
    """
    state = output / STATE_FOLDER
    try:
        made = [folder for folder in (state, *state.parents) if not folder.exists()]
        output.mkdir(mode=0o700, parents=True, exist_ok=True)
        state.mkdir(mode=0o700, exist_ok=True)
        if durable:
            for folder in made:
                sync(folder.parent)
        file: IO[str] = (state / "lock").open("w")
    except OSError as exc:
        raise OutputError(f"{output}: cannot be used for output ({exc.strerror})") from exc
    with file:
        hold(file, output)
        yield


def hold(file: IO[str], output: Path) -> None:
    """Lock an open file until it is closed.

    Parameters
    ----------
    output
        What the lock is for.

    Raises
    ------
    OutputBusyError
        If another run holds it.
    OutputError
        If it cannot be locked.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise busy(output) from exc
    except OSError as exc:
        raise OutputError(f"{output}: cannot be locked ({exc.strerror})") from exc


def busy(output: Path) -> OutputBusyError:
    """Return the error of a run whose output another one holds."""
    return OutputBusyError(
        f"{output}: another run writes there; wait for it, or choose another OUTPUT"
    )
