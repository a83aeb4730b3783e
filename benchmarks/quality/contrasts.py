"""Differences between groups of models on the same slices, with limits from one bootstrap.

A contrast is the mean of some models minus the mean of others. All models are measured on the same
slices, so the same bootstrap samples of slices serve for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgan_train.evaluation.metrics.blocks import Place, SliceSamples, draw_slices
from rgan_train.evaluation.metrics.bootstrap import resample_ccc
from rgan_train.evaluation.metrics.concordance import ccc
from rgan_train.evaluation.metrics.reproducibility import is_defined
from rgan_train.evaluation.results import TARGET, THRESHOLDS, FeatureTable

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Measure:
    """One measure of one model, as it is and in each bootstrap sample of neighbouring slices.

    Attributes
    ----------
    samples
        ``[B]``.
    slices
        How many the samples were drawn from. With as many, all models have the same samples.
    """

    value: float
    samples: Floats
    slices: int


Measures = Mapping[str, Measure]
"""Of one model, by title."""


def contrast(plus: Sequence[Measures], minus: Sequence[Measures]) -> dict[str, dict[str, Any]]:
    """Return the mean of ``plus`` minus that of ``minus`` with 95 % limits, by title."""
    return {
        title: _contrast([one[title] for one in plus], [one[title] for one in minus])
        for title in plus[0]
    }


def _contrast(plus: Sequence[Measure], minus: Sequence[Measure]) -> dict[str, Any]:
    (slices,) = {measure.slices for measure in (*plus, *minus)}
    value, samples = (
        np.mean([getattr(measure, name) for measure in plus], axis=0)
        - np.mean([getattr(measure, name) for measure in minus], axis=0)
        for name in ("value", "samples")
    )
    return {"value": float(value), "interval": list(draw(slices).interval(value, samples))}


def draw(slices: int) -> SliceSamples:
    """Draw bootstrap samples of as many neighbouring slices."""
    return draw_slices([Place("", "", float(number)) for number in range(slices)])


def measure_slices(values: Floats) -> Measure:
    """Return the mean over slices of ``[N]`` values."""
    counts = draw(len(values)).counts
    weights = counts / counts.sum(axis=1, keepdims=True)
    return Measure(float(values.mean()), weights @ values, len(values))


def measure_features(table: FeatureTable, model: str, groups: Iterable[str]) -> dict[str, Measure]:
    """Return how many features of each group of regions a model reproduces, by title."""
    return {f"features, {group}": _count_features(table, model, group) for group in groups}


def _count_features(table: FeatureTable, model: str, group: str) -> Measure:
    rows = table.rows(group)
    numbers = np.array([table.rois[row].slice_number for row in rows])
    slices = len(np.unique(numbers))
    reference, other = (table.values[name][rows] for name in (TARGET, model))
    defined = is_defined(reference)
    resampled = resample_ccc(reference, other, numbers, draw(slices).counts)
    value, samples = (
        np.count_nonzero(found[..., defined] > THRESHOLDS[0], axis=-1)
        for found in (ccc(reference, other), resampled)
    )
    return Measure(float(value), samples.astype(np.float64), slices)
