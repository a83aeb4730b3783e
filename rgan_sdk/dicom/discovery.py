"""List the files under a folder, and open those that may be DICOM safely."""

from __future__ import annotations

import io
import os
import stat
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from pydicom.datadict import keyword_for_tag
from pydicom.filereader import read_dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian
from pydicom.valuerep import VR

from rgan_sdk.dicom.privacy import silence_pydicom
from rgan_sdk.errors import IneligibleError, RganError, UnreadableFileError

STATE_FOLDER: Final = ".rgan"
"""What a run keeps of itself in OUTPUT, which may be INPUT of another."""
MAX_INFLATED_BYTES: Final = 256 << 20
_SHORTEST_HEADER: Final = 8

# The beginning of an inflated file, in place of the file meta information that says "deflated".
_EXPLICIT_LITTLE_ENDIAN_META: Final = (
    b"\0" * 128 + b"DICM" + b"\x02\x00\x10\x00UI\x14\x00" + b"1.2.840.10008.1.2.1\0"
)


class LostContentError(IneligibleError):
    """A file holds nothing, or begins with zeros as after a power cut: it may have been DICOM."""


Entry = tuple[str, OSError | IneligibleError | None]
"""What ``walk`` lists: a path, and why it cannot be read, if it cannot."""


def walk(root: Path, *, deep: bool = True) -> Iterator[Entry]:
    """List everything under ``root`` but folders, in the order of the paths' parts.

    Symbolic links below ``root`` are not followed, and no ``STATE_FOLDER`` is looked into.

    Parameters
    ----------
    deep
        Whether to look into the folders below too.

    Yields
    ------
    path, problem
        ``problem`` is None for a regular file. It is IneligibleError for a symbolic link, FIFO,
        socket, device or ``STATE_FOLDER``, and OSError for a folder that cannot be read.

    Raises
    ------
    OSError
        If ``root`` itself cannot be read.
    """
    waiting = [_sorted_entries(root)]
    prefixes = [path_prefix(root)]
    while waiting:
        entry = next(waiting[-1], None)
        if entry is None:
            waiting.pop()
            prefixes.pop()
            continue
        path = prefixes[-1] + entry.name
        try:
            if not entry.is_dir(follow_symlinks=False):
                yield path, _not_regular(entry)
            elif deep and entry.name == STATE_FOLDER:
                yield path, IneligibleError("state of an earlier run, not searched")
            elif deep:
                waiting.append(_sorted_entries(path))
                prefixes.append(path + os.sep)
        except OSError as error:
            yield path, error


def path_prefix(folder: Path) -> str:
    """Return what the paths of files in a folder begin with, as ``Path`` would spell them."""
    text = str(folder)
    if text == os.curdir:
        return ""
    return text if text.endswith(os.sep) else text + os.sep


