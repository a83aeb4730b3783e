"""Files that may have been slices: cut, emptied, filled with zeros, or not to be read.

Nobody can say which series such a file belonged to but by what lies beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

Place = tuple[str, str]
"""A folder, and the suffix of file names in it."""


def place_of(path: str) -> Place:
    """Return where slices lie that a file may have been one of.

    A number is no suffix, as in names that are UIDs. A hidden file was no slice, and has a place
    of its own.
    """
    folder, name = os.path.split(path)
    if name.startswith("."):
        return path, ""
    _, dot, suffix = name.rpartition(".")
    return folder, suffix.lower() if dot and not suffix.isdigit() else ""


def series_beside(
    places: Iterable[Place], slices: Iterable[tuple[str, Iterable[str]]]
) -> Mapping[Place, set[str]]:
    """Return which series have slices in each place.

    Parameters
    ----------
    slices
        SeriesInstanceUIDs, each with paths of slices.
    """
    found: dict[Place, set[str]] = {place: set() for place in places}
    if found:
        for series, paths in slices:
            for path in paths:
                if (place := place_of(path)) in found:
                    found[place].add(series)
    return found
