"""Differences between methods on the same slices, with limits from the same bootstrap samples."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from rgan_train.evaluation.metrics.blocks import Place, SliceSamples, draw_slices
from rgan_train.evaluation.metrics.bootstrap import resample_ccc
from rgan_train.evaluation.metrics.concordance import ccc
from rgan_train.evaluation.metrics.moments import MIN_REGIONS, Floats
from rgan_train.evaluation.metrics.reproducibility import is_defined
from rgan_train.evaluation.results import (
    TARGET,
    THRESHOLDS,
    Difference,
    FeatureTable,
    ImageQuality,
)

MEASURES: Final = ("psnr_db", "ssim")
"""Measures of single slices that are compared."""


def compare_methods(
    table: FeatureTable,
    quality: Mapping[str, ImageQuality],
    places: Sequence[Place],
    methods: Sequence[str],
    *,
    seed: int = 0,
) -> list[Difference]:
    """Compare each method with each one before it.

    Parameters
    ----------
    quality
        By method.
    places
        Where each slice comes from.
    methods
        ``input`` first.

    Returns
    -------
    list of Difference
        By pair of methods; PSNR, SSIM, and the reproducible features of each group that has three
        regions or more, on two slices or more.
    """
    slices = {
        measure: _compare_slices(quality, measure, places, methods, seed) for measure in MEASURES
    }
    groups = {group: _compare_counts(table, group, places, methods, seed) for group in table.groups}
    found = itertools.chain(*slices.values(), *groups.values())
    pairs = [(a, b) for b, a in itertools.combinations(methods, 2)]
    return sorted(found, key=lambda one: pairs.index((one.method, one.other)))


def _compare_slices(
    quality: Mapping[str, ImageQuality],
    measure: str,
    places: Sequence[Place],
    methods: Sequence[str],
    seed: int,
) -> list[Difference]:
    """Compare means over slices; those of padding alone, where there is no value, are left out."""
    values = {name: quality[name].by_slice[measure] for name in methods}
    counted = np.flatnonzero(~np.isnan(values[methods[0]]))
    if not len(counted):
        return []
    here = [places[number] for number in counted.tolist()]
    drawn = draw_slices(here, seed=seed)
    found = []
    for other, method in itertools.combinations(methods, 2):
        one, two = values[method][counted], values[other][counted]
        same = one == two  # both may be infinite
        changes = np.subtract(one, two, out=np.zeros(len(counted)), where=~same)
        mean = float(changes.mean())
        if np.isfinite(mean):
            samples = drawn.counts @ changes / drawn.counts.sum(axis=1)
        else:
            samples = np.full(1, np.nan)
        found.append(_difference(measure, "", (method, other), mean, samples, drawn, here))
    return found


def _compare_counts(
    table: FeatureTable, group: str, places: Sequence[Place], methods: Sequence[str], seed: int
) -> list[Difference]:
    """Compare how many features are reproducible."""
    rows = table.rows(group)
    numbers = np.array([table.rois[row].slice_number for row in rows])
    slices = np.unique(numbers)
    if len(rows) < MIN_REGIONS or len(slices) < 2:
        return []
    here = [places[number] for number in slices.tolist()]
    drawn = draw_slices(here, seed=seed)
    reference = table.values[TARGET][rows]
    defined = is_defined(reference)
    counts: dict[str, int] = {}
    samples: dict[str, Floats] = {}
    for name in methods:
        other = table.values[name][rows]
        counts[name] = _count(ccc(reference, other)[defined])
        resampled = resample_ccc(reference, other, numbers, drawn.counts)
        samples[name] = _count(resampled[:, defined])
    return [
        _difference(
            "features",
            group,
            (method, other),
            float(counts[method] - counts[other]),
            (samples[method] - samples[other]).astype(np.float64),
            drawn,
            here,
        )
        for other, method in itertools.combinations(methods, 2)
    ]


def _count(values: Floats) -> Any:
    """Count the features above the threshold, along the last axis."""
    return np.count_nonzero(values > THRESHOLDS[0], axis=-1)


def _difference(
    measure: str,
    group: str,
    pair: tuple[str, str],
    value: float,
    samples: Floats,
    drawn: SliceSamples,
    places: Sequence[Place],
) -> Difference:
    return Difference(
        measure=measure,
        group=group,
        method=pair[0],
        other=pair[1],
        value=value,
        interval=drawn.interval(value, samples),
        slices=len(places),
        patients=len({place.patient for place in places}),
        block=drawn.block,
    )
