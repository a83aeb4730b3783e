"""Which features survive a change of kernel: their concordance with the target, and how many pass.

Paper, section 3.1: a feature is reproducible if Lin's concordance coefficient of its values on the
harmonized and on the target images is above 0.85.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_train.evaluation.metrics.bootstrap import bootstrap_ccc, bootstrap_interval
from rgan_train.evaluation.metrics.combat import ROUNDING
from rgan_train.evaluation.metrics.concordance import ccc
from rgan_train.evaluation.metrics.intraclass import icc, icc_interval
from rgan_train.evaluation.metrics.moments import MIN_REGIONS
from rgan_train.evaluation.results import (
    INPUT,
    TARGET,
    THRESHOLDS,
    Agreement,
    FeatureCount,
    FeatureTable,
    filter_and_class,
)

REPLICATES: Final = 1000
LEVEL: Final = 0.95
NO_INTERVAL: Final = (float("nan"), float("nan"))


def compare_all(table: FeatureTable) -> list[Agreement]:
    """Compare each variant with the target, in each group that has three regions or more.

    Returns
    -------
    list of Agreement
        By group, in the order of the table; in each group ``input`` comes first.
    """
    methods = sorted((name for name in table.values if name != TARGET), key=lambda n: n != INPUT)
    groups = [g for g in table.groups if len(table.rows(g)) >= MIN_REGIONS]
    return [compare(table, group, method) for group in groups for method in methods]


def compare(table: FeatureTable, group: str, method: str) -> Agreement:
    """Compare one variant with the target over the regions of one group.

    The confidence limits of the CCC and of the counts come from 1,000 bootstrap samples of slices,
    not of regions, because regions of one slice are not independent. With a single slice there are
    no limits.
    """
    rows = table.rows(group)
    rois = [table.rois[row] for row in rows]
    reference, other = table.values[TARGET][rows], table.values[method][rows]
    slices = np.array([roi.slice_number for roi in rois])
    repeats = np.array([roi.repeat for roi in rois])
    defined = is_defined(reference)
    values = ccc(reference, other)
    samples = _resample(reference, other, slices)
    return Agreement(
        group=group,
        method=method,
        regions=len(rows),
        slices=len(np.unique(slices)),
        defined=defined,
        ccc=values,
        ccc_interval=bootstrap_interval(samples, LEVEL),
        icc=icc(reference, other),
        icc_interval=icc_interval(reference, other, LEVEL),
        counts={
            threshold: FeatureCount(
                features=_count(values, defined, threshold),
                total=int(defined.sum()),
                interval=_count_interval(samples, defined, threshold),
                repeats=_count_repeats(reference, other, repeats, defined, threshold),
            )
            for threshold in THRESHOLDS
        },
    )


def is_defined(reference: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which features can be reproduced: finite on the target, and not the same everywhere."""
    finite = np.where(np.all(np.isfinite(reference), axis=0), reference, 0)
    rounding = ROUNDING * np.abs(finite).max(axis=0, initial=0.0)
    varies: NDArray[np.bool_] = np.ptp(finite, axis=0) > rounding
    return varies


def count_by_class(
    agreement: Agreement, names: Sequence[str], threshold: float
) -> Mapping[tuple[str, str], tuple[int, int]]:
    """Count, by filter and class, the features above a threshold and those the target defines."""
    counts: dict[tuple[str, str], tuple[int, int]] = {}
    for name, value, defined in zip(names, agreement.ccc, agreement.defined, strict=True):
        key = filter_and_class(name)
        above, total = counts.get(key, (0, 0))
        counts[key] = above + int(defined and value > threshold), total + int(defined)
    return counts


def _count_repeats(
    reference: NDArray[np.float64],
    other: NDArray[np.float64],
    repeats: NDArray[np.int64],
    defined: NDArray[np.bool_],
    threshold: float,
) -> tuple[int, ...]:
    """Count in each repeat of random regions by itself; empty if there is only one repeat."""
    chosen = [repeats == repeat for repeat in np.unique(repeats)]
    if len(chosen) == 1 or min(rows.sum() for rows in chosen) < MIN_REGIONS:
        return ()
    return tuple(_count(ccc(reference[rows], other[rows]), defined, threshold) for rows in chosen)


def _resample(
    reference: NDArray[np.float64], other: NDArray[np.float64], slices: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the CCC of bootstrap samples, ``[replicates, F]``; NaN with a single slice."""
    if len(np.unique(slices)) < 2:
        return np.full((1, reference.shape[1]), np.nan)
    return bootstrap_ccc(reference, other, slices, replicates=REPLICATES)


def _count(values: NDArray[np.float64], defined: NDArray[np.bool_], threshold: float) -> int:
    return int(np.count_nonzero(values[defined] > threshold))


def _count_interval(
    samples: NDArray[np.float64], defined: NDArray[np.bool_], threshold: float
) -> tuple[float, float]:
    if np.isnan(samples).all():
        return NO_INTERVAL
    counts = np.count_nonzero(samples[:, defined] > threshold, axis=1)
    low, high = np.quantile(counts, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)
