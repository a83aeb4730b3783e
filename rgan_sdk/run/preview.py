"""A picture of one slice before and after, for people who look rather than read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.files import atomic_write

if TYPE_CHECKING:
    from PIL import Image

LUNG = (-1350.0, 150.0)
SOFT_TISSUE = (-160.0, 240.0)
DIFFERENCE = (-150.0, 150.0)
MAGNIFICATION = 3
EDGE_HU = 100.0
LEAST_SIDE = 384
"""Smaller slices are shown with several pixels for each, so that captions have room."""
LINE_HEIGHT = 28
TEXT_SIZE = 16
SMALLEST_TEXT = 9
SHEET_PICTURES = 200
SHEET_COLUMNS = 3
SHEET_TILE = 600
SHEET_MARGIN = 8
TITLE, CAPTION, TOP = "Title", "Description", "rgan:top"
"""Texts in the PNG that a contact sheet reads: what is shown, and where the whole slices begin."""


def write_preview(
    path: Path,
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    captions: tuple[str, str],
    title: str = "",
) -> None:
    """Write before, after and difference, whole and magnified, as a PNG.

    Parameters
    ----------
    before, after
        ``[H, W]`` HU.
    captions
        Headings of the first two columns, such as the two kernels.
    title
        Names the series, above everything.
    """
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    display = _display_window(before)
    region = _busiest_region(before)
    columns = [
        (before, display, captions[0]),
        (after, display, captions[1]),
        (after - before, DIFFERENCE, "difference, {:+.0f} to {:+.0f} HU".format(*DIFFERENCE)),
    ]
    scale = -(-LEAST_SIDE // max(before.shape))
    height, width = (side * scale for side in before.shape)
    room = max(width, LEAST_SIDE)
    top = LINE_HEIGHT * (2 if title else 1)
    sheet = Image.new("L", (room * len(columns), 2 * height + top))
    _write(sheet, 0, 0, sheet.width, title)
    for index, (hu, window, caption) in enumerate(columns):
        _write(sheet, index * room, top - LINE_HEIGHT, room, caption)
        whole = _to_gray(hu, window).resize((width, height), Image.Resampling.NEAREST)
        closer = _to_gray(hu[region], window).resize((width, height), Image.Resampling.BICUBIC)
        sheet.paste(whole, (index * room, top))
        sheet.paste(closer, (index * room, top + height))
    told = PngInfo()
    for key, text in ((TITLE, title), (CAPTION, captions[1]), (TOP, str(top))):
        told.add_itxt(key, text)
    with atomic_write(path) as temporary:
        sheet.save(temporary, format="PNG", pnginfo=told)


def write_contact_sheet(path: Path, pictures: Sequence[Path]) -> None:
    """Write the whole slices of many previews, small, onto one sheet, each below its title.

    Parameters
    ----------
    pictures
        Files that ``write_preview`` wrote. Only the first 200 are shown.
    """
    from PIL import Image

    shown = pictures[:SHEET_PICTURES]
    tiles = [_tile(picture) for picture in shown]
    width, height = (max(tile.size[axis] for tile in tiles) + SHEET_MARGIN for axis in (0, 1))
    rows = -(-len(tiles) // SHEET_COLUMNS)
    sheet = Image.new("L", (width * min(len(tiles), SHEET_COLUMNS), height * rows))
    for index, tile in enumerate(tiles):
        row, column = divmod(index, SHEET_COLUMNS)
        sheet.paste(tile, (column * width, row * height))
    with atomic_write(path) as temporary:
        sheet.save(temporary, format="PNG")


def _tile(path: Path) -> Image.Image:
    """Return the whole slices of a preview, small, below its title and what was done."""
    from PIL import Image

    with Image.open(path) as picture:
        width, height = picture.size
        texts = picture.info
        top = int(texts.get(TOP, LINE_HEIGHT))  # earlier versions had no title
        whole = picture.crop((0, top, width, (height + top) // 2))
        whole.thumbnail((SHEET_TILE, SHEET_TILE))
        tile = Image.new("L", (max(whole.width, SHEET_TILE), whole.height + 2 * LINE_HEIGHT))
        tile.paste(whole, (0, 2 * LINE_HEIGHT))
    _write(tile, 0, 0, tile.width, texts.get(TITLE) or path.stem)
    _write(tile, 0, LINE_HEIGHT, tile.width, texts.get(CAPTION, ""))
    return tile


def _display_window(hu: NDArray[np.float32]) -> tuple[float, float]:
    """Return the lung window if a good part of the slice is lung, else that of soft tissue."""
    margin_y, margin_x = hu.shape[0] // 4, hu.shape[1] // 4
    center = hu[margin_y : hu.shape[0] - margin_y, margin_x : hu.shape[1] - margin_x]
    lung = np.mean((center > -980) & (center < -500))
    return LUNG if lung > 0.15 else SOFT_TISSUE


def _busiest_region(hu: NDArray[np.float32]) -> tuple[slice, slice]:
    """Return the part of the slice with the most edges, away from the border and the table."""
    height, width = (max(1, size // MAGNIFICATION) for size in hu.shape)
    tissue = np.clip(hu, -1000, 400)
    edges = np.abs(np.diff(tissue, axis=0, append=tissue[-1:])) > EDGE_HU
    margin_y, margin_x = hu.shape[0] // 6, hu.shape[1] // 6
    tops = range(margin_y, max(margin_y, hu.shape[0] - height - 2 * margin_y) + 1, height // 8 + 1)
    lefts = range(margin_x, max(margin_x, hu.shape[1] - width - margin_x) + 1, width // 8 + 1)
    _, top, left = max(
        (int(edges[y : y + height, x : x + width].sum()), y, x) for y in tops for x in lefts
    )
    return slice(top, top + height), slice(left, left + width)


def _to_gray(hu: NDArray[np.float32], window: tuple[float, float]) -> Image.Image:
    from PIL import Image

    lower, upper = window
    scaled = np.clip((hu - lower) / (upper - lower), 0, 1) * 255
    return Image.fromarray(scaled.round().astype(np.uint8))


def _write(sheet: Image.Image, left: int, top: int, room: int, text: str) -> None:
    """Write a line of text, smaller or cut where it would not fit into so many pixels."""
    from PIL import ImageDraw, ImageFont

    draw = ImageDraw.Draw(sheet)
    for size in range(TEXT_SIZE, SMALLEST_TEXT - 1, -1):
        font = ImageFont.load_default(size=size)
        if draw.textlength(text, font=font) <= room - 2 * SHEET_MARGIN:
            break
    while text and draw.textlength(text, font=font) > room - 2 * SHEET_MARGIN:
        text = f"{text.removesuffix('...')[:-1]}..." if len(text) > 3 else ""
    draw.text((left + SHEET_MARGIN, top + 5), text, fill=255, font=font)
