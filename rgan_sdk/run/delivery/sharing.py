"""Let the group read what a run has written."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from rgan_sdk.files import is_there
from rgan_sdk.run.report import Report

READ: Final = stat.S_IRGRP
ENTER: Final = stat.S_IRGRP | stat.S_IXGRP


def open_to_group(output: Path, name: str, report: Report) -> None:
    """Let the group read a file of OUTPUT, or a folder with the files in it.

    OUTPUT itself and the folders between are opened too; what else is in them stays as it is.

    Parameters
    ----------
    name
        Relative to ``output``; nothing need be there.
    report
        Gets a warning where rights cannot be changed, or a folder cannot be read.
    """
    path = output / name
    between = [folder for folder in path.parents if folder.is_relative_to(output)]
    try:
        inside = list(path.iterdir()) if path.is_dir() and not path.is_symlink() else []
    except OSError as exc:
        inside = []
        _warn(report, path, exc)
    share([*reversed(between), path, *inside], report)


def share(paths: Iterable[Path], report: Report) -> None:
    """Let the group read files, and enter folders, if they are there.

    Links are not followed, and nobody loses a right.

    Parameters
    ----------
    report
        Gets a warning for each whose rights cannot be changed.
    """
    for path in filter(is_there, paths):
        try:
            _share(path)
        except OSError as exc:
            _warn(report, path, exc)


def _warn(report: Report, path: Path, error: OSError) -> None:
    """Warn, and no more: what was made is in place."""
    text = f"{path.name} cannot be made readable for the group ({error.strerror})"
    report.warnings.append(text)


def _share(path: Path) -> None:
    mode = path.lstat().st_mode
    wanted = ENTER if stat.S_ISDIR(mode) else READ if stat.S_ISREG(mode) else 0
    if mode & wanted != wanted:
        path.chmod(stat.S_IMODE(mode) | wanted)
