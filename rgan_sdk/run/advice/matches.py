"""Which folders ``rgan-train match`` could take as groups of one kernel each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from rgan_sdk.dicom.series import Series
from rgan_sdk.run.advice.groups import KernelKey
from rgan_sdk.run.places.folders import common_folder

FEWEST_SLICES: Final = 20
"""Of a group, as docs/matching.md has it."""
MOST_FOLDERS: Final = 4
"""In one command line."""


class MatchGroup(NamedTuple):
    """The series of one kernel, as a group to be matched.

    Attributes
    ----------
    folders
        Relative to the root, that hold series with this kernel and no others.
    problem
        Why there is no such group; else empty.
    """

    folders: tuple[PurePosixPath, ...]
    problem: str = ""


def find_match_group(key: KernelKey, found: Sequence[tuple[Series, PurePosixPath]]) -> MatchGroup:
    """Return the group of a kernel.

    Parameters
    ----------
    found
        All series below the root, each with its folder relative to it.
    """
    above_others = {
        above
        for one, folder in found
        if KernelKey.of(one) != key
        for above in (folder, *folder.parents)
    }
    own = [(one, folder) for one, folder in found if KernelKey.of(one) == key]
    slices = sum(len(one.slices) for one, _ in own)
    if slices < FEWEST_SLICES:
        return MatchGroup((), f"has {_slices(slices)}, and some {FEWEST_SLICES} are needed")
    apart = [(one, folder) for one, folder in own if folder not in above_others]
    slices = sum(len(one.slices) for one, _ in apart)
    if slices < FEWEST_SLICES:
        return MatchGroup((), "shares a folder with other series; give it a folder of its own")
    folders = [folder for _, folder in apart]
    common = common_folder(folders)
    if common not in above_others:
        return MatchGroup((common,))
    chosen = tuple(dict.fromkeys(folders))
    if len(chosen) > MOST_FOLDERS:
        return MatchGroup((), f"lies in {len(chosen)} folders among others; give it one folder")
    return MatchGroup(chosen)


def _slices(count: int) -> str:
    return "1 slice" if count == 1 else f"{count} slices"
