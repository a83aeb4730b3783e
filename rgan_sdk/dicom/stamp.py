"""Detect that a file has changed since it was found."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final, NamedTuple

from rgan_sdk.errors import InvalidSeriesError, UnreadableFileError

_INT64: Final = 2**63  # nanoseconds in the years from 1677 to 2262
CHANGED = "changed during the run: it is not the file that was found; run again"


class Stamp(NamedTuple):
    """File status that changes when a file is written or replaced. Far cheaper than a hash.

    Attributes
    ----------
    size
        Bytes.
    modified_ns
        Time of the last change of the content, nanoseconds since 1970. One that 64 bits cannot
        hold becomes the nearest one that they can.
    inode
        Inode number in the file system.
    """

    size: int
    modified_ns: int
    inode: int

    @classmethod
    def from_stat(cls, status: os.stat_result) -> Stamp:
        """Return the stamp of a file from what ``os.stat`` or ``os.fstat`` returns."""
        modified_ns = min(max(status.st_mtime_ns, -_INT64), _INT64 - 1)
        return cls(status.st_size, modified_ns, status.st_ino)


def checksum(path: Path, stamp: Stamp) -> str:
    """Return the SHA-256 of a file, hexadecimal, provided that its stamp is still the same.

    Raises
    ------
    InvalidSeriesError
        If the file has changed.
    UnreadableFileError
        If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            if Stamp.from_stat(os.fstat(file.fileno())) != stamp:
                raise InvalidSeriesError(f"{path.name}: {CHANGED}")
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableFileError(f"{path.name}: cannot be read: {error.strerror}") from error
