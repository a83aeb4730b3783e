"""How far the distributions of features of two groups are apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_train.evaluation.traits.traits import separate

FDR: Final = 0.05
"""Allowed false discovery rate (Benjamini and Hochberg, J R Stat Soc B 1995)."""

ENOUGH_PATIENTS: Final = 8
"""With so many in both groups a test compares patients; else slices, which makes p too small."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Distance:
    """Distances of the features of two groups.

    Attributes
    ----------
    features
        Features that are defined everywhere and not constant; only these count.
    mean_difference
        Median over the features of the standardised mean difference, without its sign.
    kolmogorov_smirnov
        Median over the features of the largest distance between both distribution functions.
    alike
        Share of the features that do not differ at 5 % false discovery rate.
    """

    features: int
    mean_difference: float
    kolmogorov_smirnov: float
    alike: float


def usable(first: Floats, second: Floats) -> NDArray[np.bool_]:
    """Return which features are finite everywhere and vary in both groups."""
    groups = first, second
    found: NDArray[np.bool_] = np.all(
        [np.isfinite(group).all(axis=0) & (np.ptp(group, axis=0) > 0) for group in groups], axis=0
    )
    return found


def measure_distance(
    first: Floats, second: Floats, units: tuple[NDArray[np.str_], NDArray[np.str_]]
) -> Distance:
    """Measure how far two groups are apart.

    Parameters
    ----------
    first, second
        ``[N1, F]`` and ``[N2, F]`` features, all ``usable``.
    units
        ``[N1]`` and ``[N2]`` slice or patient of each region. Their means are tested, because
        regions of one slice resemble each other.
    """
    tested = [_means(*pair) for pair in zip((first, second), units, strict=True)]
    return Distance(
        features=first.shape[1],
        mean_difference=float(np.median(standardised_difference(first, second))),
        kolmogorov_smirnov=float(np.median(kolmogorov_smirnov(first, second))),
        alike=float(1 - separate(tested[0], tested[1], FDR).separates.mean()),
    )


def standardised_difference(first: Floats, second: Floats) -> Floats:
    """Return ``|mean - mean|`` over the root of the mean variance, for each feature."""
    variance = (first.var(axis=0, ddof=1) + second.var(axis=0, ddof=1)) / 2
    difference: Floats = np.abs(first.mean(axis=0) - second.mean(axis=0)) / np.sqrt(variance)
    return difference


def kolmogorov_smirnov(first: Floats, second: Floats) -> Floats:
    """Return the largest distance between the distribution functions, for each feature."""
    both = np.concatenate([first, second])
    order = np.argsort(both, axis=0, kind="stable")
    step = np.where(order < len(first), 1 / len(first), -1 / len(second))
    heights = np.abs(np.cumsum(step, axis=0))
    ordered = np.take_along_axis(both, order, axis=0)
    last = np.ones_like(heights, np.bool_)  # of equal values only the last one ends a step
    last[:-1] = ordered[1:] > ordered[:-1]
    largest: Floats = np.where(last, heights, 0).max(axis=0)
    return largest


def _means(values: Floats, units: NDArray[np.str_]) -> Floats:
    names, number = np.unique(units, return_inverse=True)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, number, values)
    means: Floats = sums / np.bincount(number)[:, np.newaxis]
    return means
