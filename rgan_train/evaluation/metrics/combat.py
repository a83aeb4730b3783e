"""ComBat: features of one kernel moved to those of another, the rival of harmonized images.

The method is that of Johnson et al. (Biostatistics 2007), with the target as reference batch.
Fortin et al. (NeuroImage 2018) brought it to imaging, Orlhac et al. (J Nucl Med 2018; for CT,
Radiology 2019) to radiomics. Each feature of a batch has a shift and a scale; empirical Bayes draws
those of the features together, the more so the fewer regions there are.

It changes tables, not images: there is nothing to look at, to segment or to measure anew. And it
has to see both batches, so it says nothing of a scan that comes later.

It is written here as no package could be relied on: neuroCombat 0.2.12 fails with a reference batch
on NumPy 1.24 and later, inmoose 0.9.1 is under the GPL, and combatlearn 2.3.0 shrinks towards the
mean over batches where Johnson et al. have the mean over features. The tests hold it to values of
neuroCombat, computed with the missing ``numpy.int`` given back.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ROUNDING = 1e-10
"""A feature that varies by less than this part of its largest value is constant."""

TOLERANCE = 1e-9
"""Relative change from one iteration to the next, below which the estimate stands."""

MOST_ITERATIONS = 1000
"""A dozen is usual."""


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
        ``[N, F]`` features of the same N regions on images with the one and the other kernel. Which
        rows belong together makes no difference to ComBat.
    covariate
        ``[N]`` of the regions: something that features depend on and that is to be preserved, such
        as 0 and 1 for two diagnoses.
    empirical_bayes
        False takes shift and scale of each feature as they are found. That is the better choice
        where there are many regions, and features that differ as widely as radiomic ones do: what
        they have in common is then set by the few that change most.

    Returns
    -------
    ndarray
        ``[N, F]`` the source's, harmonized. A feature that is not finite everywhere in both batches
        is NaN; one that is constant in a batch, or would be without the covariate, has no scale to
        adjust and comes back as it was. Neither has a part in what the others get.

    Raises
    ------
    ValueError
        If the shapes do not fit, there are fewer than two regions, or the covariate is constant or
        not finite.

    Notes
    -----
    Parametric empirical Bayes. The reference batch gives mean and variance of each feature, as in
    ``ComBat(ref.batch=...)`` of the R package sva and in neuroCombat: the variance is divided by N,
    those that the priors come from by N - 1. Few regions and many features therefore leave mean and
    variance a little off the target's.
    """
    design = _design(source, target, covariate)
    finite = np.isfinite(source).all(axis=0) & np.isfinite(target).all(axis=0)
    harmonized = np.full(source.shape, np.nan)
    estimate = _shrink if empirical_bayes else _as_found
    harmonized[:, finite] = _combat(source[:, finite], target[:, finite], design, estimate)
    return harmonized


def _combat(
    source: Array, target: Array, design: Array, estimate: Callable[[Array], tuple[Array, Array]]
) -> Array:
    """Do it for finite features."""
    regions = len(source)
    both = np.concatenate([source, target])
    coefficients = np.linalg.lstsq(design, both)[0]
    residuals = both - design @ coefficients
    rounding = ROUNDING * np.abs(both).max(axis=0, initial=0.0)
    parts = (source, target, residuals[:regions], residuals[regions:])
    varies = np.all([np.ptp(part, axis=0) > rounding for part in parts], axis=0)

    expected = (design[:regions, 1:] @ coefficients[1:])[:, varies]  # had the target measured it
    scale = residuals[regions:, varies].std(axis=0)
    standard = (source[:, varies] - expected) / scale
    shift, variance = estimate(standard)
    harmonized = source.copy()
    harmonized[:, varies] = (standard - shift) / np.sqrt(variance) * scale + expected
    return harmonized


def _as_found(standard: Array) -> tuple[Array, Array]:
    return standard.mean(axis=0), standard.var(axis=0, ddof=1)


def _shrink(standard: Array) -> tuple[Array, Array]:
    """Estimate shift and variance of each feature, drawn to what the features have in common.

    The prior of the shifts is normal, that of the variances inverse gamma; both have the moments
    that are found over the features (Johnson et al. 2007, section 3.2). ``posterior`` below is the
    mean of an inverse gamma with fraction and division by the priors' variance cleared, so that
    features with one and the same variance are no special case.
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
    """Return mean and variance over the features; a single one has nothing to be drawn to."""
    if len(found) < 2:
        return (float(found.sum()), 0.0)
    return float(found.mean()), float(found.var(ddof=1))


def _design(source: Array, target: Array, covariate: Array | None) -> Array:
    """Return ``[2N, 2 or 3]``: is it of the source, 1, and the covariate."""
    if source.ndim != 2 or source.shape != target.shape:
        raise ValueError(f"source {source.shape} and target {target.shape} are not two [N, F]")
    regions = len(source)
    if regions < 2:
        raise ValueError(f"{regions} region(s): a variance takes two or more")
    columns = [np.repeat([1.0, 0.0], regions), np.ones(2 * regions)]
    if covariate is not None:
        if covariate.shape != (regions,):
            raise ValueError(f"covariate {covariate.shape} for {regions} regions")
        if not np.isfinite(covariate).all() or np.ptp(covariate) == 0:
            raise ValueError("the covariate is constant or not finite, so it explains nothing")
        columns.append(np.tile(covariate, 2))
    return np.stack(columns, axis=1)
