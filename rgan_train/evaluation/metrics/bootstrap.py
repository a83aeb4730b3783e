"""Bootstrap of the CCC over slices, because regions of one slice resemble each other."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.metrics.moments import Floats, divide, scale_pair, tail_probability

CONSTANT: Final = 1e-12
"""A sample whose variance is below this part of its mean square counts as constant."""


def bootstrap_ccc(
    reference: Floats,
    other: Floats,
    slices: NDArray[np.int64],
    *,
    replicates: int = 1000,
    seed: int = 0,
) -> Floats:
    """Return the CCC of bootstrap samples of slices.

    A sample has as many slices as there are. They are drawn with replacement, each with all of its
    regions. Regions of one slice resemble each other; drawing single regions would make the result
    look more certain than it is (Davison and Hinkley, Bootstrap Methods and their Application,
    1997, section 3.8; Field and Welsh, J. R. Stat. Soc. B 69:369, 2007).

    Parameters
    ----------
    reference, other
        See ``concordance.ccc``.
    slices
        ``[N]`` slice of each region; any integers, equal for regions of the same slice.
    replicates
        Number of samples.
    seed
        Seed of ``numpy.random.default_rng``. Its ``multinomial`` draws how often each slice is
        taken, in ascending order of ``slices``, and depends on nothing else. So methods that are
        compared on the same slices have the same samples.

    Returns
    -------
    ndarray
        ``[replicates, F]`` float64, or ``[replicates]``. NaN where all values of the sample are
        equal, or so nearly equal that rounding decides: where the variance is below 1e-12 of the
        mean square around the reference's median.

    Raises
    ------
    ConfigurationError
        If all regions lie in one slice, or there are fewer than 3 regions.
    ValueError
        If the shapes differ.
    """
    count = len(np.unique(slices))
    if count < 2:
        raise ConfigurationError(
            f"all {len(reference)} regions of interest lie in {count} slice, and resampling it "
            "says nothing about other slices; take regions from 2 slices or more, better from 20"
        )
    counts = np.random.default_rng(seed).multinomial(count, [1 / count] * count, replicates)
    return resample_ccc(reference, other, slices, counts)


def resample_ccc(
    reference: Floats, other: Floats, slices: NDArray[np.int64], counts: NDArray[np.int64]
) -> Floats:
    """Return the CCC of samples of slices.

    Parameters
    ----------
    reference, other, slices
        See ``bootstrap_ccc``.
    counts
        ``[replicates, S]`` how often each slice is in each sample, by ascending ``slices``.

    Returns
    -------
    ndarray
        See ``bootstrap_ccc``.

    Raises
    ------
    ConfigurationError
        If there are fewer than 3 regions.
    ValueError
        If the shapes differ.

    Notes
    -----
    Samples are never built. Sums over each slice, times how often it is taken, give the moments of
    all samples in four matrix products. Before that, features are scaled by a power of 2 and
    centred at the reference's median, so that neither a large mean nor a single large value costs
    digits.
    """
    pair = scale_pair(reference, other)
    if np.shape(slices) != np.shape(reference)[:1]:
        raise ValueError(f"slices {np.shape(slices)} do not number {len(reference)} regions")
    members = np.unique(slices, return_counts=True)[1]
    x, y = (pair - np.median(pair[0], axis=0))[:, np.argsort(slices, kind="stable")]
    drawn = counts.astype(np.float64)  # matrix products of integers are slow
    regions = drawn @ members
    starts = np.cumsum(members) - members

    def mean(values: Floats) -> Floats:
        sums = drawn @ np.add.reduceat(values, starts)
        return (sums.T / regions).T

    square = mean(x * x + y * y)
    total = square - 2 * mean(x) * mean(y)  # both variances and the squared shift
    total[total <= CONSTANT * square] = 0
    return np.maximum(1 - divide(mean((x - y) ** 2), total), -1)


def bootstrap_interval(samples: Floats, level: float = 0.95) -> Floats:
    """Return confidence limits from the percentiles of bootstrap samples.

    Parameters
    ----------
    samples
        ``[B, F]`` or ``[B]``, a row for each sample; NaN do not count.
    level
        Confidence level, between 0 and 1.

    Returns
    -------
    ndarray
        ``[F, 2]`` float64, or ``[2]``: lower and upper limit; NaN where all samples are NaN.

    Raises
    ------
    ValueError
        If the level does not lie between 0 and 1.

    Notes
    -----
    With 20 slices or fewer, percentile limits are too narrow; report how many there were.
    """
    tail = tail_probability(level)
    empty = np.isnan(samples).all(axis=0)
    limits = np.nanquantile(np.where(empty, 0, samples), [tail, 1 - tail], axis=0)
    return np.moveaxis(np.where(empty, np.nan, limits), 0, -1)
