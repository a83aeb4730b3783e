"""Image traits of two groups: which features tell them apart before and after harmonization.

The check of the paper's figure 4: do features differ between, say, benign and malignant nodules on
the source's images, the harmonized ones and the target's. There it was three cases against three,
too few for any test; here it is a Mann-Whitney U test of each feature with the false discovery rate
of Benjamini and Hochberg (J R Stat Soc B 1995), and the target's answer is the one to be found.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.results import TARGET

RESEARCH_ONLY: Final = (
    "For research: this tells which features differ between the groups of one table, "
    "and is no clinical claim."
)
LEAST_CASES: Final = 4
"""Of each group: with three against three p is 0.1 or more, whatever the features are."""

MOST_ARRANGEMENTS: Final = 1000
"""Of cases in two groups: up to so many are gone through for features with equal values."""


@dataclass(frozen=True)
class Cohort:
    """Features of the same cases on each variant of their images.

    Attributes
    ----------
    groups
        The two labels in alphabetical order.
    in_second
        ``[N]``: is the case of the second group.
    features
        Names of the F columns.
    values
        ``[N, F]`` by variant, in the order of the table but the target last; all finite.
    excluded
        How many cases and features were left out, by reason.
    """

    groups: tuple[str, str]
    in_second: NDArray[np.bool_]
    features: tuple[str, ...]
    values: Mapping[str, NDArray[np.float64]]
    excluded: Mapping[str, int]

    @property
    def sizes(self) -> tuple[int, int]:
        """Cases of each group."""
        second = int(self.in_second.sum())
        return len(self.in_second) - second, second


@dataclass(frozen=True)
class Separation:
    """How features of one variant differ between the groups, all ``[F]``.

    Attributes
    ----------
    p, q
        Of the two-sided Mann-Whitney U test, and adjusted for the false discovery rate.
    auc
        Chance that a case of the second group has the larger value, ties as half. The rank-biserial
        correlation is ``2 * auc - 1``.
    separates
        Is q at most the rate that is allowed.
    """

    p: NDArray[np.float64]
    q: NDArray[np.float64]
    auc: NDArray[np.float64]
    separates: NDArray[np.bool_]


@dataclass(frozen=True)
class Overlap:
    """Features that separate the groups in one variant, against the target's.

    Attributes
    ----------
    separating
        In this variant.
    found, missed
        Of the target's, those that separate here too and in the same direction, and the others.
    false
        Those that separate here and do not, or the other way round, in the target.
    """

    separating: int
    found: int
    missed: int
    false: int

    @property
    def sensitivity(self) -> float | None:
        """Found of the target's, 0 to 1; None if the target has none."""
        wanted = self.found + self.missed
        return self.found / wanted if wanted else None


@dataclass(frozen=True)
class Analysis:
    """What was found in a cohort.

    Attributes
    ----------
    smallest_p
        What the test gives where the groups do not overlap at all.
    separations, overlaps
        By variant, in the order of the cohort.
    """

    cohort: Cohort
    fdr: float
    smallest_p: float
    separations: Mapping[str, Separation]
    overlaps: Mapping[str, Overlap]

    @property
    def least_separating(self) -> int:
        """How many features have to separate the groups completely before one of them counts.

        Benjamini and Hochberg allow k of F features p up to ``k / F * fdr``.
        """
        return math.ceil(self.smallest_p * len(self.cohort.features) / self.fdr)


def analyse(cohort: Cohort, fdr: float = 0.05) -> Analysis:
    """Find the features that separate the groups in each variant, and compare with the target's.

    Parameters
    ----------
    fdr
        False discovery rate that is allowed, of the features of one variant.

    Raises
    ------
    ConfigurationError
        If there are fewer than four cases in a group, or so few that no feature could separate.
    """
    first, second = cohort.sizes
    smallest = _smallest_p(first, second)
    if min(first, second) < LEAST_CASES or smallest > fdr:
        raise ConfigurationError(
            f"{first} {cohort.groups[0]} and {second} {cohort.groups[1]} case(s) are too few: the "
            f"smallest p that the test can give is {smallest:.2g}, and the rate that is allowed "
            f"{fdr:g}; take more cases, {LEAST_CASES} of each at least"
        )
    separations = {
        variant: separate(values[~cohort.in_second], values[cohort.in_second], fdr)
        for variant, values in cohort.values.items()
    }
    target = separations[TARGET]
    overlaps = {variant: _overlap(found, target) for variant, found in separations.items()}
    return Analysis(cohort, fdr, smallest, separations, overlaps)


def separate(
    first: NDArray[np.float64], second: NDArray[np.float64], fdr: float = 0.05
) -> Separation:
    """Test each feature for a difference between two groups.

    Parameters
    ----------
    first, second
        ``[N1, F]`` and ``[N2, F]``, finite.
    fdr
        False discovery rate that is allowed.

    Notes
    -----
    p is exact where a group has up to 8 cases and the feature no equal values, else that of the
    normal approximation with the correction for ties. With equal values and few cases this would be
    too small (three against three could give 0.047 instead of 0.1), so up to ``MOST_ARRANGEMENTS``
    arrangements of the cases are gone through.
    """
    from scipy.stats import PermutationMethod, false_discovery_control, mannwhitneyu

    both = np.sort(np.concatenate([first, second]), axis=0)
    tied = (np.diff(both, axis=0) == 0).any(axis=0)
    arrangements = math.comb(len(both), len(first))
    few = arrangements <= MOST_ARRANGEMENTS
    with_ties = PermutationMethod(n_resamples=arrangements) if few else "asymptotic"
    p, auc = np.empty(first.shape[1]), np.empty(first.shape[1])
    for columns, method in ((~tied, "auto"), (tied, with_ties)):
        if columns.any():
            test = mannwhitneyu(second[:, columns], first[:, columns], axis=0, method=method)
            p[columns] = test.pvalue
            auc[columns] = test.statistic / (len(first) * len(second))
    q = false_discovery_control(p)
    return Separation(p, q, auc, q <= fdr)


def _smallest_p(first: int, second: int) -> float:
    """Return the p of two groups of these sizes that do not overlap."""
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(np.arange(first), np.arange(first, first + second)).pvalue)


def _overlap(found: Separation, target: Separation) -> Overlap:
    alike = found.separates & target.separates & ((found.auc > 0.5) == (target.auc > 0.5))
    return Overlap(
        separating=int(found.separates.sum()),
        found=int(alike.sum()),
        missed=int((target.separates & ~alike).sum()),
        false=int((found.separates & ~alike).sum()),
    )
