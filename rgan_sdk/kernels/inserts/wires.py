"""Find wires and beads of a phantom: bright points that stand alone in an even region."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rgan_sdk.kernels.interpolation import gaussian_blur

SMOOTHING_MM: Final = 0.7
ALONE_MM: Final = 5.0
"""Nothing brighter is so near."""
HEIGHT: Final = 12.0
"""Over its surroundings, in typical deviations of the smoothed slice, and at least"""
LOWEST_HEIGHT: Final = 25.0
"""HU."""
MOST_WIRES: Final = 12
WIDEST_MM: Final = 2.5
"""A wire is at most so wide at half its height; a wider point is a rod."""

Floats = NDArray[np.float64]


def find_wires(
    hu: NDArray[np.float32], pixel_spacing: tuple[float, float]
) -> list[tuple[float, float]]:
    """Return where points are, down and right of the first pixel's centre, mm; brightest first.

    Parameters
    ----------
    hu
        ``[H, W]`` HU.
    pixel_spacing
        Between rows and between columns, mm.
    """
    spacing = np.array(pixel_spacing)
    narrow, wide = (
        gaussian_blur(hu, (sigma / spacing[0], sigma / spacing[1]))
        for sigma in (SMOOTHING_MM, ALONE_MM / 2)
    )
    height = narrow - wide
    deviation = float(np.median(np.abs(height)) / 0.6745)
    least = max(HEIGHT * deviation, LOWEST_HEIGHT)
    margin = np.ceil(ALONE_MM / spacing).astype(int)
    if (np.array(hu.shape) <= 2 * margin).any():
        return []
    highest = narrow
    for axis, reach in enumerate(margin):
        highest = sliding_window_view(highest, 2 * reach + 1, axis).max(axis=-1)
    inner = tuple(slice(reach, -reach) for reach in margin)
    places = np.argwhere((narrow[inner] == highest) & (height[inner] > least)) + margin
    brightest = np.argsort(-height[tuple(places.T)], kind="stable")
    points = [place for place in places[brightest] if _width(height, place, spacing) < WIDEST_MM]
    return [(float(y), float(x)) for y, x in np.array(points[:MOST_WIRES]).reshape(-1, 2) * spacing]


def _width(height: Floats, place: NDArray[np.int64], spacing: Floats) -> float:
    """Return the diameter of the disc that has as many pixels as are above half the height."""
    reach = np.ceil(ALONE_MM / spacing).astype(int)
    around = tuple(slice(at - far, at + far + 1) for at, far in zip(place, reach, strict=True))
    area = np.count_nonzero(height[around] > height[tuple(place)] / 2) * spacing.prod()
    blur = (2.355 * SMOOTHING_MM) ** 2
    return float(np.sqrt(max(4 * area / np.pi - blur, 0)))
