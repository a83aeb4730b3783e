"""The mask of a structure, and which structures are wanted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import ConfigurationError


@dataclass(frozen=True)
class Mask:
    """The pixels of one structure.

    Attributes
    ----------
    name
        Name of the structure.
    voxels
        ``[N, H, W]`` bool, in the order of ``Series.slices``.
    notes
        What the file says of the structure but could not be used, and why.
    """

    name: str
    voxels: NDArray[np.bool_]
    notes: tuple[str, ...] = ()


class StructureChoice:
    """The structures that a user wants, by name; without names, all.

    Upper and lower case are the same. A number stands for a value of a label map: ``3`` for
    ``label 3``. A name that several structures of a file share takes them all.

    Attributes
    ----------
    names
        As the user gave them.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.names = tuple(names)
        self._wanted = {_key(name): name for name in self.names}
        self._seen: dict[str, str] = {}

    def takes(self, name: str, name_in_file: str) -> bool:
        """Tell whether a structure of a file is wanted, by its distinct name or by the file's."""
        self._seen[_key(name)] = name
        return not self._wanted or not self._wanted.keys().isdisjoint(
            {_key(name), _key(name_in_file)}
        )

    def check_found(self) -> None:
        """Raise ConfigurationError if a wanted structure was in none of the files."""
        missing = [name for key, name in self._wanted.items() if key not in self._seen]
        if missing:
            raise ConfigurationError(
                f"no mask file has a structure {', '.join(map(repr, missing))}; they have: "
                f"{', '.join(self._seen.values())}"
            )


def _key(name: str) -> str:
    name = name.strip().casefold()
    return f"label {int(name)}" if name.isdecimal() else name
