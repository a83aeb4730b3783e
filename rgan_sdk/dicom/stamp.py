"""Whether a file is still the one that was found."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from rgan_sdk.errors import InvalidSeriesError, UnreadableFileError

CHANGED = "changed during the run: it is not the file that was found; run again"


class Stamp(NamedTuple):
    """What changes when a file is written or replaced; far cheaper than a hash.

    Attributes
    ----------
    size
        Bytes.
    modified_ns
        Nanoseconds from 1970 to the last change of its content.
    inode
        The file system's number of the file.
    """

    size: int
    modified_ns: int
    inode: int

    @classmethod
    def from_stat(cls, status: os.stat_result) -> Stamp:
        """Return the stamp of an open file."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)


def checksum(path: Path, stamp: Stamp) -> str:
    """Return the SHA-256 of the file that was found, hexadecimal.

    Raises
    ------
    InvalidSeriesError
        If it is another file by now.
    UnreadableFileError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            if Stamp.from_stat(os.fstat(file.fileno())) != stamp:
                raise InvalidSeriesError(f"{path.name}: {CHANGED}")
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableFileError(f"{path.name}: cannot be read: {error.strerror}") from error
