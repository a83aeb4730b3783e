"""Lin's concordance correlation coefficient (CCC) of features measured twice.

The features are those of the target's slices and of the harmonized ones. The CCC (Lin, Biometrics
45:255, 1989) is 1 if all values are equal, and falls with noise, with a shift and with a change of
scale.

This also holds for ``intraclass`` and ``bootstrap``: features are columns, each measured by itself.
``[N, F]`` is N regions of interest with F features; ``[N]`` is one feature, and its result has no
axis F. The result is NaN if a value of the feature is NaN or infinite, or if all its values in both
columns are equal: then 0 is divided by 0.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from rgan_train.evaluation.metrics.moments import (
    Floats,
    deviations,
    divide,
    mean_over_regions,
    tail_probability,
)


def ccc(reference: Floats, other: Floats) -> Floats:
    """Return Lin's concordance correlation coefficient.

    ``2 s_xy / (s_x^2 + s_y^2 + (mean_x - mean_y)^2)``. As in Lin (1989), variances and covariance
    are divided by N. R's ``epiR::epi.ccc`` does the same. Programs that divide by N - 1 give a
    slightly larger value.

    Parameters
    ----------
    reference, other
        ``[N, F]`` or ``[N]`` with N of at least 3: the same regions of interest in the same order.

    Returns
    -------
    ndarray
        ``[F]`` float64, or a float, from -1 to 1; 0 if a feature is constant in one column only.

    Raises
    ------
    ConfigurationError
        If there are fewer than 3 regions.
    ValueError
        If the shapes differ.
    """
    return _lin(*_moments(reference, other))


def ccc_interval(reference: Floats, other: Floats, level: float = 0.95) -> Floats:
    """Return asymptotic confidence limits of the CCC by Fisher's z transformation.

    The standard error is that of Lin (1989) as corrected in Biometrics 56:324 (2000). The limits
    are symmetric on the scale of ``artanh``, like those of ``epiR::epi.ccc(ci = "z-transform")``.

    Parameters
    ----------
    reference, other
        See ``ccc``.
    level
        Confidence level, between 0 and 1.

    Returns
    -------
    ndarray
        ``[F, 2]`` float64, or ``[2]``: lower and upper limit. Where the CCC is 1 or -1, its
        standard error is 0 and both limits are the CCC. NaN if a feature is constant in one
        column: the standard error is not defined.

    Raises
    ------
    ConfigurationError
        If there are fewer than 3 regions.
    ValueError
        If the shapes differ, or the level does not lie between 0 and 1.

    Notes
    -----
    Regions are taken as independent, and features as normally distributed. Regions of one slice
    are not independent, so the true limits are wider: see ``bootstrap.bootstrap_ccc``.
    """
    quantile = -NormalDist().inv_cdf(tail_probability(level))
    moments = _moments(reference, other)
    var_x, var_y, _, shift = moments
    rho = np.where(var_x * var_y > 0, _lin(*moments), np.nan)
    # Lin's terms: the bias correction factor C_b = rho / r and C_b u^2 with the location shift u.
    # They are written without Pearson's r as divisor, as it may be 0.
    total = var_x + var_y + shift
    bias = divide(2 * np.sqrt(var_x * var_y), total)
    moved = divide(2 * shift, total)
    uncertain = 1 - rho**2
    variance = (
        (bias**2 - rho**2) * uncertain + 2 * rho**2 * (1 - rho) * moved - (rho * moved) ** 2 / 2
    ) / (len(reference) - 2)
    error = divide(np.sqrt(np.maximum(variance, 0)), uncertain, otherwise=0)
    with np.errstate(divide="ignore"):  # artanh(1) is infinite, and its tanh is 1
        z = np.arctanh(rho)
    return np.stack([np.tanh(z - quantile * error), np.tanh(z + quantile * error)], axis=-1)


def _moments(reference: Floats, other: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return both variances and the covariance, divided by N, and the squared shift of the mean."""
    x, y, shift = deviations(reference, other)
    return mean_over_regions(x * x), mean_over_regions(y * y), mean_over_regions(x * y), shift**2


def _lin(
    var_x: Floats,
    var_y: Floats,
    covariance: Floats,
    shift: Floats,
) -> Floats:
    """Return Lin's coefficient from its moments."""
    return np.clip(divide(2 * covariance, var_x + var_y + shift), -1, 1)
