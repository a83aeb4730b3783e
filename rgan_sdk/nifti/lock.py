"""One run at a time for a NIfTI file that is to be written, and its sidecar."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from rgan_sdk.errors import OutputError
from rgan_sdk.files import remove_parts
from rgan_sdk.nifti.sidecar import sidecar_path
from rgan_sdk.run.cohort.lock import busy, hold


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
            remove_parts(destination)
            remove_parts(sidecar)
            yield
        finally:
            with suppress(OSError):
                place.unlink()


def _lock(file: IO[str], place: Path, destination: Path) -> None:
    hold(file, destination)
    # A run that ends removes the file, and the next one may hold a new file of that name.
    with suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(file.fileno()), place.stat()):
            return
    raise busy(destination)
