"""What the measures of agreement share: checks, scaling, and deviations from the mean."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import ConfigurationError

MIN_REGIONS: Final = 3
"""With fewer regions, variances and confidence limits say nothing."""

Floats = NDArray[np.float64]


def scale_pair(reference: Floats, other: Floats) -> Floats:
    """Check two columns, and scale each feature by a power of 2 so that no value exceeds 1.

    Parameters
    ----------
    reference, other
        ``[N, F]`` or ``[N]``.

    Returns
    -------
    ndarray
        ``[2, N, F]`` or ``[2, N]``, without rounding. A feature that is not finite becomes 0, which
        gives NaN in all measures.

    Raises
    ------
    ConfigurationError
        If there are fewer than 3 regions.
    ValueError
        If the shapes differ.
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
    scaled: Floats = np.ldexp(pair, -exponent)
    return scaled


def deviations(reference: Floats, other: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the deviations of both columns from their means, and the difference of the means.

    All three have the scale of ``scale_pair``, whose parameters and errors this function has.
    """
    pair = scale_pair(reference, other)
    first = pair[:, 0].copy()
    pair -= first[:, np.newaxis]  # a constant then has a variance of exactly 0
    means = pair.mean(axis=1)
    x, y = pair - means[:, np.newaxis]
    return x, y, first[0] - first[1] + (means[0] - means[1])


def mean_over_regions(values: Floats) -> Floats:
    """Return the mean over the first axis."""
    mean: Floats = values.mean(axis=0)
    return mean


def divide(numerator: Floats, denominator: Floats, otherwise: float = np.nan) -> Floats:
    """Divide where the denominator is positive; elsewhere the result is ``otherwise``."""
    out = np.full(np.shape(denominator), otherwise, np.float64)
    np.divide(numerator, denominator, out=out, where=denominator > 0)
    quotient: Floats = out[()]
    return quotient


def tail_probability(level: float) -> float:
    """Return the probability on each side of a confidence interval.

    Raises
    ------
    ValueError
        If the level does not lie between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"a confidence level lies between 0 and 1, like 0.95; got {level}")
    return (1 - level) / 2
