"""The noise of a CT slice in soft tissue, as one number.

The idea is the global noise level of Christianson et al. (AJR 2015, 205: W93-W99): of the standard
deviations of many small regions in soft tissue, the most frequent is that of the noise, because
whatever else a region holds only adds to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rgan_sdk.kernels.planes import subtract_planes

BLOCK_MM: Final = 8.0
SMALLEST_BLOCK: Final = 6
"""In pixels: fewer hold too little noise to measure."""

SOFT_TISSUE_HU: Final = (0.0, 100.0)
TISSUES_HU: Final = {
    "soft tissue": SOFT_TISSUE_HU,
    "fat": (-130.0, -70.0),
    "lung": (-950.0, -700.0),
}
"""The mean of a block in each tissue lies between these."""

EVEN: Final = 0.5
"""In an even block the means of its quarters differ by less than this part of its deviation."""

FEWEST_BLOCKS: Final = 12
MOST_BLOCKS: Final = 4096
"""Of more blocks, some from all over are taken, to save memory."""

LARGEST_SPREAD: Final = 0.35
"""A third of the blocks must agree within this part of the noise."""

Floats = NDArray[np.float64]


def soft_tissue_noise(hu: NDArray[np.float32], pixel_spacing: float) -> float | None:
    """Measure the noise of one slice where its soft tissue is even.

    Blocks of 8x8 mm that overlap by half count if their mean lies from 0 to 100 HU, and if the
    means of their four quarters differ by less than noise makes them differ. From each a plane is
    subtracted. The noise is the mean standard deviation of the blocks that agree best: those in
    the narrowest interval of standard deviations that holds a third of all.

    Parameters
    ----------
    hu
        ``[H, W]`` HU, as reconstructed with any kernel. Padding counts as air.
    pixel_spacing
        Of rows and columns, mm.

    Returns
    -------
    float or None
        Standard deviation in HU; None where fewer than 12 blocks are even soft tissue, or where
        they differ too much to be noise.
    """
    return tissue_noise(hu, pixel_spacing, {"soft tissue": SOFT_TISSUE_HU})["soft tissue"]


def tissue_noise(
    hu: NDArray[np.float32],
    pixel_spacing: float,
    tissues: Mapping[str, tuple[float, float]] = TISSUES_HU,
) -> dict[str, float | None]:
    """Measure the noise of one slice in each tissue, as ``soft_tissue_noise`` does.

    Parameters
    ----------
    hu, pixel_spacing
        As ``soft_tissue_noise`` takes them.
    tissues
        By name, the lowest and the highest mean of a block, HU.

    Returns
    -------
    dict
        By name, the standard deviation in HU or None.
    """
    side = max(round(BLOCK_MM / pixel_spacing / 2) * 2, SMALLEST_BLOCK)
    if min(hu.shape) < side:
        return dict.fromkeys(tissues)
    blocks = sliding_window_view(hu, (side, side))[:: side // 2, :: side // 2]
    quarters = _quarter_means(hu, side // 2)
    means = quarters.mean(axis=-1)
    return {
        name: _most_frequent(blocks, quarters, (means >= lowest) & (means <= highest))
        for name, (lowest, highest) in tissues.items()
    }


def _most_frequent(
    blocks: NDArray[np.float32], quarters: Floats, inside: NDArray[np.bool_]
) -> float | None:
    """Return the deviation that most of the even blocks have; None if they do not agree."""
    chosen = np.argwhere(inside)
    rows, columns = chosen[:: -(-len(chosen) // MOST_BLOCKS) or 1].T
    deviations = _deviations(blocks[rows, columns])
    even = np.sort(deviations[quarters[rows, columns].std(axis=-1) < EVEN * deviations])
    if len(even) < FEWEST_BLOCKS:
        return None
    closest = _closest_third(even)
    noise = float(closest.mean())
    return noise if closest[-1] - closest[0] <= LARGEST_SPREAD * noise else None


def _quarter_means(hu: NDArray[np.float32], side: int) -> Floats:
    """Return the mean of each quarter of each block, ``[rows, columns, 4]``.

    Blocks overlap by half, so that their quarters of ``side`` pixels are those of their neighbours.
    """
    rows, columns = (size // side for size in hu.shape)
    cells = hu[: rows * side, : columns * side].reshape(rows, side, columns, side)
    means = cells.mean(axis=(1, 3), dtype=np.float64)
    return np.stack([means[:-1, :-1], means[:-1, 1:], means[1:, :-1], means[1:, 1:]], axis=-1)


def _deviations(blocks: NDArray[np.float32]) -> Floats:
    """Return the standard deviation of each block around the plane that fits it best."""
    pixels = blocks.shape[-1] ** 2
    residues = subtract_planes(blocks).reshape(-1, pixels)
    deviations: Floats = np.sqrt((residues**2).sum(axis=1) / (pixels - 3))
    return deviations


def _closest_third(ascending: Floats) -> Floats:
    """Return the third of the values that spans the narrowest interval, where they are densest."""
    count = len(ascending) // 3 + 1
    widths = ascending[count - 1 :] - ascending[: len(ascending) - count + 1]
    start = int(widths.argmin())
    return ascending[start : start + count]
