"""One run at a time for a NIfTI file that is to be written, and its sidecar."""

from __future__ import annotations

import fcntl
import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from rgan_sdk.errors import OutputBusyError, OutputError
from rgan_sdk.nifti.sidecar import sidecar_path

PART: Final = f".{'[0-9a-f]' * 8}.part"
"""What ``atomic_write`` appends to the name of a file while it is written."""


@contextmanager
def lock_file(destination: Path) -> Iterator[None]:
    """Hold a file, so that no other run can write it, and remove what a killed run left of it.

    Raises
    ------
    OutputBusyError
        If another run holds it, or one of another name with the same sidecar.
    OutputError
        If its folder cannot be written to.
    """
    sidecar = sidecar_path(destination)
    place = sidecar.with_name(f".{sidecar.name}.lock")
    try:
        file: IO[str] = place.open("w")
    except OSError as exc:
        raise OutputError(f"{destination}: cannot be written ({exc.strerror})") from exc
    with file:
        _lock(file, place, destination)
        try:
            _remove_parts(destination)
            _remove_parts(sidecar)
            yield
        finally:
            with suppress(OSError):
                place.unlink()


def _lock(file: IO[str], place: Path, destination: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # A run that ends removes the file, and the next one may hold a new file of that name.
        is_held = not os.path.samestat(os.fstat(file.fileno()), place.stat())
    except (BlockingIOError, FileNotFoundError):
        is_held = True
    except OSError as exc:
        raise OutputError(f"{destination}: cannot be locked ({exc.strerror})") from exc
    if is_held:
        raise OutputBusyError(
            f"{destination}: another run writes there; wait for it, or choose another OUTPUT"
        )


def _remove_parts(path: Path) -> None:
    for part in path.parent.glob(f".{glob.escape(path.name)}{PART}"):
        with suppress(OSError):
            part.unlink()
