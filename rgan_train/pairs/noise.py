"""Noise of a lower dose, as the two kernels of a pair show it.

Both images of a pair come from the same projections, so their noise is the same noise behind two
filters. Its power spectra are measured in even soft tissue of the training slices. Noise is then
made from one white field with both spectra, so that source and target agree in it as two real
reconstructions do. See ``docs/simulation.md``.
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
    fields
        ``[2, E, E]`` float32: noise of the source and of the target, periodic; the standard
        deviation of the source's is 1.
    """

    fields: NDArray[np.float32]

    @classmethod
    def measure(cls, samples: Iterable[PairedSample], seed: int = 0) -> PairNoise | None:
        """Measure the spectra of both kernels; None if there is too little even soft tissue.

        Parameters
        ----------
        samples
            Whole slices in HU.
        """
        edge, found = 0, []
        for sample in samples:
            edge = max(edge, *sample.source_hu.shape)
            found += list(_soft_blocks(sample))
        if len(found) * EVENEST < FEWEST_BLOCKS:
            return None
        found.sort(key=lambda item: item[0])
        chosen = np.stack([blocks for _, blocks in found[: int(len(found) * EVENEST)]])
        return cls(_make_fields(_radial_power(chosen), 2 * edge, seed))

    def add(self, sample: PairedSample, level: float, rng: np.random.Generator) -> PairedSample:
        """Return both images of a slice with the same noise added.

        Padding stays as it is, and noise makes no air so dark that it would count as padding.

        Parameters
        ----------
        sample
            ``[H, W]``, at most half as large as ``fields``.
        level
            Standard deviation of the noise of the source in HU.
        """
        rows, columns = sample.source_hu.shape
        top, left = (int(rng.integers(self.fields.shape[1] - size + 1)) for size in (rows, columns))
        cut = self.fields[:, top : top + rows, left : left + columns]
        padding, noisy = sample.padding, []
        for hu, noise in zip(sample, cut, strict=True):
            noisy.append(np.maximum(hu + np.float32(level) * noise, np.float32(LOWEST_HU)))
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
    """Return the noise power of both images by frequency, ``[2, BLOCK // 2 + 1]``.

    The frequencies are multiples of ``1 / BLOCK`` per pixel. At 0 there is no power: what a block
    has there is anatomy.
    """
    taper = np.hanning(BLOCK + 1)[:-1]
    even = blocks - blocks.mean((2, 3), keepdims=True)
    power = np.square(np.abs(np.fft.fft2(even * np.outer(taper, taper)))).mean(0)
    frequency = np.fft.fftfreq(BLOCK) * BLOCK
    bins = np.hypot(frequency[:, None], frequency).round().astype(int).ravel()
    count = BLOCK // 2 + 1
    sums = np.stack([np.bincount(bins, one.ravel())[:count] for one in power])
    mean: Array = sums / np.bincount(bins)[:count]
    mean[:, 0] = 0
    return mean


def _make_fields(power: Array, edge: int, seed: int) -> NDArray[np.float32]:
    """Return noise with both spectra from one white field; see ``PairNoise.fields``."""
    white = np.fft.rfft2(np.random.default_rng(seed).standard_normal((edge, edge)))
    frequency = np.hypot(np.fft.fftfreq(edge)[:, None], np.fft.rfftfreq(edge)) * BLOCK
    known = np.arange(power.shape[1])
    fields = np.stack(
        [
            np.fft.irfft2(white * np.sqrt(np.interp(frequency, known, one)), (edge, edge))
            for one in power
        ]
    )
    scaled: NDArray[np.float32] = (fields / fields[0].std()).astype(np.float32)
    return scaled
