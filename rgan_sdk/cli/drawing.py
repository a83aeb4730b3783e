"""Text and files of the pictures that commands draw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rgan_sdk.errors import OutputError
from rgan_sdk.files import atomic_write

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

INK, FAINT, WHITE = "#1a1a1a", "#767676", "#ffffff"
TITLE, TEXT, SMALL = 32, 21, 19


@dataclass(frozen=True)
class Line:
    """A line of text and its size in pixels."""

    text: str
    size: int

    @property
    def height(self) -> int:
        """How much room it takes."""
        return round(1.4 * self.size)


def wrap(text: str, size: int, width: float) -> Iterator[Line]:
    """Yield a text in lines that are not wider than this."""
    font = _font(size)
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and font.getlength(longer) > width:
            yield Line(line, size)
            longer = word
        line = longer
    yield Line(line, size)


def height(lines: Sequence[Line]) -> int:
    """Return how much room lines take, one below the other."""
    return sum(line.height for line in lines)


def write_lines(draw: ImageDraw.ImageDraw, left: float, top: float, lines: Sequence[Line]) -> None:
    """Write lines, one below the other."""
    for line in lines:
        place(draw, left, top, line.text, line.size, anchor="la")
        top += line.height


def place(
    draw: ImageDraw.ImageDraw,
    x: float,
    y: float,
    text: str,
    size: int,
    ink: str = INK,
    anchor: str = "mm",
) -> None:
    """Write a text; the anchor says which point of it is at x and y, as Pillow spells it."""
    draw.text((x, y), text, fill=ink, font=_font(size), anchor=anchor)


def save_picture(path: Path, picture: Image.Image) -> None:
    """Write a picture as PNG.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    try:
        with atomic_write(path) as temporary:
            picture.save(temporary, format="PNG")
    except OSError as exc:
        raise OutputError(f"{path}: cannot be written ({exc.strerror})") from exc


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size=size)
