"""What may happen to a finished series in OUTPUT between two runs."""

import shutil
from collections.abc import Callable
from pathlib import Path

from rgan_sdk.run.state.finished import OutputFile

EXTRA = "notes of a reader.txt"
FILES = (OutputFile("1.dcm", 3, "00000000"), OutputFile("2.dcm", 4, "00000000"))


def first(folder: Path) -> Path:
    """Return the first file of a series."""
    return min(folder.iterdir())


def cut_file(folder: Path) -> None:
    content = first(folder).read_bytes()
    first(folder).write_bytes(content[: len(content) // 2])


def flip_bit(folder: Path) -> None:
    content = bytearray(first(folder).read_bytes())
    content[-40] ^= 1
    first(folder).write_bytes(content)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "missing": lambda folder: first(folder).unlink(),
    "cut": cut_file,
    "empty": lambda folder: first(folder).write_bytes(b""),
    "emptied": lambda folder: [path.unlink() for path in folder.iterdir()],
    "removed": shutil.rmtree,
    "extra": lambda folder: (folder / EXTRA).write_text("keep me"),
    "flipped": flip_bit,
}
"""By name; only the last needs ``--verify-outputs`` to be seen."""
