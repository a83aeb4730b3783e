"""Where a model gains how much on validation slices: other pixel spacings, more noise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rgan_sdk.card import SpacingRange, ValidityMap
from rgan_sdk.errors import TrainingError
from rgan_sdk.hu import HUWindow
from rgan_sdk.slices import spread_indices
from rgan_train.config import DataConfig, DomainConfig, LinearConfig
from rgan_train.evaluation.metrics.image_quality import psnr
from rgan_train.methods.linear import LinearFilter
from rgan_train.networks.graph import HarmonizationGraph, harmonize_slice
from rgan_train.pairs import Dataset, PairedSample, SliceReader, WholeSlices, reference_spacing
from rgan_train.pairs.noise import PairNoise, add_noise
from rgan_train.pairs.resampling import resampled_shape

FACTORS: Final = (0.8, 0.9, 1.0, 1.1, 1.25, 1.4)
"""Pixel spacings of the map, as factors of the reference."""

ADDED_NOISE: Final = (0.0, 5.0, 10.0, 20.0, 30.0)
"""Standard deviations in HU of the noise that is added to the source."""

LEAST_GAIN: Final = 0.1
"""In dB."""

SLICES: Final = 3
EDGE: Final = 256
"""Rows and columns in the middle of a slice that are measured, at most."""

MOST_DECIBELS: Final = 120.0
"""Stands for infinity, where a model hits the target exactly."""

TRAINING_SLICES: Final = 16
"""Slices in which noise is measured, and to which the linear filter is fitted, at most."""


def measure_validity(
    graph: HarmonizationGraph, dataset: Dataset, reader: SliceReader, data: DataConfig
) -> ValidityMap:
    """Measure what a model gains over the source, and over a linear filter of the same pairs.

    The slices are resampled to the pixel spacings of ``FACTORS``, then noise is added like that
    of training slices on the same pixels. None is added if these show no even soft tissue to
    measure its spectrum in. Slices that are too small for a linear filter are compared with the
    source only.

    Returns
    -------
    ValidityMap
        Mean gains in PSNR over ``SLICES`` validation slices.

    Raises
    ------
    TrainingError
        If no validation slice shows a difference between the kernels.
    """
    reference = reference_spacing(dataset.train)
    train = list(WholeSlices(dataset.train, reader, reference).spread(TRAINING_SLICES))
    spacings = tuple(round(reference * factor, 4) for factor in FACTORS)
    noise = {one: _measure_noise(train, one / reference, one) for one in spacings}
    linear = _fit_linear(train, graph.window, reference)
    validation = WholeSlices(dataset.validation, reader)
    comparison = _Comparison(
        [
            (validation[index], validation.spacing(index))
            for index in spread_indices(len(validation), SLICES)
        ],
        noise,
        data.hu_range,
        (graph, linear) if linear else (graph,),
    )
    levels = ADDED_NOISE if all(noise.values()) else ADDED_NOISE[:1]
    tables = np.array([[comparison.gains(one, level) for level in levels] for one in spacings])
    over = [tuple(map(tuple, tables[..., index].round(2).tolist())) for index in range(2)]
    return ValidityMap(
        data=data.validation_name,
        pixel_spacing=spacings,
        added_noise=levels,
        over_input=over[0],
        over_linear=over[1] if linear else (),
    )


def noise_without_loss(validity: ValidityMap, limits: SpacingRange) -> float:
    """Return how much noise in HU may be added before a model loses inside its pixel spacings.

    Few slices do not tell a gain below ``LEAST_GAIN`` from a loss.
    """
    lost = [
        level
        for table in (validity.over_input, validity.over_linear)
        for gain, _, level in _gains_inside(validity, table, limits)
        if gain < LEAST_GAIN
    ]
    kept = (level for level in validity.added_noise if level < min(lost, default=math.inf))
    return max(kept, default=0.0)


def describe_losses(validity: ValidityMap, limits: SpacingRange) -> str:
    """Return a warning if a model loses somewhere inside its pixel spacings; else nothing."""
    lost = []
    for what, table in (("source", validity.over_input), ("linear filter", validity.over_linear)):
        least, spacing, level = min(_gains_inside(validity, table, limits), default=(0.0, 0.0, 0.0))
        if round(least, 1) < 0:
            where = f"at {spacing:g} mm and {level:g} HU of added noise"
            lost.append(f"than the {what}, by up to {-least:.1f} dB ({where})")
    if not lost:
        return ""
    return (
        f"on {validity.data} the model is worse {' and '.join(lost)}; the card claims no more "
        "noise than goes without a loss. See its validity map with `rgan-harmonize inspect --map`, "
        "and train longer or for a smaller range ([domain])"
    )


def _gains_inside(
    validity: ValidityMap, table: Sequence[Sequence[float]], limits: SpacingRange
) -> Iterator[tuple[float, float, float]]:
    """Yield each gain inside the pixel spacings of a card, with its spacing and added noise."""
    for spacing, row in zip(validity.pixel_spacing, table, strict=bool(table)):
        if limits.min <= spacing <= limits.max:
            for level, gain in zip(validity.added_noise, row, strict=True):
                yield gain, spacing, level


@dataclass(frozen=True)
class _Comparison:
    """Slices with their pixel spacings in mm, and what harmonizes them: the model first."""

    samples: Sequence[tuple[PairedSample, float]]
    noise: Mapping[float, PairNoise | None]
    window: HUWindow
    graphs: Sequence[HarmonizationGraph]

    def gains(self, pixel_spacing: float, level: float) -> tuple[float, float]:
        """Return the model's gain in dB over the source, and over the last graph.

        Slices whose two images are the same where they are measured tell nothing.
        """
        figures = []
        for number, (sample, native) in enumerate(self.samples):
            factor = pixel_spacing / native
            seen = sample.resample(factor, region=_middle(sample.source_hu.shape, factor))
            if np.array_equal(*seen):
                continue
            if (noise := self.noise[pixel_spacing]) and level:
                rng = np.random.default_rng(number)
                drawn = noise.draw(seen.source_hu.shape, pixel_spacing, rng)
                seen = add_noise(seen, drawn, level)
            source = np.ascontiguousarray(seen.source_hu)
            images = (source, *(harmonize_slice(g, source, pixel_spacing) for g in self.graphs))
            compared = seen.target_hu, self.window, seen.padding
            figures.append([psnr(image, *compared) for image in images])
        if not figures:
            raise TrainingError(
                "source and target do not differ in the middle of the validation slices, so there "
                "is nothing to measure a model on; choose others with data.validation_slices"
            )
        before, after, *others = np.mean(figures, axis=0).clip(max=MOST_DECIBELS)
        return float(after - before), float(after - (others[-1] if others else after))


def _measure_noise(
    train: Sequence[PairedSample], factor: float, pixel_spacing: float
) -> PairNoise | None:
    return PairNoise.measure((sample.resample(factor) for sample in train), pixel_spacing)


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
