"""Curves and numbers with their limits, and what a kernel's are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

LIMITS: Final = (2.5, 97.5)
"""Percentiles between which the limits lie."""

BEYOND: Final = 0.9
"""A frequency above this part of Nyquist can't be told."""

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """A number with its 95 % limits, from resampled slices; NaN where it can't be told."""

    value: float
    lower: float
    upper: float


class Curve(NamedTuple):
    """A curve with its 95 % limits, pointwise, by frequency in lp/cm. All are ``[F]``."""

    frequency: Floats
    value: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True)
class KernelCurves:
    """What one group of slices says of its kernel.

    Attributes
    ----------
    mtf
        From 0 to the Nyquist frequency. It may exceed 1.
    noise_power
        Of even soft tissue, HU^2 mm^2, as measured.
    f50, f10
        Where the MTF falls to 50 and 10 %, lp/cm; infinite beyond 0.9 of the Nyquist frequency.
    noise
        By tissue, the median of slices, HU.
    nyquist
        Of the finest pixels, lp/cm.
    doubts
        Sentences that say why the series can't tell its kernel, or not all of it.
    """

    mtf: Curve
    noise_power: Curve
    f50: Interval
    f10: Interval
    noise: dict[str, Interval]
    nyquist: float
    doubts: tuple[str, ...]


def limit_curve(frequency: Floats, value: Floats, resampled: Floats) -> Curve:
    """Return a curve with the limits that resampled curves ``[N, F]`` give it."""
    lower, upper = np.percentile(resampled, LIMITS, axis=0) if len(resampled) else (value, value)
    return Curve(frequency, value, np.minimum(lower, value), np.maximum(upper, value))


def find_crossing(curve: Curve, resampled: Floats, level: float, nyquist: float) -> Interval:
    """Return where an MTF falls to a level; infinite if near or beyond the Nyquist frequency."""

    def find(values: Floats) -> float:
        below = np.flatnonzero(values <= level)
        if not len(below):
            return np.inf
        last = int(below[0])
        pair = slice(last, last - 2, -1) if last > 1 else slice(1, None, -1)
        frequency = float(np.interp(level, values[pair], curve.frequency[pair]))
        return frequency if frequency <= BEYOND * nyquist else np.inf

    found = [find(values) for values in (curve.value, *resampled)]
    # Of sorted values, not between them: some may be infinite.
    lower, upper = np.percentile(found, LIMITS, method="nearest")
    return Interval(found[0], float(min(lower, found[0])), float(max(upper, found[0])))


def median_interval(values: Floats, seed: int) -> Interval:
    """Return the median of the values that are known, with limits."""
    known = values[np.isfinite(values)]
    if not len(known):
        return Interval(np.nan, np.nan, np.nan)
    random = np.random.default_rng(seed)
    medians = np.median(random.choice(known, (200, len(known))), axis=1)
    lower, upper = np.percentile(medians, LIMITS)
    return Interval(float(np.median(known)), float(lower), float(upper))
