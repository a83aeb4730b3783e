"""How the folder of a finished series differs from the files that the journal lists."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from rgan_sdk import _core
from rgan_sdk.dicom.write.writer import format_crc32c
from rgan_sdk.run.state.finished import OutputFile

CHUNK: Final = 64  # files that are read at a time


def find_damage(folder: Path, files: Iterable[OutputFile]) -> str:
    """Return how a folder differs from its files' names and sizes; empty if it does not.

    A link may lead out of OUTPUT, so it is not followed.

    Raises
    ------
    OSError
        If the folder cannot be read.
    """
    if folder.is_symlink():
        return "a symbolic link in place of its folder"
    try:
        with os.scandir(folder) as entries:
            found = {entry.name: entry for entry in entries}
    except NotADirectoryError:
        return "not a folder"
    problems = [_compare_file(file, found.pop(file.name, None)) for file in files]
    problems += [f"file that does not belong there: {name}" for name in sorted(found)]
    return _summary(problems)


def _compare_file(file: OutputFile, entry: os.DirEntry[str] | None) -> str:
    if entry is None:
        return f"file missing: {file.name}"
    if not entry.is_file(follow_symlinks=False):
        return f"not a regular file: {file.name}"
    size = entry.stat(follow_symlinks=False).st_size
    if size == file.size:
        return ""
    return f"file of {size} instead of {file.size} bytes: {file.name}"


def _summary(problems: Iterable[str]) -> str:
    first, *others = [problem for problem in problems if problem] or [""]
    return f"{first} (and {len(others)} more)" if others else first


def find_changes(
    folder: Path,
    files: Sequence[OutputFile],
    pool: _core.ThreadPool,
    on_files: Callable[[int], None],
) -> str:
    """Return which files differ from their checksums; empty if none does.

    Parameters
    ----------
    pool
        The threads that read.
    on_files
        Is called now and then with how many files were read since.
    """
    problems: list[str] = []
    for start in range(0, len(files), CHUNK):
        part = files[start : start + CHUNK]
        problems += _compare_checksums(folder, part, pool)
        on_files(len(part))
    return _summary(problems)


def _compare_checksums(
    folder: Path, files: Sequence[OutputFile], pool: _core.ThreadPool
) -> list[str]:
    found = _core.checksum_files([os.fsencode(folder / file.name) for file in files], pool)
    problems = []
    for file, (problem, checksum) in zip(files, found, strict=True):
        if problem is not None:
            problems.append(f"file that {problem}: {file.name}")
        elif format_crc32c(checksum) != file.crc32c:
            problems.append(f"file changed: {file.name}")
    return problems
