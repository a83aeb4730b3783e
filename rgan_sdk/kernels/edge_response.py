"""How sharp edges are, compared with the target's, on the patient's own anatomy.

Edges are found on the target. The profiles across many edges are averaged to one edge spread
function. AAPM TG-233 (Samei et al. 2019) does this with a phantom, and Sanders, Hurwitz and Samei
(Med Phys 43:5330, 2016) with the skin of patients. Here all edges count: most of them are skin, or
lung against the chest wall.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rgan_sdk.errors import MeasurementError
from rgan_sdk.kernels.interpolation import gaussian_blur, sample_cubic, sample_linear

LENGTH_MM: Final = 6.0
PLATEAU_MM: Final = 3.0
"""From here to ``LENGTH_MM`` both sides of an edge must be even."""

DISTANCE_MM: Final = np.linspace(-LENGTH_MM, LENGTH_MM, 121)
SMOOTHING_MM: Final = 1.0
MIN_STEP_HU: Final = 400.0
UNEVENNESS: Final = 0.1
MAX_TURN: Final = math.radians(10)
APART_MM: Final = 5.0
MIN_POINTS: Final = 20
STEEPEST: Final = 0.25
LOWEST_HU: Final = -1024.0
"""Lower values become this one, as many files hold nothing lower."""

Floats = NDArray[np.float64]
Padding = NDArray[np.bool_] | None


class EdgePoints(NamedTuple):
    """Places on edges.

    Attributes
    ----------
    slices
        ``[P]`` int64, index of the slice.
    position_mm
        ``[P, 2]`` distance down and right from the centre of the slice's first pixel.
    normal
        ``[P, 2]`` unit vector (down, right) from the dark to the bright side.
    steepness
        ``[P]`` slope of the smoothed edge divided by its height, 1/mm.
    """

    slices: NDArray[np.int64]
    position_mm: Floats
    normal: Floats
    steepness: Floats

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> EdgePoints:
        """Return the chosen points."""
        return EdgePoints(
            self.slices[chosen],
            self.position_mm[chosen],
            self.normal[chosen],
            self.steepness[chosen],
        )


@dataclass(frozen=True)
class EdgeProfile:
    """Mean profiles across the same edges.

    Attributes
    ----------
    distance_mm
        ``[K]`` from the dark to the bright side; the smoothed target is half-way at 0.
    image, target
        ``[K]`` profile, scaled so that the target's plateaus are 0 and 1.
    points
        Number of edges that were averaged.
    """

    distance_mm: Floats
    image: Floats
    target: Floats
    points: int


def edge_points(
    target: NDArray[np.float32], pixel_spacing: tuple[float, float], padding: Padding = None
) -> EdgePoints:
    """Choose the places where sharpness is measured.

    The slice is smoothed by a Gaussian of 1 mm. On it, an edge

    - is steepest along its gradient,
    - turns by less than 10 degrees within 3 mm,
    - is the only edge within 6 mm: a step of 400 HU or more between two sides that are even, to a
      tenth of the step, from 3 mm on,
    - has no padding within 9 mm: the border of padding is no edge.

    Points are at least 5 mm apart. Of the points of all slices the steepest quarter is taken. The
    other edges are blurred more by anatomy that lies oblique to the slice than by a kernel.

    How steep an edge is, is measured 3 mm beside the point, along the edge. The slope at the point
    itself would favour places where noise makes the target steep, and the target would seem
    sharper than it is.

    Parameters
    ----------
    target
        ``[N, H, W]`` HU. Always the target, so that all methods are measured at the same points.
    pixel_spacing
        Distance between rows and between columns, mm.
    padding
        ``[N, H, W]``, true for padding; None if there is none.

    Returns
    -------
    EdgePoints
        The steepest first.

    Raises
    ------
    MeasurementError
        If there are fewer than 20 points to choose the steepest from.
    """
    spacing = np.array(pixel_spacing)
    found = [
        _edges(number, hu, spacing, None if padding is None else padding[number])
        for number, hu in enumerate(target)
    ]
    points = EdgePoints(*map(np.concatenate, zip(*found, strict=True)))
    if (count := len(points.slices)) < MIN_POINTS:
        raise MeasurementError(
            f"{len(target)} slice(s) have {count} place(s) with a straight edge of "
            f"{MIN_STEP_HU:.0f} HU or more between even regions, and sharpness needs "
            f"{MIN_POINTS}; take more slices, or slices with lung, or with skin and air"
        )
    order = np.argsort(-points.steepness, kind="stable")
    return points.take(order[: math.ceil(STEEPEST * count)])


def edge_profile(
    slices: NDArray[np.float32],
    target: NDArray[np.float32],
    pixel_spacing: tuple[float, float],
    padding: Padding = None,
) -> EdgeProfile:
    """Average the profiles across edges, of the slices and of the target at the same places.

    Parameters
    ----------
    slices, target
        ``[N, H, W]`` HU, the same slices.
    pixel_spacing, padding
        As ``edge_points`` takes them.

    Raises
    ------
    MeasurementError
        If the target has too few edges.
    ValueError
        If the shapes differ.
    """
    if slices.shape != target.shape:
        raise ValueError(f"slices {slices.shape} and target {target.shape} differ in shape")
    points = edge_points(target, pixel_spacing, padding)
    own, expected = (_sample_profiles(hu, points, pixel_spacing) for hu in (slices, target))
    low, high = _plateaus(expected)
    image, reference = (np.mean((hu - low) / (high - low), axis=0) for hu in (own, expected))
    return EdgeProfile(DISTANCE_MM.copy(), image, reference, len(points.slices))


def edge_rise(
    slices: NDArray[np.float32],
    target: NDArray[np.float32],
    pixel_spacing: tuple[float, float],
    padding: Padding = None,
) -> tuple[float, float]:
    """Measure the edge rise: the distance in which the mean profile goes from 10 to 90 %.

    Percentages are of the target's step. From half-way, the first place outward at 10 % and at 90 %
    counts, so the overshoot of a sharp kernel makes no difference. An edge that is blurred by a
    Gaussian with standard deviation s rises within 2.563 s.

    Parameters
    ----------
    slices, target
        ``[N, H, W]`` HU, the same slices.
    pixel_spacing, padding
        As ``edge_points`` takes them.

    Returns
    -------
    tuple of float
        Rise of the slices and of the target in mm; NaN for a profile that does not reach 10 and
        90 %.

    Raises
    ------
    MeasurementError
        If the target has too few edges.
    ValueError
        If the shapes differ.

    Notes
    -----
    Interpolation widens edges that are narrower than a pixel: by about a tenth if the standard
    deviation is half a pixel.
    """
    profile = edge_profile(slices, target, pixel_spacing, padding)
    return _rise(profile.image), _rise(profile.target)


def _edges(number: int, hu: NDArray[np.float32], spacing: Floats, padding: Padding) -> EdgePoints:
    """Find the edge points of one slice."""
    down, across = SMOOTHING_MM / spacing
    smooth = gaussian_blur(np.maximum(hu, LOWEST_HU), (down, across))
    gradient = np.array(np.gradient(smooth, *spacing))
    position, normal = _crests(gradient, spacing, padding)
    straight, slope = _follow(gradient, position, normal, spacing)
    profile = _along(smooth, position, normal, DISTANCE_MM, spacing)
    low, high = _plateaus(profile)
    chosen = np.flatnonzero(straight & _is_single_step(profile, low, high))
    middle = DISTANCE_MM[np.argmax(profile >= (low + high) / 2, axis=1)]
    points = EdgePoints(
        np.full(len(chosen), number),
        (position + middle[:, np.newaxis] * normal)[chosen],
        normal[chosen],
        slope[chosen] / (high - low)[chosen, 0],
    )
    return points.take(_choose_apart(points))


def _crests(gradient: Floats, spacing: Floats, padding: Padding) -> tuple[Floats, Floats]:
    """Return position and normal of the pixels that are steeper than both neighbours.

    The neighbours are those along the gradient.
    """
    slope = np.hypot(*gradient)
    # An edge of the smallest height has this slope somewhere between its plateaus.
    index = np.argwhere(slope >= MIN_STEP_HU / (2 * PLATEAU_MM))
    margin = LENGTH_MM + PLATEAU_MM
    end = (np.array(slope.shape) - 1) * spacing - margin
    index = index[((index * spacing >= margin) & (index * spacing <= end)).all(axis=1)]
    if padding is not None and padding.any():
        index = index[~_spread(padding, margin / spacing)[tuple(index.T)]]
    own = slope[tuple(index.T)][:, np.newaxis]
    normal = np.stack([part[tuple(index.T)] for part in gradient], axis=1) / own
    beside = _along(slope, index * spacing, normal, spacing.min() * np.array([-1, 1]), spacing)
    crest = (beside <= own).all(axis=1)
    return index[crest] * spacing, normal[crest]


def _spread(padding: NDArray[np.bool_], margins: Floats) -> NDArray[np.bool_]:
    """Return where there is padding within a margin, in pixels along each axis."""
    near: NDArray[np.bool_] = padding
    for axis, margin in enumerate(np.ceil(margins).astype(int)):
        wide = np.pad(near, [(margin * (axis == side),) * 2 for side in (0, 1)])
        near = np.any(sliding_window_view(wide, 2 * margin + 1, axis), axis=-1)
    return near


def _follow(
    gradient: Floats, position: Floats, normal: Floats, spacing: Floats
) -> tuple[NDArray[np.bool_], Floats]:
    """Look along each edge, both ways: does it stay straight, and how steep is it there."""
    tangent = normal[:, ::-1] * (1, -1)
    ends = PLATEAU_MM * np.array([-1, 1])
    down, right = (_along(part, position, tangent, ends, spacing) for part in gradient)
    slope = down * normal[:, :1] + right * normal[:, 1:]
    along = slope > math.cos(MAX_TURN) * np.hypot(down, right)
    return np.all(along, axis=1), np.mean(slope, axis=1)


def _is_single_step(profile: Floats, low: Floats, high: Floats) -> NDArray[np.bool_]:
    """Tell which profiles rise once, from one plateau to another."""
    leeway = UNEVENNESS * (high - low)
    within = (profile >= low - leeway) & (profile <= high + leeway)
    even = [np.ptp(profile[:, side], axis=1) <= leeway[:, 0] for side in (_DARK, _BRIGHT)]
    enough = (high - low)[:, 0] >= MIN_STEP_HU
    single: NDArray[np.bool_] = np.all([*even, enough, *within.T], axis=0)
    return single


def _choose_apart(points: EdgePoints) -> NDArray[np.int64]:
    """Choose points that are far enough apart, the steepest first."""
    chosen: list[int] = []
    for point in np.argsort(-points.steepness, kind="stable"):
        offset = points.position_mm[chosen] - points.position_mm[point]
        if (np.hypot(*offset.T) >= APART_MM).all():
            chosen.append(point)
    return np.array(chosen, np.int64)


def _sample_profiles(
    slices: NDArray[np.float32], points: EdgePoints, pixel_spacing: tuple[float, float]
) -> Floats:
    """Sample profiles, ``[P, K]`` HU, with cubic splines: linear interpolation would blur."""
    profiles = np.empty((len(points.slices), len(DISTANCE_MM)))
    for number in np.unique(points.slices):
        here = points.slices == number
        hu = np.maximum(slices[number], LOWEST_HU).astype(np.float64)
        place = points.position_mm[here], points.normal[here], DISTANCE_MM
        profiles[here] = sample_cubic(hu, _pixels_along(*place, np.array(pixel_spacing)))
    return profiles


def _along(
    image: Floats, position: Floats, direction: Floats, distance: Floats, spacing: Floats
) -> Floats:
    """Sample an image linearly from each position in its direction, ``[P, K]``."""
    return sample_linear(image, _pixels_along(position, direction, distance, spacing))


def _pixels_along(position: Floats, direction: Floats, distance: Floats, spacing: Floats) -> Floats:
    """Return row and column, ``[2, P, K]``, at distances from each position."""
    start, step = (part.T[:, :, np.newaxis] for part in (position, direction))
    pixels: Floats = (start + distance * step) / spacing[:, np.newaxis, np.newaxis]
    return pixels


def _plateaus(profile: Floats) -> tuple[Floats, Floats]:
    """Return the mean of the dark and of the bright side, ``[P, 1]`` each."""
    low, high = (profile[:, side].mean(axis=1, keepdims=True) for side in (_DARK, _BRIGHT))
    return low, high


def _rise(profile: Floats) -> float:
    middles = np.flatnonzero((profile[:-1] < 0.5) & (profile[1:] >= 0.5))
    if not len(middles):
        return math.nan
    middle = middles[np.argmin(np.abs(DISTANCE_MM[middles]))]
    # np.interp needs values that only rise, so these are running extremes.
    bright = np.maximum.accumulate(profile[middle:])
    dark = np.minimum.accumulate(profile[middle::-1])
    high = np.interp(0.9, bright, DISTANCE_MM[middle:], right=math.nan)
    low = np.interp(-0.1, -dark, DISTANCE_MM[middle::-1], right=math.nan)
    return float(high - low)


_DARK = DISTANCE_MM <= -PLATEAU_MM
_BRIGHT = DISTANCE_MM >= PLATEAU_MM
