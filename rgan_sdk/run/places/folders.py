"""Folders of series, relative to the folder that was searched."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from rgan_sdk.dicom.inventory import Inventory


def series_folders(root: Path, inventory: Inventory) -> dict[tuple[str, int], PurePosixPath]:
    """Return the deepest folder above all files of each series, also of those that failed.

    Returns
    -------
    dict of PurePosixPath
        By SeriesInstanceUID and group. Series without files, as in a list of series that are gone,
        have none.
    """
    folders = {
        (one.series_instance_uid, one.group): folders_of((str(o.path) for o in one.outcomes), root)
        for one in inventory.failed
    }
    for one in inventory.series:
        folders[one.series_instance_uid, one.group] = folders_of(one.slices.paths, root)
    return {key: common_folder(found) for key, found in folders.items() if found}


def folders_of(paths: Iterable[str], root: Path) -> set[PurePosixPath]:
    """Return the folders that files lie in, relative to a folder above them all."""
    return {PurePosixPath(folder).relative_to(root) for folder in set(map(os.path.dirname, paths))}


def common_folder(folders: Iterable[PurePosixPath]) -> PurePosixPath:
    """Return the deepest folder above all, or the only one."""
    common, *others = folders
    while not all(folder.is_relative_to(common) for folder in others):
        common = common.parent
    return common
