"""The intraclass correlation coefficient (ICC) of features measured twice.

It is ICC(A,1) of McGraw and Wong (Psychological Methods 1:30, 1996): two-way model, absolute
agreement, single measurement. ``concordance`` says how features and regions are laid out, and when
a result is NaN.
"""

from __future__ import annotations

import numpy as np

from rgan_train.evaluation.metrics.moments import (
    Floats,
    deviations,
    divide,
    mean_over_regions,
    tail_probability,
)


def icc(reference: Floats, other: Floats) -> Floats:
    """Return the intraclass correlation coefficient ICC(A,1) of two columns.

    It is computed from the mean squares of the two-way analysis of variance, and equals the ICC2 of
    R's ``psych::ICC`` with ``lmer = FALSE`` and the ICC(2,1) of Shrout and Fleiss (1979). For two
    columns it is a CCC with the divisor N - 1 whose squared shift of the means is corrected for
    chance, by the variance of the differences over N.

    Parameters
    ----------
    reference, other
        See ``concordance.ccc``.

    Returns
    -------
    ndarray
        ``[F]`` float64, or a float: at most 1.

    Raises
    ------
    ConfigurationError
        If there are fewer than 3 regions.
    ValueError
        If the shapes differ.
    """
    return _absolute_agreement(len(reference), *_mean_squares(reference, other))


def icc_interval(reference: Floats, other: Floats, level: float = 0.95) -> Floats:
    """Return confidence limits of ICC(A,1) as in McGraw and Wong (1996), case 2.

    Shrout and Fleiss (1979), and ``psych::ICC`` after them, write the same limits differently.

    Parameters
    ----------
    reference, other
        See ``concordance.ccc``.
    level
        Confidence level, between 0 and 1.

    Returns
    -------
    ndarray
        ``[F, 2]`` float64, or ``[2]``: lower and upper limit. Both are 1 for equal columns. NaN if
        the limits have 0 degrees of freedom, which can only happen with a negative ICC.

    Raises
    ------
    ConfigurationError
        If there are fewer than 3 regions.
    ValueError
        If the shapes differ, or the level does not lie between 0 and 1.

    Notes
    -----
    Regions and kernels are taken as random samples, and regions as independent. With two kernels,
    the shift between them is known from one difference only, so a large shift gives wide limits.
    """
    from scipy.stats import f

    tail = tail_probability(level)
    regions = len(reference)
    rows, columns, residual = _mean_squares(reference, other)
    rho = _absolute_agreement(regions, rows, columns, residual)
    # The degrees of freedom v of McGraw and Wong; both terms are multiplied by N (1 - rho).
    moved = 2 * rho * columns
    noise = (regions * (1 + rho) - 2 * rho) * residual
    freedom = divide(
        (regions - 1) * (moved + noise) ** 2, (regions - 1) * moved**2 + noise**2, otherwise=1
    )
    # They write the lower limit with a quantile of F(N - 1, v). Its reciprocal is a quantile of
    # F(v, N - 1), so both limits can have the form of the upper one.
    quantiles = np.stack([f.ppf(part, freedom, regions - 1) for part in (tail, 1 - tail)])
    scaled = regions * quantiles * rows
    limits = divide(scaled - regions * residual, scaled + 2 * columns + (regions - 2) * residual)
    return np.moveaxis(limits, 0, -1)


def _mean_squares(reference: Floats, other: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the two-way mean squares of rows, columns and residuals: MSR, MSC and MSE."""
    x, y, shift = deviations(reference, other)
    half = 0.5 * len(x) / (len(x) - 1)
    return (
        half * mean_over_regions((x + y) ** 2),
        len(x) * shift**2 / 2,
        half * mean_over_regions((x - y) ** 2),
    )


def _absolute_agreement(
    regions: int,
    rows: Floats,
    columns: Floats,
    residual: Floats,
) -> Floats:
    """Return ICC(A,1) from the mean squares."""
    return divide(rows - residual, rows + residual + 2 * (columns - residual) / regions)
