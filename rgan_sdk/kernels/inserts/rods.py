"""Find the rods of a phantom: round edges between two even regions.

Centres are found as Kimme, Ballard and Sklansky (Comm. ACM 18:120, 1975) do in the Hough transform
for circles: each steep place votes for the centres that lie along its gradient.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.kernels.interpolation import gaussian_blur, sample_linear

SMOOTHING_MM: Final = 1.0
CELL_MM: Final = 1.0
"""Side of the cells that votes are counted in."""
RADII_MM: Final = np.arange(4.0, 41.0)
STEEPEST: Final = 6.0
"""An edge is so many times as steep as the median place, and at least"""
LOWEST_SLOPE: Final = 8.0
"""HU per mm, which is a smoothed step of 25 HU."""
MOST_PLACES: Final = 40_000
SUPPORT: Final = 0.5
"""A centre has votes from this part of its circle."""
MOST_RODS: Final = 16

ANGLES: Final = 2 * np.pi * np.arange(96) / 96
REACH_MM: Final = 2.5
ROUND_MM: Final = 0.3
"""Root mean square by which the edge may be off a circle."""
COMPLETE: Final = 0.7
"""Part of the circle on which the edge is found."""

Floats = NDArray[np.float64]


class Rod(NamedTuple):
    """A circle: its centre down and right of the first pixel's centre, and its radius, mm."""

    down: float
    right: float
    radius: float


def find_rods(hu: NDArray[np.float32], pixel_spacing: tuple[float, float]) -> list[Rod]:
    """Return the circles of 4 to 40 mm radius in a slice, the most certain first.

    Parameters
    ----------
    hu
        ``[H, W]`` HU.
    pixel_spacing
        Between rows and between columns, mm.
    """
    spacing = np.array(pixel_spacing)
    down, across = SMOOTHING_MM / spacing
    gradient = np.array(np.gradient(gaussian_blur(hu, (down, across)), *spacing))
    slope = np.hypot(*gradient)
    least = max(STEEPEST * float(np.median(slope)), LOWEST_SLOPE)
    votes = _count_votes(gradient, slope, spacing, least)
    found = []
    for _ in range(MOST_RODS):
        number, row, column = np.unravel_index(np.argmax(votes), votes.shape)
        if votes[number, row, column] < SUPPORT:
            break
        radius = RADII_MM[number]
        near = int(np.ceil(radius / CELL_MM / 2))
        rows, columns = (slice(max(at - near, 0), at + near + 1) for at in (row, column))
        votes[:, rows, columns] = 0
        rough = Rod((row + 0.5) * CELL_MM, (column + 0.5) * CELL_MM, float(radius))
        if (rod := _refine(slope, rough, spacing, least)) is not None:
            found.append(rod)
    return found


def _count_votes(gradient: Floats, slope: Floats, spacing: Floats, least: float) -> Floats:
    """Return which part of each circle votes for its centre, ``[radii, rows, columns]``."""
    places = np.argwhere(slope > least)
    own = slope[tuple(places.T)]
    normal = np.stack([part[tuple(places.T)] for part in gradient], axis=1) / own[:, np.newaxis]
    # Of a blurred edge, only the steepest places along the gradient vote.
    beside = [
        sample_linear(slope, (places + sign * normal * spacing.min() / spacing).T)
        for sign in (-1, 1)
    ]
    crest = np.flatnonzero((own >= beside[0]) & (own >= beside[1]))
    crest = crest[:: len(crest) // MOST_PLACES + 1]
    position, normal = places[crest] * spacing, normal[crest]
    shape = np.ceil(np.array(slope.shape) * spacing / CELL_MM).astype(int)
    votes = np.empty((len(RADII_MM), *shape))
    for number, radius in enumerate(RADII_MM):
        centres = [position + sign * radius * normal for sign in (-1, 1)]
        # Crests are about one pixel wide. One radius at a time: all of them take tens of MB.
        circle = 2 * np.pi * radius / spacing.mean()
        votes[number] = _sum_neighbours(sum(_bin(one, shape) for one in centres) / circle)
    return votes


def _bin(centres: Floats, shape: NDArray[np.int64]) -> Floats:
    cells = np.floor(centres / CELL_MM).astype(int)
    inside = cells[((cells >= 0) & (cells < shape)).all(axis=1)]
    flat = np.bincount(np.ravel_multi_index(tuple(inside.T), tuple(shape)), minlength=shape.prod())
    return flat.reshape(tuple(shape)).astype(np.float64)


def _sum_neighbours(votes: Floats) -> Floats:
    """Sum over 3x3 cells, as centres and radii are not whole."""
    padded = np.pad(votes, 1)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray(rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:])


def _refine(slope: Floats, rod: Rod, spacing: Floats, least: float) -> Rod | None:
    """Fit a circle to the steepest places around a centre; None if they are not on one."""
    for _ in range(2):
        reach = np.arange(-REACH_MM, REACH_MM + 0.05, 0.1)
        distance = rod.radius + reach
        directions = np.stack([np.cos(ANGLES), np.sin(ANGLES)])
        centre = np.array([rod.down, rod.right])
        places = centre[:, np.newaxis, np.newaxis] + directions[:, :, np.newaxis] * distance
        profile = sample_linear(slope, places / spacing[:, np.newaxis, np.newaxis])
        steepest = np.argmax(profile, axis=1)
        # At the ends of the reach nothing is steepest, and there it is no edge.
        found = (steepest > 0) & (steepest < len(reach) - 1)
        found &= profile.max(axis=1) > least
        points = places[:, np.arange(len(ANGLES)), steepest].T
        for _ in range(2):
            if np.count_nonzero(found) < COMPLETE * len(ANGLES):
                return None
            rod = _fit_circle(points[found])
            off = np.hypot(*(points - (rod.down, rod.right)).T) - rod.radius
            found &= np.abs(off) < max(3 * float(np.sqrt(np.mean(off[found] ** 2))), 0.1)
    return rod if np.sqrt(np.mean(off[found] ** 2)) < ROUND_MM else None


def _fit_circle(points: Floats) -> Rod:
    """Return the circle through points by linear least squares (Kasa 1976)."""
    design = np.column_stack([2 * points, np.ones(len(points))])
    (down, right, rest), *_ = np.linalg.lstsq(design, (points**2).sum(axis=1), rcond=None)
    return Rod(float(down), float(right), float(np.sqrt(max(rest + down**2 + right**2, 0))))
