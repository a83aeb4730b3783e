"""Which folder of OUTPUT a new series gets, and which names its files."""

from __future__ import annotations

import stat
from pathlib import Path, PurePosixPath
from typing import Final

from rgan_sdk.dicom.header import pseudonym
from rgan_sdk.dicom.series import Series
from rgan_sdk.errors import OutputError
from rgan_sdk.files import sync
from rgan_sdk.run.places.choices import BY_SERIES, BY_UID

DIGITS: Final = 4
"""Of a sorted name; more where a series has more slices."""


def folder_above(series: Series, layout: str) -> PurePosixPath:
    """Return the folder that holds the folder of a new series, relative to OUTPUT.

    Parameters
    ----------
    layout
        One of ``LAYOUTS``. Patients and studies are named by pseudonyms.
    """
    if layout == BY_SERIES:
        return PurePosixPath()
    study = PurePosixPath(pseudonym(series.study_instance_uid))
    return study if layout == "study" else series.patient / study


def file_names(series: Series, names: str) -> dict[str, str]:
    """Return the names of new files by SOPInstanceUID of their sources.

    Parameters
    ----------
    names
        One of ``NAMES``. By ``uid`` they follow from the new objects, and none is returned; names
        that are ``sorted`` count the slices by ascending ``position``.
    """
    if names == BY_UID:
        return {}
    digits = max(DIGITS, len(str(len(series.slices))))
    return {
        uid: f"{number:0{digits}}.dcm"
        for number, uid in enumerate(series.slices.sop_instance_uids, 1)
    }


def find_obstacle(output: Path, above: PurePosixPath) -> str:
    """Return why series cannot be put into a folder of OUTPUT; empty if they can.

    A link may lead out of OUTPUT, so it is not followed.
    """
    for name in (*reversed(above.parents), above):
        try:
            mode = (output / name).lstat().st_mode
        except OSError:  # there is nothing, or nothing that can be seen
            return ""
        if name.parts and not stat.S_ISDIR(mode):
            kind = "a symbolic link" if stat.S_ISLNK(mode) else "not a folder"
            return f"{name} in OUTPUT is {kind}; remove it, or choose another OUTPUT"
    return ""


def make_folders(output: Path, above: PurePosixPath, *, durable: bool) -> None:
    """Make the folders above that of a new series, where they are missing.

    Parameters
    ----------
    durable
        Whether to wait until they are on the disk.

    Raises
    ------
    OutputError
        If something else stands in their place.
    OSError
        If they cannot be made.
    """
    if obstacle := find_obstacle(output, above):
        raise OutputError(obstacle)
    folder = output
    for part in above.parts:
        parent, folder = folder, folder / part
        if not folder.is_dir():
            folder.mkdir(mode=0o700)
            if durable:
                sync(parent)
