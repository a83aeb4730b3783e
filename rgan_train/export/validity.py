"""Where a model gains how much on validation slices: other pixel spacings, more noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rgan_sdk.card import ValidityMap
from rgan_sdk.errors import TrainingError
from rgan_sdk.hu import HUWindow
from rgan_train.config import DataConfig, DomainConfig, LinearConfig
from rgan_train.evaluation.metrics.image_quality import psnr
from rgan_train.methods.linear import LinearFilter
from rgan_train.networks.graph import HarmonizationGraph, harmonize_slice
from rgan_train.pairs import Dataset, PairedSample, SliceReader, WholeSlices, reference_spacing
from rgan_train.pairs.noise import PairNoise
from rgan_train.pairs.resampling import resampled_shape

FACTORS: Final = (0.8, 0.9, 1.0, 1.1, 1.25, 1.4)
"""Pixel spacings of the map, as factors of the reference."""

ADDED_NOISE: Final = (0.0, 10.0, 20.0, 30.0)
"""Standard deviations in HU of the noise that is added to the source."""

SLICES: Final = 3
EDGE: Final = 256
"""Rows and columns in the middle of a slice that are measured, at most."""

TRAINING_SLICES: Final = 16
"""Slices in which noise is measured, and to which the linear filter is fitted, at most."""


def measure_validity(
    graph: HarmonizationGraph, dataset: Dataset, reader: SliceReader, data: DataConfig
) -> ValidityMap:
    """Measure what a model gains over the source, and over a linear filter of the same pairs.

    The slices are resampled to the pixel spacings of ``FACTORS``, after noise was added. None is
    added if the training slices show no even soft tissue to measure its spectrum in. Slices that
    are too small for a linear filter are compared with the source only.

    Returns
    -------
    ValidityMap
        Mean gains in PSNR over ``SLICES`` validation slices.
    """
    reference = reference_spacing(dataset.train)
    train = list(WholeSlices(dataset.train, reader, reference).spread(TRAINING_SLICES))
    noise = PairNoise.measure(train)
    linear = _fit_linear(train, graph.window, reference)
    comparison = _Comparison(
        list(WholeSlices(dataset.validation, reader, reference).spread(SLICES)),
        noise,
        reference,
        data.hu_range,
        (graph, linear) if linear else (graph,),
    )
    spacings = tuple(round(reference * factor, 4) for factor in FACTORS)
    levels = ADDED_NOISE if noise else ADDED_NOISE[:1]
    tables = np.array([[comparison.gains(one, level) for level in levels] for one in spacings])
    over = [tuple(map(tuple, tables[..., index].round(2).tolist())) for index in range(2)]
    return ValidityMap(
        data=data.validation_name,
        pixel_spacing=spacings,
        added_noise=levels,
        over_input=over[0],
        over_linear=over[1] if linear else (),
    )


@dataclass(frozen=True)
class _Comparison:
    """Slices at the reference spacing, and what they are harmonized with: the model first."""

    samples: Sequence[PairedSample]
    noise: PairNoise | None
    reference: float
    window: HUWindow
    graphs: Sequence[HarmonizationGraph]

    def gains(self, pixel_spacing: float, level: float) -> tuple[float, float]:
        """Return the model's gain in dB over the source, and over the last graph."""
        figures = []
        for number, sample in enumerate(self.samples):
            if self.noise and level:
                sample = self.noise.add(sample, level, np.random.default_rng(number))
            factor = pixel_spacing / self.reference
            resampled = sample.resample(factor, region=_middle(sample.source_hu.shape, factor))
            source = np.ascontiguousarray(resampled.source_hu)
            images = (source, *(harmonize_slice(g, source, pixel_spacing) for g in self.graphs))
            target, padding = resampled.target_hu, resampled.padding
            figures.append([psnr(image, target, self.window, padding) for image in images])
        before, after, *others = np.mean(figures, axis=0)
        return float(after - before), float(after - (others[-1] if others else after))


def _fit_linear(
    train: Sequence[PairedSample], window: HUWindow, reference: float
) -> HarmonizationGraph | None:
    """Return the linear filter of the training slices; None if they are too small for one."""
    network = LinearFilter(LinearConfig(), DomainConfig(spacing_aware=True))
    try:
        network.prepare(train, window, reference)
    except TrainingError:
        return None
    return HarmonizationGraph(network, window)


def _middle(shape: tuple[int, ...], factor: float) -> tuple[slice, slice]:
    """Return the rows and columns in the middle of a resampled slice that are measured."""
    sizes = resampled_shape(shape, factor)
    edges = [min(size, EDGE) for size in sizes]
    first, second = (
        slice((size - edge) // 2, (size - edge) // 2 + edge)
        for size, edge in zip(sizes, edges, strict=True)
    )
    return first, second
