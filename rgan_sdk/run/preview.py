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
CAPTION_HEIGHT = 28
SHEET_PICTURES = 200
SHEET_COLUMNS = 3
SHEET_TILE = 600
SHEET_MARGIN = 8


def write_preview(
    path: Path, before: NDArray[np.float32], after: NDArray[np.float32], captions: tuple[str, str]
) -> None:
    """Write before, after and difference, whole and magnified, as a PNG.

    Parameters
    ----------
    before, after
        ``[H, W]`` HU.
    captions
        Headings of the first two columns, such as the two kernels.
    """
    from PIL import Image

    display = _display_window(before)
    region = _busiest_region(before)
    columns = [
        (before, display, captions[0]),
        (after, display, captions[1]),
        (after - before, DIFFERENCE, "difference, {:+.0f} to {:+.0f} HU".format(*DIFFERENCE)),
    ]
    height, width = before.shape
    sheet = Image.new("L", (width * len(columns), 2 * height + CAPTION_HEIGHT))
    for index, (hu, window, caption) in enumerate(columns):
        magnified = hu[region]
        _caption(sheet, index * width, caption)
        whole = _to_gray(hu, window)
        closer = _to_gray(magnified, window).resize((width, height), Image.Resampling.BICUBIC)
        sheet.paste(whole, (index * width, CAPTION_HEIGHT))
        sheet.paste(closer, (index * width, CAPTION_HEIGHT + height))
    with atomic_write(path) as temporary:
        sheet.save(temporary, format="PNG")


def write_contact_sheet(path: Path, pictures: Sequence[Path]) -> None:
    """Write the whole slices of many previews, small, onto one sheet.

    Parameters
    ----------
    pictures
        Files that ``write_preview`` wrote. Only the first 200 are shown.
    """
    from PIL import Image

    shown = pictures[:SHEET_PICTURES]
    tiles = [_thumbnail(picture) for picture in shown]
    width, height = (max(tile.size[axis] for tile in tiles) + SHEET_MARGIN for axis in (0, 1))
    rows = -(-len(tiles) // SHEET_COLUMNS)
    sheet = Image.new("L", (width * min(len(tiles), SHEET_COLUMNS), height * rows))
    for index, tile in enumerate(tiles):
        row, column = divmod(index, SHEET_COLUMNS)
        sheet.paste(tile, (column * width, row * height))
    with atomic_write(path) as temporary:
        sheet.save(temporary, format="PNG")


def _thumbnail(path: Path) -> Image.Image:
    """Return the upper half of a preview, its whole slices, small."""
    from PIL import Image

    with Image.open(path) as picture:
        width, height = picture.size
        whole = picture.crop((0, 0, width, (height + CAPTION_HEIGHT) // 2))
        whole.thumbnail((SHEET_TILE, SHEET_TILE))
        return whole.copy()


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


def _caption(sheet: Image.Image, left: int, text: str) -> None:
    from PIL import ImageDraw, ImageFont

    font = ImageFont.load_default(size=16)
    ImageDraw.Draw(sheet).text((left + 8, 5), text, fill=255, font=font)
