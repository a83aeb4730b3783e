"""Image traits of two groups: which features separate them before and after harmonization.

This is the question of the paper's figure 4: do features differ between, for example, benign and
malignant nodules, on the images of the source, the harmonized images, and those of the target. The
paper had three cases against three, which is too few for any test. Here each feature has a
Mann-Whitney U test, with the false discovery rate of Benjamini and Hochberg (J R Stat Soc B 1995).
The result on the target's images is the one that harmonized images should reproduce.
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
"""Smallest size of a group: with three cases against three, p is always 0.1 or more."""

MOST_ARRANGEMENTS: Final = 1000
"""If a feature has equal values, the test tries all arrangements of the cases up to this number."""


@dataclass(frozen=True)
class Cohort:
    """Features of the same cases on each variant of their images.

    Attributes
    ----------
    groups
        The two labels in alphabetical order.
    in_second
        ``[N]`` bool: whether a case is in the second group.
    features
        Names of the F columns.
    values
        ``[N, F]`` by variant, all finite; in the order of the table, but with the target last.
    excluded
        Number of cases and features that were left out, by reason.
    """

    groups: tuple[str, str]
    in_second: NDArray[np.bool_]
    features: tuple[str, ...]
    values: Mapping[str, NDArray[np.float64]]
    excluded: Mapping[str, int]

    @property
    def sizes(self) -> tuple[int, int]:
        """Number of cases in each group."""
        second = int(self.in_second.sum())
        return len(self.in_second) - second, second


@dataclass(frozen=True)
class Separation:
    """How the features of one variant differ between the groups; all arrays are ``[F]``.

    Attributes
    ----------
    p
        p-values of the two-sided Mann-Whitney U test.
    q
        p-values adjusted for the false discovery rate.
    auc
        Probability that a case of the second group has the larger value; ties count half. The
        rank-biserial correlation is ``2 * auc - 1``.
    separates
        Whether q does not exceed the allowed rate.
    """

    p: NDArray[np.float64]
    q: NDArray[np.float64]
    auc: NDArray[np.float64]
    separates: NDArray[np.bool_]


@dataclass(frozen=True)
class Overlap:
    """How many features separate the groups in one variant, compared with the target.

    Attributes
    ----------
    separating
        Features that separate the groups in this variant.
    found
        Features that separate them in the target, and here in the same direction.
    missed
        The other features that separate them in the target.
    false
        Features that separate them here, but in the target not, or in the other direction.
    """

    separating: int
    found: int
    missed: int
    false: int

    @property
    def sensitivity(self) -> float | None:
        """Found part of the target's features, 0 to 1; None if the target has none."""
        wanted = self.found + self.missed
        return self.found / wanted if wanted else None


@dataclass(frozen=True)
class Analysis:
    """The results of a cohort.

    Attributes
    ----------
    fdr
        Allowed false discovery rate.
    smallest_p
        p of a feature whose values do not overlap between the groups.
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
        """How many features must separate the groups completely before any of them counts.

        Benjamini and Hochberg allow k of F features a p up to ``k / F * fdr``.
        """
        least = self.smallest_p * len(self.cohort.features) / self.fdr
        return math.ceil(least - 1e-9)  # a whole number may come out a little larger


def analyse(cohort: Cohort, fdr: float = 0.05) -> Analysis:
    """Find the features that separate the groups in each variant, and compare with the target's.

    Parameters
    ----------
    fdr
        Allowed false discovery rate among the features of one variant.

    Raises
    ------
    ConfigurationError
        If a group has fewer than four cases, or the groups are so small that no feature could
        separate them.
    """
    first, second = cohort.sizes
    smallest = _smallest_p(first, second)
    if min(first, second) < LEAST_CASES or smallest > fdr:
        raise ConfigurationError(
            f"{first} {cohort.groups[0]} and {second} {cohort.groups[1]} case(s) are too few: the "
            f"smallest p that the test can give is {smallest:.2g}, and the allowed rate is "
            f"{fdr:g}; take more cases, at least {LEAST_CASES} of each"
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
        Allowed false discovery rate.

    Notes
    -----
    p is exact if a group has up to 8 cases and the feature has no equal values. Otherwise it is
    that of the normal approximation with the correction for ties. With equal values and few cases
    that would be too small: three against three could give 0.047 instead of 0.1. So with up to
    ``MOST_ARRANGEMENTS`` arrangements of the cases, all of them are tried.
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
    """Return p for two groups of these sizes whose values do not overlap."""
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
