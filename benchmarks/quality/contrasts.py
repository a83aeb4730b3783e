"""Differences between groups of models on the same slices, with limits from one bootstrap.

A contrast is the mean of some models minus the mean of others. All models are measured on the same
slices, so the same bootstrap samples of slices serve for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

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
    """One measure of all models, as it is and in each bootstrap sample.

    Attributes
    ----------
    values
        By model.
    samples
        ``[B]`` by model.
    drawn
        The samples of slices, the same for all models.
    """

    values: Mapping[str, float]
    samples: Mapping[str, Floats]
    drawn: SliceSamples

    def contrast(self, plus: Sequence[str], minus: Sequence[str]) -> dict[str, float | list[float]]:
        """Return the mean of ``plus`` minus that of ``minus``, with its 95 % limits."""
        value = float(_mean(self.values, plus) - _mean(self.values, minus))
        samples = _mean(self.samples, plus) - _mean(self.samples, minus)
        return {"value": value, "interval": list(self.drawn.interval(value, samples))}


def measure_all(
    psnr: Mapping[str, Floats],
    table: FeatureTable,
    groups: Iterable[str],
    places: Sequence[Place],
) -> dict[str, Measure]:
    """Return PSNR and the numbers of reproducible features, by title.

    Parameters
    ----------
    psnr
        ``[N]`` of each slice, by model.
    groups
        Of regions.
    places
        Where each slice comes from.
    """
    measures = {"PSNR, dB": measure_slices(psnr, draw_slices(places))}
    for group in groups:
        measures[f"features, {group}"] = measure_features(table, group, list(psnr), places)
    return measures


def measure_slices(by_slice: Mapping[str, Floats], drawn: SliceSamples) -> Measure:
    """Return the mean over slices of ``[N]`` values by model."""
    weights = drawn.counts / drawn.counts.sum(axis=1, keepdims=True)
    return Measure(
        {name: float(values.mean()) for name, values in by_slice.items()},
        {name: weights @ values for name, values in by_slice.items()},
        drawn,
    )


def measure_features(
    table: FeatureTable, group: str, models: Iterable[str], places: Sequence[Place]
) -> Measure:
    """Return how many features of a group of regions are reproducible, by model.

    ``places`` says where each slice comes from.
    """
    rows = table.rows(group)
    numbers = np.array([table.rois[row].slice_number for row in rows])
    drawn = draw_slices([places[number] for number in np.unique(numbers).tolist()])
    reference = table.values[TARGET][rows]
    defined = is_defined(reference)
    values, samples = {}, {}
    for name in models:
        other = table.values[name][rows]
        values[name] = float(_count(ccc(reference, other)[defined]))
        resampled = resample_ccc(reference, other, numbers, drawn.counts)
        samples[name] = _count(resampled[:, defined]).astype(np.float64)
    return Measure(values, samples, drawn)


def _count(values: Floats) -> NDArray[np.int64]:
    return np.count_nonzero(values > THRESHOLDS[0], axis=-1)


def _mean(values: Mapping[str, float | Floats], names: Sequence[str]) -> Floats:
    return np.mean([values[name] for name in names], axis=0)
