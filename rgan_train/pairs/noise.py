"""Noise of a lower dose, as the two kernels of a pair show it.

Both images of a pair come from the same projections, so their noise is the same noise behind two
filters. Its power spectra are measured in even soft tissue of the training slices. Noise is then
made from white fields with both spectra, for any pixel spacing, so that source and target agree in
it as two real reconstructions do. See ``docs/simulation.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.read.padding import LOWEST_HU, PADDING_HU
from rgan_train.pairs.samples import PairedSample

BLOCK: Final = 32
"""Edge length in pixels of the blocks whose spectra are averaged."""

SOFT_TISSUE_HU: Final = (-50.0, 150.0)
"""Means of blocks of soft tissue, also with contrast medium."""

EVENEST: Final = 0.2
"""Share of the blocks of soft tissue that are used: those with the least structure."""

FEWEST_BLOCKS: Final = 16

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PairNoise:
    """Noise for both images of a pair.

    Attributes
    ----------
    power
        ``[2, n]`` noise power of the source and of the target, by spatial frequency. Only its
        shape matters, and the ratio of the two.
    step
        Distance between two frequencies in line pairs per mm; the first one is 0.
    """

    power: Array
    step: float

    @classmethod
    def measure(cls, samples: Iterable[PairedSample], pixel_spacing: float) -> PairNoise | None:
        """Measure the spectra of both kernels; None if there is too little noise to measure.

        Parameters
        ----------
        samples
            Whole slices in HU.
        pixel_spacing
            Of all these slices, in mm.

        Returns
        -------
        PairNoise or None
            None where fewer than 80 blocks are soft tissue, or the source has no noise there.
        """
        found = [blocks for sample in samples for blocks in _soft_blocks(sample)]
        if len(found) * EVENEST < FEWEST_BLOCKS:
            return None
        found.sort(key=lambda item: item[0])
        chosen = np.stack([blocks for _, blocks in found[: int(len(found) * EVENEST)]])
        power = _radial_power(chosen)
        return cls(power, 1 / (BLOCK * pixel_spacing)) if power[0].any() else None

    def draw(
        self, shape: tuple[int, ...], pixel_spacing: float, rng: np.random.Generator
    ) -> PairedSample:
        """Return noise for both images, float32 ``[H, W]``.

        One white field is filtered for both. It has no borders: it goes on at the other side.

        Parameters
        ----------
        pixel_spacing
            In mm. At frequencies that are higher than all measured ones the power is that of the
            highest.
        """
        rows, columns = shape
        white = np.fft.rfft2(rng.standard_normal((rows, columns)))
        frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns))
        place = frequency / (pixel_spacing * self.step)
        known = np.arange(self.power.shape[1])
        gains = (np.sqrt(np.interp(place, known, one)) for one in self.power)
        fields = (np.fft.irfft2(white * gain, (rows, columns)) for gain in gains)
        return PairedSample(*(field.astype(np.float32) for field in fields))


def add_noise(sample: PairedSample, noise: PairedSample, level: float) -> PairedSample:
    """Return both images of a slice with noise added.

    Padding stays as it is, and noise makes no air so dark that it would count as padding.

    Parameters
    ----------
    sample, noise
        A slice or a part of one, and noise as ``PairNoise.draw`` makes it: ``[H, W]``.
    level
        Standard deviation in HU that the source's noise is brought to; the target's follows.
    """
    padding, noisy = sample.padding, []
    scale = np.float32(level / noise.source_hu.std())
    for hu, added in zip(sample, noise, strict=True):
        noisy.append(np.maximum(hu + scale * added, np.float32(LOWEST_HU)))
        noisy[-1][padding] = PADDING_HU
    return PairedSample(*noisy)


def _soft_blocks(sample: PairedSample) -> Iterator[tuple[float, Array]]:
    """Yield how much structure a block of soft tissue has, and both images of it.

    Structure is what remains of the block in the smoother image after averaging over a quarter
    of its edge.
    """
    source, target = sample
    for top in range(0, source.shape[0] - BLOCK + 1, BLOCK // 2):
        for left in range(0, source.shape[1] - BLOCK + 1, BLOCK // 2):
            part = slice(top, top + BLOCK), slice(left, left + BLOCK)
            blocks = np.stack([source[part], target[part]]).astype(np.float64)
            means = blocks.reshape(2, 4, BLOCK // 4, 4, BLOCK // 4).mean((2, 4))
            lowest, highest = SOFT_TISSUE_HU
            if lowest < means.min() and means.max() < highest:
                yield float(means.std((1, 2)).min()), blocks


def _radial_power(blocks: Array) -> Array:
    """Return the noise power of both images by frequency, ``[2, n]``.

    The frequencies are multiples of ``1 / BLOCK`` per pixel, up to that of a checkerboard. At 0
    there is no power: what a block has there is anatomy.
    """
    taper = np.hanning(BLOCK + 1)[:-1]
    even = blocks - blocks.mean((2, 3), keepdims=True)
    power = np.square(np.abs(np.fft.fft2(even * np.outer(taper, taper)))).mean(0)
    frequency = np.fft.fftfreq(BLOCK) * BLOCK
    bins = np.hypot(frequency[:, None], frequency).round().astype(int).ravel()
    sums = np.stack([np.bincount(bins, one.ravel()) for one in power])
    mean: Array = sums / np.bincount(bins)
    mean[:, 0] = 0
    return mean
