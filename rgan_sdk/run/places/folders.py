"""Folders of series, relative to the folder that was searched."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from rgan_sdk.dicom.inventory import Inventory


def folders_of(root: Path, inventory: Inventory) -> dict[tuple[str, int], PurePosixPath]:
    """Return the deepest folder above all files of each series, also of those that failed.

    Returns
    -------
    dict of PurePosixPath
        By SeriesInstanceUID and group; of a failed series by group 0. Series without files, as in
        a list of series that are gone, have none.
    """
    paths = {
        (failed.series_instance_uid, 0): [outcome.path for outcome in failed.outcomes]
        for failed in inventory.failed
    }
    for one in inventory.series:
        paths[one.series_instance_uid, one.group] = [file.path for file in one.slices]
    return {
        key: common_folder(PurePosixPath(path.relative_to(root).parent) for path in files)
        for key, files in paths.items()
        if files
    }


def common_folder(folders: Iterable[PurePosixPath]) -> PurePosixPath:
    """Return the deepest folder above all, or the only one."""
    common, *others = dict.fromkeys(folders)
    while not all(folder.is_relative_to(common) for folder in others):
        common = common.parent
    return common
