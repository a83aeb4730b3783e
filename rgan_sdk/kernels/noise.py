"""The noise of a CT slice in soft tissue, as one number.

The idea is the global noise level of Christianson et al. (AJR 2015, 205: W93-W99): of the standard
deviations of many small regions in soft tissue, the most frequent is that of the noise, because
whatever else a region holds only adds to it.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rgan_sdk.kernels.planes import subtract_planes

BLOCK_MM: Final = 8.0
SMALLEST_BLOCK: Final = 6
"""In pixels: fewer hold too little noise to measure."""

SOFT_TISSUE_HU: Final = (0.0, 100.0)
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
    side = max(round(BLOCK_MM / pixel_spacing / 2) * 2, SMALLEST_BLOCK)
    if min(hu.shape) < side:
        return None
    blocks = sliding_window_view(hu, (side, side))[:: side // 2, :: side // 2]
    quarters = _quarter_means(blocks)
    means = quarters.mean(axis=-1)
    is_soft = (means >= SOFT_TISSUE_HU[0]) & (means <= SOFT_TISSUE_HU[1])
    chosen = np.argwhere(is_soft)
    rows, columns = chosen[:: -(-len(chosen) // MOST_BLOCKS) or 1].T
    deviations = _deviations(blocks[rows, columns])
    even = np.sort(deviations[quarters[rows, columns].std(axis=-1) < EVEN * deviations])
    if len(even) < FEWEST_BLOCKS:
        return None
    closest = _closest_third(even)
    noise = float(closest.mean())
    return noise if closest[-1] - closest[0] <= LARGEST_SPREAD * noise else None


def _quarter_means(blocks: NDArray[Any]) -> Floats:
    """Return the mean of each quarter of each block, ``[rows, columns, 4]``."""
    rows, columns, side, _ = blocks.shape
    quarters = blocks.reshape(rows, columns, 2, side // 2, 2, side // 2)
    means: Floats = quarters.mean(axis=(3, 5), dtype=np.float64).reshape(rows, columns, 4)
    return means


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
