"""Pairs of simulated kernels from series with one kernel each.

A reconstruction with another kernel is the slice behind another filter. So the spectrum of a crop
is multiplied by two random factors, one for the source and one for the target: both show the same
projections, and the same noise. Noise of a lower dose is added before, with the spectrum that
filtered back projection gives it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from short_training import Crops

from many_kernels.conditions import Curve, condition, filter_gain, filtered, pixel_frequencies
from many_kernels.series import KnownSeries
from rgan_train.matching.linear import WINDOW

Floats = NDArray[np.float64]
Images = NDArray[np.float32]

UNCHANGED: Final = 0.3
"""Share of the crops that keep their series' own kernel on one side."""

ENHANCED: Final = 0.3
"""Share of the random kernels that enhance edges."""

MARGIN: Final = 32
"""Pixels at each edge of a crop where the filter sees what is beyond it; they are cut off."""

MEASUREMENT_ERROR: Final = 0.3
"""Standard deviation of the logarithm of a measured transfer at 0.5 cycles per pixel; below, it is
proportional to the frequency. The network is told of kernels as they would be measured."""

NOISY: Final = 0.5
MOST_NOISE_HU: Final = 30.0


def make_crops(source_hu: Images, target_hu: Images, source: Curve, target: Curve) -> Crops:
    """Return a batch: the source clipped to the window and filtered, both without the margin."""
    gain = filter_gain(source, target, pixel_frequencies(source_hu.shape[-2:]))
    clipped = source_hu.clip(WINDOW.lower, WINDOW.upper)
    inside = (..., slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
    return Crops(filtered(clipped, gain)[inside], target_hu[inside], condition(source, target))


@dataclass(frozen=True)
class SimulatedPairs:
    """Draws crops with two random kernels. A batch is a pure function of seed and step.

    Attributes
    ----------
    size
        Edge of a crop in pixels, with its margin.
    """

    series: Sequence[KnownSeries]
    seed: int
    batch_size: int
    size: int

    def draw(self, step: int) -> Crops:
        """Return the batch of a step."""
        rng = np.random.default_rng((self.seed, step))
        chosen = self.series[int(rng.integers(len(self.series)))]
        cycles = pixel_frequencies((self.size, self.size))
        factors = random_factors(chosen.curve.cycles, rng), random_factors(chosen.curve.cycles, rng)
        source, target = (chosen.curve.times(factor) for factor in factors)
        crops = np.stack([self._crop(chosen, cycles, rng) for _ in range(self.batch_size)])
        images = [
            filtered(crops, np.interp(cycles, chosen.curve.cycles, factor)) for factor in factors
        ]
        source, target = (self._measured(curve, rng) for curve in (source, target))
        return make_crops(np.round(images[0]), images[1], source, target)

    def _measured(self, curve: Curve, rng: np.random.Generator) -> Curve:
        """Return a curve with the error of a measurement."""
        slope = 2 * MEASUREMENT_ERROR * rng.standard_normal()
        return curve.times(np.exp(slope * np.minimum(curve.cycles, 0.5)))

    def _crop(self, chosen: KnownSeries, cycles: Floats, rng: np.random.Generator) -> Images:
        """Return a crop ``[1, H, W]`` of the series, half of them with more noise."""
        count, rows, columns = chosen.hu.shape
        top, left = (int(rng.integers(edge - self.size + 1)) for edge in (rows, columns))
        hu = chosen.hu[int(rng.integers(count)), top : top + self.size, left : left + self.size]
        hu = hu[:: 1 - 2 * int(rng.integers(2)), :: 1 - 2 * int(rng.integers(2))]
        if rng.random() < NOISY:
            level = MOST_NOISE_HU * rng.random() ** 2
            noise = make_noise(hu.shape, chosen.curve, cycles, level, rng)
            return (hu + noise)[np.newaxis].astype(np.float32)
        return hu[np.newaxis].astype(np.float32)


def random_factors(cycles: Floats, rng: np.random.Generator) -> Floats:
    """Return by what a random kernel differs from that of a series, by frequency.

    It is softer, ``exp(-ln 2 (f / f0)^p)``, or the same; and enhances edges or not, with a factor
    that is highest at some frequency below 0.3 cycles per pixel.
    """
    factor = np.ones_like(cycles)
    if rng.random() >= UNCHANGED:
        half, power = np.exp(rng.uniform(np.log(0.08), np.log(0.6))), rng.uniform(1.2, 4)
        factor = np.exp(-np.log(2) * np.minimum((cycles / half) ** power, 50))
    if rng.random() < ENHANCED:
        place, width = rng.uniform(0.08, 0.3), rng.uniform(0.05, 0.15)
        rise = rng.uniform(0.1, 0.7)
        factor = factor * (1 + rise * np.exp(-(((cycles - place) / width) ** 2)))
    return np.asarray(factor / factor[0])


def make_noise(
    shape: tuple[int, ...],
    curve: Curve,
    cycles: Floats,
    level_hu: float,
    rng: np.random.Generator,
) -> Floats:
    """Return noise of filtered back projection behind a kernel: power of ramp times transfer^2."""
    spectrum = np.fft.rfft2(rng.standard_normal(shape)) * np.sqrt(cycles) * curve.at(cycles)
    noise = np.fft.irfft2(spectrum, s=shape)
    return np.asarray(noise * (level_hu / noise.std()))
