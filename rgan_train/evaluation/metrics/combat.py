"""ComBat: harmonize a table of features instead of images.

The method is that of Johnson et al. (Biostatistics 2007), with the target as reference batch.
Fortin et al. (NeuroImage 2018) brought it to imaging, Orlhac et al. (J Nucl Med 2018; for CT,
Radiology 2019) to radiomics. Each feature of a batch has a shift and a scale. Empirical Bayes draws
the estimates of all features together, more strongly if there are few regions.

ComBat changes tables, not images: there is no image to look at, to segment or to measure again. It
has to see both batches, so it cannot harmonize a scan that comes later.

We wrote our own because we could rely on no package: neuroCombat 0.2.12 fails with a reference
batch on NumPy 1.24 and later, inmoose 0.9.1 is under the GPL, and combatlearn 2.3.0 shrinks towards
the mean over batches where Johnson et al. take the mean over features. The tests compare with
values of neuroCombat, computed with the removed ``numpy.int`` put back.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ROUNDING = 1e-10
"""A feature that varies by less than this part of its largest value counts as constant."""

TOLERANCE = 1e-9
"""The iteration ends when the relative change is below this."""

MOST_ITERATIONS = 1000
"""About twelve iterations are usual."""


def combat(
    source: Array,
    target: Array,
    covariate: Array | None = None,
    *,
    empirical_bayes: bool = True,
) -> Array:
    """Harmonize the features of the source with those of the target.

    Parameters
    ----------
    source, target
        ``[N, F]`` and ``[M, F]`` features of regions on images with the two kernels. ComBat does
        not use which rows belong together. They need not be the same regions.
    covariate
        ``[N]`` a property of the same N regions in both that features depend on and that must be
        preserved, such as 0 and 1 for two diagnoses.
    empirical_bayes
        False takes the shift and scale of each feature as they are found. That is better if there
        are many regions, and if features differ as widely as radiomic features do: the few that
        change most would otherwise set the prior for all.

    Returns
    -------
    ndarray
        ``[N, F]`` the harmonized features of the source. A feature that is not finite everywhere in
        both batches is NaN. A feature that is constant in a batch, or would be without the
        covariate, has no scale to adjust and is returned unchanged. Neither kind influences the
        other features.

    Raises
    ------
    ValueError
        If the shapes do not match, there are fewer than two regions, or the covariate is constant
        or not finite.

    Notes
    -----
    Parametric empirical Bayes. The reference batch gives the mean and variance of each feature, as
    in ``ComBat(ref.batch=...)`` of the R package sva and in neuroCombat. This variance is divided
    by its number of regions, the variances behind the priors by one less than that. So with few
    regions the harmonized mean and variance differ a little from the target's.
    """
    design = _design(source, target, covariate)
    finite = np.isfinite(source).all(axis=0) & np.isfinite(target).all(axis=0)
    harmonized = np.full(source.shape, np.nan)
    estimate = _shrink if empirical_bayes else _estimate_directly
    harmonized[:, finite] = _combat(source[:, finite], target[:, finite], design, estimate)
    return harmonized


def _combat(
    source: Array, target: Array, design: Array, estimate: Callable[[Array], tuple[Array, Array]]
) -> Array:
    """Harmonize features that are all finite."""
    regions = len(source)
    both = np.concatenate([source, target])
    coefficients = np.linalg.lstsq(design, both)[0]
    residuals = both - design @ coefficients
    rounding = ROUNDING * np.abs(both).max(axis=0, initial=0.0)
    parts = (source, target, residuals[:regions], residuals[regions:])
    varies = np.all([np.ptp(part, axis=0) > rounding for part in parts], axis=0)

    expected = (design[:regions, 1:] @ coefficients[1:])[:, varies]  # if measured on the target
    scale = residuals[regions:, varies].std(axis=0)
    standard = (source[:, varies] - expected) / scale
    shift, variance = estimate(standard)
    harmonized = source.copy()
    harmonized[:, varies] = (standard - shift) / np.sqrt(variance) * scale + expected
    return harmonized


def _estimate_directly(standard: Array) -> tuple[Array, Array]:
    """Return the shift and variance of each feature as they are found."""
    return standard.mean(axis=0), standard.var(axis=0, ddof=1)


def _shrink(standard: Array) -> tuple[Array, Array]:
    """Estimate the shift and variance of each feature with empirical Bayes.

    The prior of the shifts is normal, that of the variances inverse gamma. Both have the moments
    that are found over the features (Johnson et al. 2007, section 3.2). The new variance is the
    mean of an inverse gamma distribution. It is written without a division by the variance of the
    prior, so that features which all have the same variance are no special case.
    """
    regions = len(standard)
    shift_found, variance_found = standard.mean(axis=0), standard.var(axis=0, ddof=1)
    shift_mean, shift_spread = _moments(shift_found)
    variance_mean, variance_spread = _moments(variance_found)
    shift, variance = shift_found, variance_found
    for _ in range(MOST_ITERATIONS):
        weight = regions * shift_spread
        new_shift = (weight * shift_found + variance * shift_mean) / (weight + variance)
        squares = ((standard - new_shift) ** 2).sum(axis=0)
        prior = variance_spread + variance_mean**2
        posterior = variance_spread * squares / 2 + variance_mean * prior
        new_variance = posterior / (variance_spread * regions / 2 + prior)
        changes = (
            np.abs(new_shift - shift) / (1 + np.abs(shift)),
            np.abs(new_variance - variance) / variance,
        )
        shift, variance = new_shift, new_variance
        if np.max(changes, initial=0.0) < TOLERANCE:
            break
    return shift, variance


def _moments(found: Array) -> tuple[float, float]:
    """Return mean and variance over the features; the variance of a single feature is 0."""
    if len(found) < 2:
        return (float(found.sum()), 0.0)
    return float(found.mean()), float(found.var(ddof=1))


def _design(source: Array, target: Array, covariate: Array | None) -> Array:
    """Return the design matrix ``[N + M, 2 or 3]``: 1 for the source, 1, and the covariate."""
    if source.ndim != 2 or target.ndim != 2 or source.shape[1] != target.shape[1]:
        raise ValueError(f"source {source.shape} and target {target.shape} are not two [N, F]")
    regions, others = len(source), len(target)
    if min(regions, others) < 2:
        raise ValueError(f"{min(regions, others)} region(s): a variance needs two or more")
    columns = [np.repeat([1.0, 0.0], [regions, others]), np.ones(regions + others)]
    if covariate is not None:
        if others != regions:
            raise ValueError(f"a covariate, and {regions} and {others} regions: not the same ones")
        if covariate.shape != (regions,):
            raise ValueError(f"covariate {covariate.shape} for {regions} regions")
        if not np.isfinite(covariate).all() or np.ptp(covariate) == 0:
            raise ValueError("the covariate is constant or not finite, so it explains nothing")
        columns.append(np.tile(covariate, 2))
    return np.stack(columns, axis=1)
