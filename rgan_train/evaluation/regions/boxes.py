"""Boxes around findings in a slice, from XML in the style of Pascal VOC.

Collections such as Lung-PET-CT-Dx have one file for each slice, named by its SOPInstanceUID.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.regions.untrusted_xml import read_xml

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_BYTES: Final = 1 << 20
CORNERS: Final = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels, counted from 0; ``right`` and ``bottom`` are just outside.

    Raises
    ------
    ConfigurationError
        If the box is empty or begins outside the image.
    """

    left: int
    top: int
    right: int
    bottom: int

    def __post_init__(self) -> None:
        if not (0 <= self.left < self.right and 0 <= self.top < self.bottom):
            raise ConfigurationError(f"{self} is empty or begins outside the image")

    def __str__(self) -> str:
        return f"box x {self.left} to {self.right}, y {self.top} to {self.bottom}"

    @classmethod
    def center_of(cls, rows: int, columns: int) -> Box:
        """Return the box around an image's centre that has half its width and height."""
        left, top = columns // 4, rows // 4
        return cls(left, top, left + max(1, columns // 2), top + max(1, rows // 2))

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.bottom - self.top

    @property
    def part(self) -> tuple[slice, slice]:
        """Rows and columns, to index ``[H, W]`` with."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def check_inside(self, rows: int, columns: int) -> None:
        """Raise ConfigurationError if the box does not lie inside an image."""
        if self.right > columns or self.bottom > rows:
            raise ConfigurationError(
                f"{self} does not lie inside the slice of {columns}x{rows} pixels"
            )


def union(boxes: Iterable[Box]) -> Box:
    """Return the smallest box around one or more boxes."""
    corners = [(box.left, box.top, box.right, box.bottom) for box in boxes]
    left, top, right, bottom = zip(*corners, strict=True)
    return Box(min(left), min(top), max(right), max(bottom))


def find_box(path: Path, sop_instance_uids: Iterable[str]) -> Box:
    """Return the box around everything that is marked in a slice.

    Parameters
    ----------
    path
        A file, or a folder with files named by SOPInstanceUID.
    sop_instance_uids
        SOPInstanceUIDs of the slice, one for each kernel. The boxes of their files differ a little
        and are joined.

    Raises
    ------
    ConfigurationError
        If nothing is marked, or a file cannot be read.
    """
    if not path.is_dir():
        return union(read_boxes(path))
    uids = tuple(sop_instance_uids)
    files = [file for file in (path / f"{uid}.xml" for uid in uids) if file.exists()]
    if not files:
        names = " or ".join(f"{uid}.xml" for uid in uids)
        raise ConfigurationError(f"{path}: has no {names}; choose another slice, or give a file")
    return union(box for file in files for box in read_boxes(file))


def read_boxes(path: Path) -> tuple[Box, ...]:
    """Read the boxes of one file.

    ``xmin`` and ``ymin`` are counted from 0, and ``xmax`` and ``ymax`` lie just outside. Programs
    that write this format differ by one pixel.

    Raises
    ------
    ConfigurationError
        If the file cannot be read or is larger than 1 MiB, is not XML, has a document type, which
        could define entities, or has no box.
    """
    try:
        root = read_xml(path, MAX_BYTES, "file of boxes")
        found = tuple(_box(element) for element in root.iter("bndbox"))
    except ConfigurationError as exc:
        raise ConfigurationError(f"{path}: {exc}") from exc
    if not found:
        raise ConfigurationError(f"{path}: marks nothing: it has no element bndbox")
    return found


def _box(element: Element) -> Box:
    corners = {name: element.findtext(name, "").strip() for name in CORNERS}
    try:
        values = [round(float(corner)) for corner in corners.values()]
    except (ValueError, OverflowError) as exc:
        raise ConfigurationError(f"a box has the corners {corners}, expected numbers") from exc
    return Box(*values)
