"""Measure all inserts of one slice of a phantom."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.kernels.inserts.response import NEAR_MM, Response, fit_rod, fit_wire
from rgan_sdk.kernels.inserts.rods import find_rods
from rgan_sdk.kernels.inserts.wires import find_wires
from rgan_sdk.kernels.spectra import FREQUENCY, HIGHEST_HU, PADDING_HU

WIRE_REACH_MM: Final = 12.0
"""Pixels so far from a wire are used: they must tell what it adds to from what it stands in."""
REACH_MM: Final = 8.0
"""Pixels so far from an edge are used; at least"""
LEAST_REACH_MM: Final = 5.0
SECTORS: Final = 24
COMPLETE: Final = 0.6
"""Part of the sectors around an insert that are even."""
EVEN: Final = 0.04
"""A sector is uneven where it differs from most by more than this part of the contrast, and"""
SCATTER: Final = 5.0
"""by more than so many typical deviations."""

MOST_MISFIT: Final = 1.25
LOWEST_MTF: Final = -0.1
SOFTEST: Final = (1.0, 0.75)
"""Up to this frequency, lp/cm, the MTF of no kernel is lower: what is softer is no thin wire."""
MOST_ERROR: Final = 0.5
"""Standard error of an MTF, above which an insert tells nothing."""
TRUSTED: Final = 0.9
"""Part of the Nyquist frequency up to which errors count."""

CUT_BELOW_HU: Final = -950.0
CUT_ABOVE_HU: Final = 1000.0
FEWEST_CUT: Final = 3
"""So many pixels with the lowest, or highest, value of a slice show that it was cut off there."""

BORDER: Final = "too near the border of the image, or of padding"
CUT: Final = "cut off at the lowest or highest value that the file holds"
UNEVEN: Final = "in uneven surroundings"
MISSHAPEN: Final = "neither a rod nor a wire, or seen on pixels that are too coarse"
ALONE: Final = "in one slice only, where a rod or wire would go on"
FAINT: Final = "too low in contrast for the noise"

Floats = NDArray[np.float64]


class Insert(NamedTuple):
    """An insert that was measured, or why it was not.

    Attributes
    ----------
    kind
        ``rod`` or ``wire``.
    place
        Down and right of the first pixel's centre, mm.
    response
        None if it was not measured.
    reason
        Why it was not.
    """

    kind: str
    place: tuple[float, float]
    response: Response | None
    reason: str = ""

    @property
    def weight(self) -> float:
        """Inverse of the mean square error of the MTF."""
        return 0.0 if self.response is None else float(1 / np.nanmean(self.response.error**2))


def measure_inserts(hu: NDArray[np.float32], pixel_spacing: tuple[float, float]) -> list[Insert]:
    """Find and measure the inserts of a slice.

    Parameters
    ----------
    hu
        ``[H, W]`` HU; below -1500 for padding.
    pixel_spacing
        Between rows and between columns, mm.

    Returns
    -------
    list of Insert
        All that look like a rod or a wire, also those that can't be measured.
    """
    surroundings = _Slice(hu, pixel_spacing)
    rods = [
        surroundings.measure("rod", (rod.down, rod.right), rod.radius)
        for rod in find_rods(hu, pixel_spacing)
    ]
    wires = [surroundings.measure("wire", place, 0.0) for place in find_wires(hu, pixel_spacing)]
    return [*rods, *wires]


class _Slice:
    """A slice in which inserts are measured."""

    def __init__(self, hu: NDArray[np.float32], pixel_spacing: tuple[float, float]) -> None:
        self.hu = hu
        self.spacing = np.array(pixel_spacing)
        self.nyquist = 5 / max(pixel_spacing)
        image = hu[hu >= PADDING_HU]
        self.lowest = float(image.min(initial=np.inf))
        self.highest = float(image.max(initial=-np.inf))

    def measure(self, kind: str, place: tuple[float, float], radius: float) -> Insert:
        """Return the insert at a place, mm."""
        offset, values = self._around(place, radius)
        if not len(values):
            return Insert(kind, place, None, BORDER)
        if self._is_cut(values):
            return Insert(kind, place, None, CUT)
        even = _choose_even(offset, values, radius)
        if even is None:
            return Insert(kind, place, None, UNEVEN)
        if kind == "rod":
            response = fit_rod(offset[even], values[even], radius, self.nyquist)
        else:
            response = fit_wire(offset[even], values[even], self.nyquist)
        return self._judge(Insert(kind, place, response), response)

    def _around(self, place: tuple[float, float], radius: float) -> tuple[Floats, Floats]:
        """Return the pixels around an insert and their places; none if some are missing."""
        widest = REACH_MM if radius else WIRE_REACH_MM
        reach = (radius + widest) / self.spacing
        first = np.ceil(np.array(place) / self.spacing - reach).astype(int)
        last = np.floor(np.array(place) / self.spacing + reach).astype(int)
        if (first < 0).any() or (last >= self.hu.shape).any():
            return np.empty((0, 2)), np.empty(0)
        grid = np.mgrid[first[0] : last[0] + 1, first[1] : last[1] + 1].reshape(2, -1).T
        offset = grid * self.spacing - place
        distance = np.hypot(*offset.T)
        chosen = (np.abs(distance - radius) <= widest) & ((radius == 0) | (distance > 1))
        values = self.hu[tuple(grid[chosen].T)].astype(np.float64)
        if (values < PADDING_HU).any():
            return np.empty((0, 2)), np.empty(0)
        return offset[chosen], values

    def _is_cut(self, values: Floats) -> bool:
        low = np.count_nonzero(values == self.lowest) >= FEWEST_CUT
        high = np.count_nonzero(values == self.highest) >= FEWEST_CUT
        at_limit = values.max() == HIGHEST_HU
        return bool(
            (low and self.lowest <= CUT_BELOW_HU)
            or (high and self.highest >= CUT_ABOVE_HU)
            or at_limit
        )

    def _judge(self, insert: Insert, response: Response) -> Insert:
        known = self.nyquist * TRUSTED >= FREQUENCY
        mtf, error = response.mtf[known], response.error[known]
        if not np.isfinite(response.misfit) or response.misfit > MOST_MISFIT:
            return insert._replace(response=None, reason=MISSHAPEN)
        if not np.sqrt(np.mean(error**2)) < MOST_ERROR:
            return insert._replace(response=None, reason=FAINT)
        frequency, softest = SOFTEST
        low = FREQUENCY[known] < frequency
        if (mtf + 3 * error < np.where(low, softest, LOWEST_MTF)).any():
            return insert._replace(response=None, reason=MISSHAPEN)
        unknown = self.nyquist < FREQUENCY
        response.mtf[unknown] = response.error[unknown] = np.nan
        return insert


def _choose_even(offset: Floats, values: Floats, radius: float) -> NDArray[np.bool_] | None:
    """Choose the sectors in which nothing else lies near an insert; None if they are too few."""
    depth = np.hypot(*offset.T) - radius
    turn = np.arctan2(*offset.T) / (2 * np.pi) % 1
    sector = (turn * SECTORS).astype(int) % SECTORS
    contrast = np.ptp(np.percentile(values, (1, 99)))
    for reach in (REACH_MM, LEAST_REACH_MM) if radius else (WIRE_REACH_MM, REACH_MM):
        used = np.abs(depth) <= reach
        even = np.ones(SECTORS, bool)
        for side in (depth < -NEAR_MM, depth > NEAR_MM):
            parts = [values[used & side & (sector == number)] for number in range(SECTORS)]
            if any(len(part) < 2 for part in parts):
                continue
            for figures in (np.array([part.mean() for part in parts]), _scatter(parts)):
                off = np.abs(figures - np.median(figures))
                even &= off <= EVEN * contrast + SCATTER * np.median(off)
        if np.count_nonzero(even) >= COMPLETE * SECTORS:
            return np.asarray(used & even[sector])
    return None


def _scatter(parts: list[Floats]) -> Floats:
    return np.array([part.std() for part in parts])
