"""Whether a classifier can tell two groups apart by their features.

It is a ridge classifier: least squares on labels, which is linear discriminant analysis with a
shrunken covariance (Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, section
4.3). With far more features than regions it is solved by regions, not by features. Nothing is
tuned.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_train.evaluation.metrics.moments import tail_probability

RIDGE: Final = 0.1
"""Relative to the mean square of a standardised region."""

FARTHEST: Final = 5.0
"""Standard deviations; farther values become this, as radiomic features have long tails."""

FEWEST: Final = 40
"""With fewer arrangements of the labels each is more than 2.5 % of them: none is beyond chance."""

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Separation:
    """How well a classifier tells two groups apart.

    Attributes
    ----------
    auc
        Area under the curve, the mean over the folds: 0.5 for guesses, 1 if it is always right.
    limits
        At most 2.5 % of the arrangements of the labels are below, and as many above. None if there
        are fewer than ``FEWEST``.
    arrangements
        How many arrangements of the labels there are, the true one among them.
    """

    auc: float
    limits: tuple[float, float] | None
    arrangements: int


def tell_apart(
    first: Floats,
    second: Floats,
    folds: tuple[Numbers, Numbers],
) -> Separation | None:
    """Train and test a classifier, fold by fold.

    Parameters
    ----------
    first, second
        ``[N1, F]`` and ``[N2, F]`` features, finite.
    folds
        ``[N1]`` and ``[N2]`` fold of each region.

    Returns
    -------
    Separation or None
        None if fewer than two folds have regions of both groups.

    Notes
    -----
    The limits exchange the labels of whole folds' parts, the patients of one group with those of
    the other, because regions of one patient are not independent. All arrangements are tried; to
    exchange all labels changes nothing, so the first fold keeps its own.
    """
    used = np.intersect1d(folds[0], folds[1])
    if len(used) < 2:
        return None
    kept = [np.isin(fold, used) for fold in folds]
    first, second = first[kept[0]], second[kept[1]]
    fold = np.searchsorted(used, np.concatenate([folds[0][kept[0]], folds[1][kept[1]]]))
    signs = np.array(list(product([1.0], *[[1.0, -1.0]] * (len(used) - 1))))
    label = np.repeat([1.0, -1.0], [len(first), len(second)])
    labels = label[:, np.newaxis] * signs.T[fold]  # [N, arrangements], the true one first
    values = np.concatenate([first, second])
    areas = np.zeros(len(signs))
    for number in range(len(used)):
        tested = fold == number
        areas += _test(values, labels, tested) / len(used)
    return Separation(float(areas[0]), _limits(areas), len(signs))


def _limits(areas: Floats) -> tuple[float, float] | None:
    """Return two of the areas, as interpolated limits would leave more than 2.5 % outside."""
    if len(areas) < FEWEST:
        return None
    tail = tail_probability(0.95)
    low = np.quantile(areas, tail, method="lower")
    high = np.quantile(areas, 1 - tail, method="higher")
    return float(low), float(high)


def _test(values: Floats, labels: Floats, tested: NDArray[np.bool_]) -> Floats:
    """Return the AUC on the tested regions for each arrangement of the labels."""
    known = values[~tested]
    spread = known.std(axis=0)
    standard = (values - known.mean(axis=0)) / np.where(spread > 0, spread, 1)
    standard = np.clip(standard, -FARTHEST, FARTHEST)
    alike = standard @ standard[~tested].T / values.shape[1]
    own = alike[~tested] + RIDGE * np.eye(len(known))
    wanted = labels[~tested] - labels[~tested].mean(axis=0)
    return _areas(alike[tested] @ np.linalg.solve(own, wanted), labels[tested] > 0)


def _areas(scores: Floats, positive: NDArray[np.bool_]) -> Floats:
    """Return the area under the curve of each column; ties count half."""
    from scipy.stats import rankdata

    count = positive.sum(axis=0)
    ranks = (rankdata(scores, axis=0) * positive).sum(axis=0)
    areas: Floats = (ranks - count * (count + 1) / 2) / (count * (len(scores) - count))
    return areas
