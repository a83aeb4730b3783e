"""Paths and texts from callers; files written whole, waited for until on the disk, and hashed."""

from __future__ import annotations

import codecs
import csv
import glob
import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rgan_sdk.errors import ConfigurationError, OutputError, check_type


@contextmanager
def atomic_write(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Write a file whole or not at all, also where several processes write it.

    Parameters
    ----------
    path
        The file to be; its folder must exist. What it held before is replaced.
    durable
        Whether the content is on the disk before the file has its name.

    Yields
    ------
    Path
        A file name in the same folder, to write to. At the end of the block that file is renamed
        to ``path``; after an error it is removed.

    Raises
    ------
    OSError
        If the file cannot be renamed; callers say what it was for.
    OutputError
        If the system cannot say that the content is on the disk.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield temporary
        if durable:
            sync(temporary)
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink()


def remove_parts(path: Path) -> None:
    """Remove what ``atomic_write`` of a killed process has left of a file that no other writes."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 8}.part"):
        with suppress(OSError):
            part.unlink()


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are missing.

    Raises
    ------
    OutputError
        If that is not possible.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise OutputError(f"{folder}: cannot be created ({exc.strerror})") from exc


def is_there(path: Path) -> bool:
    """Return whether there is anything of that name, also a link that leads nowhere."""
    return os.path.lexists(path)


def decode_text(content: bytes, errors: str = "strict") -> str:
    """Decode a text that people edit: UTF-8, or UTF-16 as spreadsheets write "Unicode text".

    A byte order mark tells the two apart, and is left out.

    Parameters
    ----------
    errors
        What to do with bytes that are not UTF-8, as for ``bytes.decode``.

    Raises
    ------
    UnicodeDecodeError
        If the text is neither.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    return content.decode("utf-8-sig", errors)


def find_delimiter(text: str, columns: Iterable[str]) -> str:
    """Return the delimiter of a CSV file: a comma, or what spreadsheets write besides.

    Parameters
    ----------
    text
        Content of the file.
    columns
        Columns that the file should have. The delimiter that finds more of them in the header is
        taken.
    """
    header = text.splitlines()[:1]

    def count(delimiter: str) -> int:
        return len(set(columns).intersection(*csv.reader(header, delimiter=delimiter)))

    return max(",;\t", key=count)


def is_utf8(name: str) -> bool:
    """Return whether a name, as ``pathlib`` gives it, has only bytes that are UTF-8."""
    return not any("\udc80" <= char <= "\udcff" for char in name)


def as_path(name: str, value: str | os.PathLike[str]) -> Path:
    """Return an argument, which is called ``name``, as a path.

    Raises
    ------
    ConfigurationError
        If it is neither text nor a path, or nothing can have that name.
    """
    check_type(name, value, str, os.PathLike)
    try:
        encoded = os.fsencode(value)
    except UnicodeEncodeError as exc:
        raise ConfigurationError(f"{name}: a path cannot hold {exc.object[exc.start]!r}") from exc
    if b"\0" in encoded:
        raise ConfigurationError(f"{name}: a path cannot hold a zero character")
    return Path(os.fsdecode(encoded))


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, hexadecimal.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
