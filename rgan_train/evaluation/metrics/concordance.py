"""Agreement of features measured twice: on the target's slices and on harmonized ones.

Two coefficients are here. The concordance correlation coefficient (CCC) is Lin's (Biometrics
45:255, 1989). The intraclass correlation coefficient (ICC) is ICC(A,1) of McGraw and Wong
(Psychological Methods 1:30, 1996): two-way model, absolute agreement, single measurement. Both
are 1 where every value is equal, and fall with noise, with a shift and with a change of scale.

All functions work on each feature by itself. Features are columns: ``[N, F]`` is N regions of
interest with F features, and ``[N]`` is one feature, for which results have no axis F. A feature
has the result NaN if a value of it is NaN or infinite, or if it is one and the same value in all
regions of both columns: then 0 is divided by 0.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import ConfigurationError

MIN_REGIONS = 3
"""With fewer, variances and limits say nothing."""

_CONSTANT = 1e-12
"""A replicate's variance below this part of its mean square is taken for rounding."""


def ccc(reference: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Lin's concordance correlation coefficient.

    ``2 s_xy / (s_x^2 + s_y^2 + (mean_x - mean_y)^2)``, whose variances and covariance have the
    divisor N as in Lin (1989). R's ``epiR::epi.ccc`` does the same; programs that divide by
    N - 1 give a slightly larger value.

    Parameters
    ----------
    reference, other
        ``[N, F]`` or ``[N]``, N of at least 3: the same regions of interest in the same order.

    Returns
    -------
    ndarray
        ``[F]`` float64, or a float: from -1 to 1. 0 if a feature is constant in one column.

    Raises
    ------
    ConfigurationError
        If there are fewer than 3 regions.
    ValueError
        If the shapes differ.
    """
    return _lin(*_moments(reference, other))


def ccc_interval(
    reference: NDArray[np.float64], other: NDArray[np.float64], level: float = 0.95
) -> NDArray[np.float64]:
    """Return asymptotic confidence limits of the CCC, by Fisher's z.

    The standard error is that of Lin (1989) as corrected in Biometrics 56:324 (2000); limits are
    symmetric on the scale of ``artanh``, as those of ``epiR::epi.ccc(ci = "z-transform")``.

    Parameters
    ----------
    reference, other
        See ``ccc``.
    level
        Confidence level, between 0 and 1.

    Returns
    -------
    ndarray
        ``[F, 2]`` float64, or ``[2]``: lower and upper limit. Both are the CCC where it is 1 or
        -1, as its standard error is 0. NaN if a feature is constant in one column: the standard
        error is not defined.

    Raises
    ------
    ConfigurationError
        If there are fewer than 3 regions.
    ValueError
        If the shapes differ or there is no such level.

    Notes
    -----
    Regions count as independent, and features as normally distributed. Regions of one slice
    are not independent, so the true limits are wider: see ``bootstrap_ccc``.
    """
    quantile = -NormalDist().inv_cdf(_tail(level))
    moments = _moments(reference, other)
    var_x, var_y, _, shift = moments
    rho = np.where(var_x * var_y > 0, _lin(*moments), np.nan)
    # Lin's terms without a division by Pearson's r, which may be 0: the bias correction factor
    # C_b = rho / r, and C_b u^2 with his location shift u.
    total = var_x + var_y + shift
    bias = _ratio(2 * np.sqrt(var_x * var_y), total)
    moved = _ratio(2 * shift, total)
    uncertain = 1 - rho**2
    variance = (
        (bias**2 - rho**2) * uncertain + 2 * rho**2 * (1 - rho) * moved - (rho * moved) ** 2 / 2
    ) / (len(reference) - 2)
    error = _ratio(np.sqrt(np.maximum(variance, 0)), uncertain, otherwise=0)
    with np.errstate(divide="ignore"):  # artanh(1) is infinite, and its tanh is 1
        z = np.arctanh(rho)
    return np.stack([np.tanh(z - quantile * error), np.tanh(z + quantile * error)], axis=-1)


def icc(reference: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the intraclass correlation coefficient ICC(A,1) of two columns.

    From mean squares of the two-way analysis of variance; the ICC2 of R's ``psych::ICC`` with
    ``lmer = FALSE`` and the ICC(2,1) of Shrout and Fleiss (1979) are the same. For two columns
    it is a CCC with the divisor N - 1 in which the squared shift of the means is corrected for
    chance, by the variance of the differences over N.

    Parameters
    ----------
    reference, other
        See ``ccc``.

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


def icc_interval(
    reference: NDArray[np.float64], other: NDArray[np.float64], level: float = 0.95
) -> NDArray[np.float64]:
    """Return confidence limits of ICC(A,1): those of McGraw and Wong (1996), case 2.

    Shrout and Fleiss (1979) write the same limits differently, and ``psych::ICC`` after them.

    Parameters
    ----------
    reference, other
        See ``ccc``.
    level
        Confidence level, between 0 and 1.

    Returns
    -------
    ndarray
        ``[F, 2]`` float64, or ``[2]``: lower and upper limit. Both are 1 for equal columns. NaN if
        the limits' degrees of freedom are 0, as they can be for a negative ICC only.

    Raises
    ------
    ConfigurationError
        If there are fewer than 3 regions.
    ValueError
        If the shapes differ or there is no such level.

    Notes
    -----
    Regions and kernels count as random samples, regions as independent. With two kernels the
    shift between them is known from one difference only, so a large shift gives wide limits.
    """
    from scipy.stats import f

    tail = _tail(level)
    regions = len(reference)
    rows, columns, residual = _mean_squares(reference, other)
    rho = _absolute_agreement(regions, rows, columns, residual)
    # The degrees of freedom v of McGraw and Wong, both sides times regions * (1 - rho).
    moved = 2 * rho * columns
    noise = (regions * (1 + rho) - 2 * rho) * residual
    freedom = _ratio(
        (regions - 1) * (moved + noise) ** 2, (regions - 1) * moved**2 + noise**2, otherwise=1
    )
    # Their lower limit is written with a quantile of F(N - 1, v). Its reciprocal is one of
    # F(v, N - 1), with which both limits have the form of the upper.
    quantiles = np.stack([f.ppf(part, freedom, regions - 1) for part in (tail, 1 - tail)])
    scaled = regions * quantiles * rows
    limits = _ratio(scaled - regions * residual, scaled + 2 * columns + (regions - 2) * residual)
    return np.moveaxis(limits, 0, -1)


def bootstrap_ccc(
    reference: NDArray[np.float64],
    other: NDArray[np.float64],
    slices: NDArray[np.int64],
    *,
    replicates: int = 1000,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return the CCC of bootstrap samples of slices.

    A replicate has as many slices as there are, drawn with replacement, each with all of its
    regions: regions of one slice resemble each other, and to draw them singly would make the
    result look more certain than it is (Davison and Hinkley, Bootstrap Methods and their
    Application, 1997, section 3.8; Field and Welsh, J. R. Stat. Soc. B 69:369, 2007).

    Parameters
    ----------
    reference, other
        See ``ccc``.
    slices
        ``[N]`` the number of each region's slice; any numbers.
    replicates
        Number of samples.
    seed
        Of ``numpy.random.default_rng``, whose ``multinomial`` says how often each slice is
        taken, in ascending order of its number. It depends on nothing else: methods compared on
        the same slices have the same samples.

    Returns
    -------
    ndarray
        ``[replicates, F]`` float64, or ``[replicates]``. NaN where the sample is constant and
        equal in both columns, or so near to it that rounding decides: where its variance is
        below 1e-12 of its mean square around the reference's median.

    Raises
    ------
    ConfigurationError
        If all regions lie in one slice, or there are fewer than 3 regions.
    ValueError
        If the shapes differ.

    Notes
    -----
    Samples are never built: sums over each slice, times how often it is taken, give the moments
    of all samples in four matrix products. Before that, features are scaled by a power of 2 and
    centred at the reference's median, so that neither a large mean nor a single large value
    costs digits.
    """
    pair = _comparable(reference, other)
    if np.shape(slices) != np.shape(reference)[:1]:
        raise ValueError(f"slices {np.shape(slices)} do not number {len(reference)} regions")
    numbers, members = np.unique(slices, return_counts=True)
    count = len(numbers)
    if count < 2:
        raise ConfigurationError(
            f"all {len(reference)} regions of interest lie in {count} slice, and to resample it "
            "says nothing of other slices; take regions from at least 2 slices, better from 20"
        )
    x, y = (pair - np.median(pair[0], axis=0))[:, np.argsort(slices, kind="stable")]
    counts = np.random.default_rng(seed).multinomial(count, [1 / count] * count, replicates)
    drawn = counts.astype(np.float64)  # which matrix products are fast for
    regions = drawn @ members
    starts = np.cumsum(members) - members

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = drawn @ np.add.reduceat(values, starts)
        return (sums.T / regions).T

    square = mean(x * x + y * y)
    total = square - 2 * mean(x) * mean(y)  # both variances and the squared shift
    total[total <= _CONSTANT * square] = 0
    return np.maximum(1 - _ratio(mean((x - y) ** 2), total), -1)


def bootstrap_interval(samples: NDArray[np.float64], level: float = 0.95) -> NDArray[np.float64]:
    """Return percentile limits of bootstrap samples.

    Parameters
    ----------
    samples
        ``[B, F]`` or ``[B]``, one row for each replicate; NaN do not count.
    level
        Confidence level, between 0 and 1.

    Returns
    -------
    ndarray
        ``[F, 2]`` float64, or ``[2]``: lower and upper limit, NaN where all samples are.

    Raises
    ------
    ValueError
        If there is no such level.

    Notes
    -----
    Of few slices, 20 or less, percentile limits are too narrow; say how many there were.
    """
    tail = _tail(level)
    empty = np.isnan(samples).all(axis=0)
    limits = np.nanquantile(np.where(empty, 0, samples), [tail, 1 - tail], axis=0)
    return np.moveaxis(np.where(empty, np.nan, limits), 0, -1)


def _comparable(reference: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Check both columns and scale each feature to at most 1, by a power of 2: no rounding.

    Returns
    -------
    ndarray
        ``[2, N, F]`` or ``[2, N]``. Features that are not finite are 0, whose result is NaN.
    """
    if np.shape(reference) != np.shape(other):
        raise ValueError(
            f"reference {np.shape(reference)} and other {np.shape(other)} differ in shape"
        )
    if len(reference) < MIN_REGIONS:
        raise ConfigurationError(
            f"agreement needs at least {MIN_REGIONS} regions of interest, got {len(reference)}"
        )
    pair = np.stack([reference, other]).astype(np.float64)
    pair = np.where(np.isfinite(pair).all(axis=(0, 1)), pair, 0)
    exponent = np.frexp(np.abs(pair).max(axis=(0, 1)))[1]
    scaled: NDArray[np.float64] = np.ldexp(pair, -exponent)
    return scaled


def _deviations(
    reference: NDArray[np.float64], other: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return both columns less their means, and the difference of the means, of equal scale."""
    pair = _comparable(reference, other)
    first = pair[:, 0].copy()
    pair -= first[:, np.newaxis]  # so that a constant has a variance of exactly 0
    means = pair.mean(axis=1)
    x, y = pair - means[:, np.newaxis]
    return x, y, first[0] - first[1] + (means[0] - means[1])


def _moments(
    reference: NDArray[np.float64], other: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return both variances and the covariance, divisor N, and the squared shift of the mean."""
    x, y, shift = _deviations(reference, other)
    return _mean(x * x), _mean(y * y), _mean(x * y), shift**2


def _lin(
    var_x: NDArray[np.float64],
    var_y: NDArray[np.float64],
    covariance: NDArray[np.float64],
    shift: NDArray[np.float64],
) -> NDArray[np.float64]:
    return np.clip(_ratio(2 * covariance, var_x + var_y + shift), -1, 1)


def _mean_squares(
    reference: NDArray[np.float64], other: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the two-way mean squares of rows, columns and residuals: MSR, MSC and MSE."""
    x, y, shift = _deviations(reference, other)
    half = 0.5 * len(x) / (len(x) - 1)
    return half * _mean((x + y) ** 2), len(x) * shift**2 / 2, half * _mean((x - y) ** 2)


def _absolute_agreement(
    regions: int,
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    residual: NDArray[np.float64],
) -> NDArray[np.float64]:
    return _ratio(rows - residual, rows + residual + 2 * (columns - residual) / regions)


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = values.mean(axis=0)
    return mean


def _ratio(
    numerator: NDArray[np.float64], denominator: NDArray[np.float64], otherwise: float = np.nan
) -> NDArray[np.float64]:
    """Divide where the denominator is positive."""
    out = np.full(np.shape(denominator), otherwise, np.float64)
    ratio: NDArray[np.float64] = np.divide(numerator, denominator, out=out, where=denominator > 0)[
        ()
    ]
    return ratio


def _tail(level: float) -> float:
    """Return the probability on each side of a confidence interval."""
    if not 0 < level < 1:
        raise ValueError(f"a confidence level lies between 0 and 1, such as 0.95; got {level}")
    return (1 - level) / 2