def _sorted_entries(folder: str | Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as listing:
        return iter(sorted(listing, key=lambda entry: entry.name))


def _not_regular(entry: os.DirEntry[str]) -> IneligibleError | None:
    if entry.is_file(follow_symlinks=False):
        return None
    if entry.is_symlink():
        return IneligibleError("symbolic link, not followed")
    return IneligibleError("not a regular file")


class _Bounded(io.BufferedReader):
    """A file whose ``read`` allocates no more memory than the file has bytes left."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > io.DEFAULT_BUFFER_SIZE:
            size = min(size, max(os.fstat(self.fileno()).st_size - self.tell(), 0))
        return super().read(size)


@contextmanager
def open_raw(path: Path) -> Iterator[io.BufferedReader]:
    """Open a DICOM file, and translate the errors of the ``with`` block.

    The block may call pydicom freely, as in ``translate_errors``.

    Yields
    ------
    io.BufferedReader
        The bytes of the file as they are. ``inflate`` makes a deflated data set readable.

    Raises
    ------
    IneligibleError
        If the file is not DICOM; LostContentError if it may have been.
    UnreadableFileError
        If the file cannot be opened, or anything in the block fails.
    """
    with translate_errors():
        # The path may have become a link or a FIFO since it was listed.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with _Bounded(io.FileIO(descriptor)) as file:
            _require_dicom(file)
            yield file


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn whatever pydicom raises in the ``with`` block into an error of this project.

    Raises
    ------
    UnreadableFileError
        If anything in the block fails. Errors of this project pass.
    """
    silence_pydicom()
    try:
        yield
    except RganError:
        raise
    except OSError as error:
        # An OSError without a number is pydicom's own.
        reason = f"cannot be read: {error.strerror}" if error.errno else "malformed DICOM"
        raise UnreadableFileError(reason) from error
    except MemoryError as error:
        reason = "not enough memory to read it; free some, or read fewer files at once"
        raise UnreadableFileError(reason) from error
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a panic in a codec written in Rust is no Exception
        # The error's own message is left out: it may quote patient data.
        raise UnreadableFileError(f"malformed DICOM ({type(error).__name__})") from error


@contextmanager
def open_dicom(path: Path) -> Iterator[BinaryIO]:
    """Open a DICOM file as ``open_raw`` does, and inflate it where it is deflated."""
    with open_raw(path) as file:
        yield inflate(file)


def _require_dicom(file: BinaryIO) -> None:
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise IneligibleError("not a regular file")
    if status.st_size == 0:
        raise LostContentError("empty file")
    head = file.read(132)
    file.seek(0)
    if not any(head):
        raise LostContentError("not DICOM, only zeros at its beginning")
    if head[128:] != b"DICM" and not _is_headerless(head, status.st_size):
        raise IneligibleError("not DICOM")


def _is_headerless(head: bytes, size: int) -> bool:
    """Return whether a file starts like a little endian data set without preamble."""
    if len(head) < 8:
        return False
    group, _, vr = struct.unpack_from("<HH2s", head)
    (implicit_length,) = struct.unpack_from("<I", head, 4)
    if group not in (0x0002, 0x0008):
        return False
    return vr.decode("latin-1") in set(VR) or implicit_length <= size - 8


def inflate(file: BinaryIO) -> BinaryIO:
    """Return the file from its start, inflated where its data set is deflated (PS3.5 A.5).

    Raises
    ------
    UnreadableFileError
        If a deflated data set is truncated, or larger than ``MAX_INFLATED_BYTES``; if an element
        of the file meta information occurs twice.
    """
    start = 132 if file.read(132)[128:] == b"DICM" else 0
    file.seek(start)
    repeats = Repeats(file, lambda tag: tag >> 16 != 0x0002)
    meta = read_dataset(file, is_implicit_VR=False, is_little_endian=True, stop_when=repeats)
    repeats.refuse()
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        file.seek(0)
        return file
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    body = inflater.decompress(file.read(MAX_INFLATED_BYTES), MAX_INFLATED_BYTES)
    if not inflater.eof:
        limit = MAX_INFLATED_BYTES >> 20
        raise UnreadableFileError(f"deflated data set is truncated or beyond {limit} MiB")
    return io.BytesIO(_EXPLICIT_LITTLE_ENDIAN_META + body)


class Repeats:
    """A ``stop_when`` for pydicom that notices a second element of one tag (PS3.5 7.1).

    pydicom keeps the last one, without a word.

    Parameters
    ----------
    file
        What pydicom reads from.
    is_end
        Whether to stop before the element of a tag.
    """

    def __init__(self, file: BinaryIO, is_end: Callable[[int], bool] = lambda tag: False) -> None:
        self._file, self._is_end = file, is_end
        self._places: dict[int, int] = {}
        self._repeated: int | None = None

    def __call__(self, tag: int, vr: str | None, length: int) -> bool:
        """Return whether to stop before an element, as pydicom asks for each one."""
        place = self._file.tell()
        # Less than a header apart it is one element: pydicom looks at the first one before it
        # reads it. Zeros behind a data set look like elements (0000,0000).
        if tag and place - self._places.get(tag, place) >= _SHORTEST_HEADER:
            self._repeated = tag
        self._places[tag] = place
        return self._is_end(tag)

    def refuse(self) -> None:
        """Raise UnreadableFileError if an element occurs twice."""
        if (tag := self._repeated) is not None:
            name = f"{keyword_for_tag(tag)} ({tag >> 16:04X},{tag & 0xFFFF:04X})".strip()
            raise UnreadableFileError(f"{name} occurs twice; export the file again")
