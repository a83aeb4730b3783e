"""Boxes that mark a finding in a slice: XML in the style of Pascal VOC.

Collections such as Lung-PET-CT-Dx have one file for each slice, named by SOPInstanceUID.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn
from xml.etree import ElementTree

from rgan_sdk.errors import ConfigurationError

MAX_BYTES: Final = 1 << 20
CORNERS: Final = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels, counted from 0; ``right`` and ``bottom`` are just outside.

    Raises
    ------
    ConfigurationError
        If it is empty or begins outside the image.
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
        """Return the quarter of an image around its centre."""
        left, top = columns // 4, rows // 4
        return cls(left, top, left + max(1, columns // 2), top + max(1, rows // 2))

    @property
    def width(self) -> int:
        """In pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """In pixels."""
        return self.bottom - self.top

    @property
    def part(self) -> tuple[slice, slice]:
        """Rows and columns, to index ``[H, W]`` with."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def check_inside(self, rows: int, columns: int) -> None:
        """Raise ConfigurationError unless the box lies inside an image."""
        if self.right > columns or self.bottom > rows:
            raise ConfigurationError(
                f"{self} does not lie inside the slice of {columns}x{rows} pixels"
            )


def union(boxes: Iterable[Box]) -> Box:
    """Return the smallest box around some boxes, at least one."""
    corners = [(box.left, box.top, box.right, box.bottom) for box in boxes]
    left, top, right, bottom = zip(*corners, strict=True)
    return Box(min(left), min(top), max(right), max(bottom))


def find_box(path: Path, sop_instance_uids: Iterable[str]) -> Box:
    """Return the box around all that is marked in a slice.

    Parameters
    ----------
    path
        A file, or a folder with files named by SOPInstanceUID.
    sop_instance_uids
        Of the slice, with each kernel; their marks differ a little and count together.

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
        raise ConfigurationError(f"{path}: has no {names}; take another slice, or a file")
    return union(box for file in files for box in read_boxes(file))


def read_boxes(path: Path) -> tuple[Box, ...]:
    """Read the boxes of one file.

    ``xmin`` and ``ymin`` are taken as counted from 0, ``xmax`` and ``ymax`` as just outside;
    programs that write this format differ by one pixel.

    Raises
    ------
    ConfigurationError
        If the file is not such XML, has a document type (and so could define entities), or
        marks nothing.
    """
    parser = ElementTree.XMLParser(target=_Builder())  # noqa: S314 - no document type, no entities
    try:
        parser.feed(_content(path))
        root = parser.close()
        found = tuple(_box(element) for element in root.iter("bndbox"))
    except ElementTree.ParseError as exc:
        raise ConfigurationError(f"{path}: is not XML ({exc})") from exc
    except ConfigurationError as exc:
        raise ConfigurationError(f"{path}: {exc}") from exc
    if not found:
        raise ConfigurationError(f"{path}: marks nothing, it has no element bndbox")
    return found


class _Builder(ElementTree.TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> NoReturn:
        raise ConfigurationError(f"has a document type ({name}), which is refused")


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as exc:
        raise ConfigurationError(f"cannot be read ({exc.strerror})") from exc
    if len(content) > MAX_BYTES:
        raise ConfigurationError(f"is larger than {MAX_BYTES >> 20} MiB: no file of boxes")
    return content


def _box(element: ElementTree.Element) -> Box:
    corners = {name: element.findtext(name, "").strip() for name in CORNERS}
    try:
        values = [round(float(corner)) for corner in corners.values()]
    except (ValueError, OverflowError) as exc:
        raise ConfigurationError(f"a box has corners {corners}, expected numbers") from exc
    return Box(*values)
