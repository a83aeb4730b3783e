"""Every file under a folder, and the ones that may be DICOM opened with care."""

from __future__ import annotations

import io
import logging
import os
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from pydicom.filereader import read_dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian
from pydicom.valuerep import VR

from rgan_sdk.errors import IneligibleError, RganError, UnreadableFileError

# pydicom quotes values in its warnings and log lines, and a value may be patient data. Once
# for the process: warnings.catch_warnings is not safe in threads.
warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")
logging.getLogger("pydicom").setLevel(logging.CRITICAL)

MAX_INFLATED_BYTES: Final = 256 << 20

# Stands in for the file meta information of a deflated file once it is inflated.
_EXPLICIT_LITTLE_ENDIAN_META: Final = (
    b"\0" * 128 + b"DICM" + b"\x02\x00\x10\x00UI\x14\x00" + b"1.2.840.10008.1.2.1\0"
)


def walk(root: Path) -> list[tuple[Path, OSError | IneligibleError | None]]:
    """List everything under ``root`` that is no folder, sorted by path.

    Returns
    -------
    list of (path, problem)
        ``problem`` is None for a regular file, IneligibleError for a symbolic link (none
        is followed), FIFO, socket or device, OSError for a folder that can't be read.

    Raises
    ------
    OSError
        If ``root`` itself cannot be read.
    """
    found: list[tuple[Path, OSError | IneligibleError | None]] = []
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError as error:
            if folder is root:
                raise
            found.append((folder, error))
            continue
        for entry in entries:
            path = Path(entry.path)
            try:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                else:
                    found.append((path, _not_regular(entry)))
            except OSError as error:
                found.append((path, error))
    return sorted(found, key=lambda entry: entry[0].parts)


def _not_regular(entry: os.DirEntry[str]) -> IneligibleError | None:
    if entry.is_symlink():
        return IneligibleError("symbolic link, not followed")
    regular = entry.is_file(follow_symlinks=False)
    return None if regular else IneligibleError("not a regular file")


class _Bounded(io.BufferedReader):
    """A file that sets aside no memory for bytes that it doesn't have."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > io.DEFAULT_BUFFER_SIZE:
            size = min(size, max(os.fstat(self.fileno()).st_size - self.tell(), 0))
        return super().read(size)


@contextmanager
def open_raw(path: Path) -> Iterator[io.BufferedReader]:
    """Open a DICOM file, its bytes as they are.

    The one seam where foreign exceptions of reading become errors of this project: the
    body may call pydicom freely.

    Raises
    ------
    IneligibleError
        If the file is not DICOM.
    UnreadableFileError
        If the file cannot be opened, or anything in the body fails.
    """
    try:
        # Non-blocking and not through links: the path may have changed since it was listed.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with _Bounded(io.FileIO(descriptor)) as file:
            _require_dicom(file)
            yield file
    except RganError:
        raise
    except OSError as error:
        # pydicom raises OSErrors of its own, without a number.
        reason = f"cannot be read: {error.strerror}" if error.errno else "malformed DICOM"
        raise UnreadableFileError(reason) from error
    except MemoryError as error:
        reason = "not enough memory to read it; free some, or read fewer files at once"
        raise UnreadableFileError(reason) from error
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a panic of a codec in Rust is no Exception
        # Not the message of the error: it may quote patient data.
        raise UnreadableFileError(f"malformed DICOM ({type(error).__name__})") from error


@contextmanager
def open_dicom(path: Path) -> Iterator[BinaryIO]:
    """Open a DICOM file as ``open_raw`` does, a deflated one inflated."""
    with open_raw(path) as file:
        yield inflate(file)


def _require_dicom(file: BinaryIO) -> None:
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise IneligibleError("not a regular file")
    if status.st_size == 0:
        raise IneligibleError("empty file")
    head = file.read(132)
    file.seek(0)
    if head[128:] != b"DICM" and not _is_headerless(head, status.st_size):
        raise IneligibleError("not DICOM")


def _is_headerless(head: bytes, size: int) -> bool:
    """Tell whether a file starts like a little endian data set without preamble."""
    if len(head) < 8:
        return False
    group, _, vr = struct.unpack_from("<HH2s", head)
    (implicit_length,) = struct.unpack_from("<I", head, 4)
    if group not in (0x0002, 0x0008):
        return False
    return vr.decode("latin-1") in set(VR) or implicit_length <= size - 8


def inflate(file: BinaryIO) -> BinaryIO:
    """Return a DICOM file for pydicom; a deflated one is inflated within bounds."""
    start = 132 if file.read(132)[128:] == b"DICM" else 0
    file.seek(start)
    meta = read_dataset(
        file,
        is_implicit_VR=False,
        is_little_endian=True,
        stop_when=lambda tag, vr, length: tag >> 16 != 0x0002,
    )
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        file.seek(0)
        return file
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    body = inflater.decompress(file.read(MAX_INFLATED_BYTES), MAX_INFLATED_BYTES)
    if not inflater.eof:
        limit = MAX_INFLATED_BYTES >> 20
        raise UnreadableFileError(f"deflated data set is truncated or beyond {limit} MiB")
    return io.BytesIO(_EXPLICIT_LITTLE_ENDIAN_META + body)
