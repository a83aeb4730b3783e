"""A picture of the lungs that were found, for people who look before they trust a figure."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.run.preview import LUNG
from rgan_sdk.slices import spread_indices
from rgan_train.evaluation.lungs.mask import LungMask

if TYPE_CHECKING:
    from PIL import Image

TILES: Final = 12
TILE_PIXELS: Final = 256
COLUMNS: Final = 4
GREEN: Final = (0, 200, 0)
RED: Final = (230, 0, 0)


def draw_lungs(hu: NDArray[np.float32], lungs: LungMask) -> bytes:
    """Return a PNG of up to 12 slices: the border of the lungs in green, the airways in red.

    Parameters
    ----------
    hu
        ``[N, H, W]`` HU of the slices that the mask was made for.
    """
    from PIL import Image

    shown = [number for number in range(len(hu)) if lungs.voxels[number].any()]
    shown = [shown[index] for index in spread_indices(len(shown), TILES)] if shown else [0]
    tiles = [_tile(hu[number], lungs.voxels[number], lungs.airways[number]) for number in shown]
    width, height = (max(tile.size[axis] for tile in tiles) for axis in (0, 1))
    rows = -(-len(tiles) // COLUMNS)
    sheet = Image.new("RGB", (width * min(len(tiles), COLUMNS), height * rows))
    for place, tile in enumerate(tiles):
        row, column = divmod(place, COLUMNS)
        sheet.paste(tile, (column * width, row * height))
    content = io.BytesIO()
    sheet.save(content, format="PNG")
    return content.getvalue()


def _tile(
    hu: NDArray[np.float32], lung: NDArray[np.bool_], airway: NDArray[np.bool_]
) -> Image.Image:
    from PIL import Image
    from scipy import ndimage

    lower, upper = LUNG
    gray = (np.clip((hu - lower) / (upper - lower), 0, 1) * 255).astype(np.uint8)
    colours = np.repeat(gray[..., np.newaxis], 3, axis=2)
    colours[lung & ~ndimage.binary_erosion(lung)] = GREEN
    colours[airway] = RED
    tile = Image.fromarray(colours)
    tile.thumbnail((TILE_PIXELS, TILE_PIXELS))
    return tile
