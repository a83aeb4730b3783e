"""Making sure that what was written is on the disk."""

from __future__ import annotations

import os
from pathlib import Path

from rgan_sdk.errors import OutputError


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk.

    Raises
    ------
    OutputError
        If the system cannot say that they are.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise OutputError(f"{path.name} cannot be written: {error.strerror}") from error
