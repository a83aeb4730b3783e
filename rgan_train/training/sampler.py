"""Draw batches of crops.

All crops of a batch have one pixel spacing; those of a spacing-aware network are resampled to it
from that of their slice. A batch is a pure function of seed, epoch, step and rank. So a resumed run
continues exactly, and needs no state of a random number generator.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import ConfigurationError
from rgan_train.config import Config, DomainConfig, TrainingConfig
from rgan_train.pairs.dataset import PairedFiles
from rgan_train.pairs.noise import PairNoise, add_noise
from rgan_train.pairs.resampling import resampled_shape
from rgan_train.pairs.samples import SAME_SPACING, Batch, PairedSample, SliceReader
from rgan_train.simulation.augmentation import KernelJitter
from rgan_train.training.unpaired import RealSampler

NOISY: Final = 0.5
"""Share of the crops that noise is added to."""

FULL_LOW_PASS: Final = 0.8
"""Share of the resampled batches in which nothing is folded; the others have less of a low-pass."""

NOISE_MARGIN: Final = 16
"""Pixels around a crop for which noise is made too, because resampling continues its edges."""

READERS: Final = 2
"""Threads that read the next batches."""

AHEAD: Final = 2 * READERS
"""Batches that are read or wait to be trained on."""

_ORDER, _CROP = 0, 1  # purposes of random numbers, so that their streams differ


@dataclass(frozen=True)
class Sampler:
    """Draws training batches.

    Attributes
    ----------
    height, width
        Size of a crop.
    world_size
        Number of processes; each draws its own slices.
    jitter
        Augmentation of the source's crops; None: off.
    noise
        Noise that is added to the crops of both images; None: none is.
    real
        Draws crops of real slices beside the pairs; None: there are none.
    """

    slices: tuple[PairedFiles, ...]
    reader: SliceReader
    config: TrainingConfig
    height: int
    width: int
    world_size: int = 1
    jitter: KernelJitter | None = None
    domain: DomainConfig = field(default_factory=DomainConfig)
    noise: PairNoise | None = None
    real: RealSampler | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Steps per epoch; in each of them all processes train on one batch."""
        batch = self.config.batch_size * self.world_size
        return self.config.steps_per_epoch or -(-len(self.slices) // batch)

    def draw(self, epoch: int, step: int, rank: int) -> Batch:
        """Return the batch ``[N, 1, height, width]`` of one process at one step.

        The slices of an epoch come in random order, and each of them equally often. But where
        slices have several pixel spacings, those that the spacing of the batch is too far from
        are replaced by others.
        """
        rng = np.random.default_rng((_CROP, self.config.seed, epoch, step, rank))
        first = (step * self.world_size + rank) * self.config.batch_size
        items = [self._slice_at(epoch, first + index) for index in range(self.config.batch_size)]
        spacing, low_pass = self._draw_spacing(items[0], rng)
        if self.domain.spacing_aware:
            items = self._fitting(items, spacing, rng)
        crops = [self._crop(item, spacing, low_pass, rng) for item in items]
        images = (np.stack(images)[:, None] for images in zip(*crops, strict=True))
        real = self.real.draw(spacing, epoch, step, rank) if self.real else None
        return Batch(PairedSample(*images), spacing, real)

    def subsets(self, epoch: int, count: int, rank: int) -> Iterator[Batch]:
        """Yield random batches that the epoch does not train on, without augmentation."""
        native = replace(self.domain, native_share=1.0)
        plain = replace(self, jitter=None, noise=None, domain=native)
        for index in range(count):
            yield plain.draw(epoch, self.steps_per_epoch + index, rank)

    def batches(self, epoch: int, first_step: int, rank: int) -> Iterator[Batch]:
        """Yield the remaining batches of an epoch; the next ones are read in the background.

        A batch needs nothing of another one, so the number of threads changes none of them.
        """
        steps = iter(range(first_step, self.steps_per_epoch))
        with ThreadPoolExecutor(READERS, thread_name_prefix="batches") as pool:
            pending = deque(
                pool.submit(self.draw, epoch, step, rank) for step in islice(steps, AHEAD)
            )
            try:
                while pending:
                    batch = pending.popleft().result()
                    pending.extend(
                        pool.submit(self.draw, epoch, step, rank) for step in islice(steps, 1)
                    )
                    yield batch
            finally:
                for waiting in pending:
                    waiting.cancel()

    def _slice_at(self, epoch: int, number: int) -> PairedFiles:
        """Return slice ``number`` in the order of an epoch, which may repeat all slices."""
        cycle, index = divmod(number, len(self.slices))
        order = _order(self.config.seed, epoch, cycle, len(self.slices))
        return self.slices[int(order[index])]

    def _draw_spacing(self, item: PairedFiles, rng: np.random.Generator) -> tuple[float, float]:
        """Return the pixel spacing of a batch in mm, and how much of a low-pass it gets."""
        domain = self.domain
        if not domain.spacing_aware or rng.random() < domain.native_share:
            return item.spacing, 1.0
        factor = math.exp(rng.uniform(math.log(domain.finest), math.log(domain.coarsest)))
        low_pass = 1.0 if rng.random() < FULL_LOW_PASS else float(rng.random())
        return item.spacing * factor, low_pass

    def _fitting(
        self, items: list[PairedFiles], spacing: float, rng: np.random.Generator
    ) -> list[PairedFiles]:
        """Return the slices of a batch, all of which may be resampled to a spacing in mm.

        If the first one is not resampled, none is.
        """
        first, limits = items[0], (self.domain.finest, self.domain.coarsest)
        lowest, highest = (
            (1 - SAME_SPACING, 1 + SAME_SPACING) if first.spacing == spacing else limits
        )

        def fits(item: PairedFiles) -> bool:
            return item is first or lowest <= spacing / item.spacing <= highest

        if all(map(fits, items)):
            return items
        factors = spacing / self._spacings
        fitting = np.flatnonzero((lowest <= factors) & (factors <= highest))
        return [
            item if fits(item) else self.slices[int(fitting[rng.integers(len(fitting))])]
            for item in items
        ]

    @cached_property
    def _spacings(self) -> NDArray[np.float64]:
        """Pixel spacing of each slice in mm."""
        return np.array([item.spacing for item in self.slices])

    def _crop(
        self, item: PairedFiles, spacing: float, low_pass: float, rng: np.random.Generator
    ) -> PairedSample:
        """Return a random crop of both images of a slice, ``[height, width]``.

        It is on pixels of ``spacing`` mm, if the network knows the spacing.
        """
        factor = spacing / item.spacing if self.domain.spacing_aware else 1.0
        rows, columns = resampled_shape((item.rows, item.columns), factor)
        top = int(rng.integers(rows - self.height + 1))
        left = int(rng.integers(columns - self.width + 1))
        flip_rows, flip_columns = rng.integers(2, size=2) * int(self.config.flips)
        region = (
            slice(top, top + self.height),
            slice(left, left + self.width),
        )
        sample = self.reader.read(item).resample(factor, low_pass, region)
        if self.noise and rng.random() < NOISY:
            noise = self._draw_noise(self.noise, item.spacing, factor, low_pass, rng)
            sample = add_noise(sample, noise, self.domain.added_noise * rng.random() ** 2)
        crops = list(sample)
        if self.jitter:
            crops[0] = self.jitter(crops[0], (factor * item.spacing,) * 2, rng)
        if flip_rows:
            crops = [image[::-1] for image in crops]
        if flip_columns:
            crops = [image[:, ::-1] for image in crops]
        return PairedSample(*crops)

    def _draw_noise(
        self,
        noise: PairNoise,
        spacing: float,
        factor: float,
        low_pass: float,
        rng: np.random.Generator,
    ) -> PairedSample:
        """Return noise for a crop that was resampled as the crop was: ``[height, width]``."""
        size = (self.height, self.width)
        edges = tuple(math.ceil((edge + 2 * NOISE_MARGIN) * factor) for edge in size)
        starts = (
            (new - edge) // 2
            for new, edge in zip(resampled_shape(edges, factor), size, strict=True)
        )
        rows, columns = (
            slice(start, start + edge) for start, edge in zip(starts, size, strict=True)
        )
        drawn = noise.draw(edges, spacing, rng)
        return drawn.resample(factor, low_pass, (rows, columns))


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, cycle: int, count: int) -> NDArray[np.int64]:
    """Return the order of the slices in a part of an epoch that takes each of them once."""
    return np.random.default_rng((_ORDER, seed, epoch, cycle)).permutation(count)


class TimedBatches:
    """Iterates over batches, and adds up the time spent waiting for them.

    Attributes
    ----------
    seconds
        Waiting time so far.
    """

    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches = batches
        self.seconds = 0.0

    def __iter__(self) -> Iterator[Batch]:
        while True:
            asked = time.monotonic()
            batch = next(self._batches, None)
            self.seconds += time.monotonic() - asked
            if batch is None:
                return
            yield batch


def make_sampler(
    slices: tuple[PairedFiles, ...],
    reader: SliceReader,
    config: Config,
    multiple: int,
    world_size: int = 1,
    jitter: KernelJitter | None = None,
    noise: PairNoise | None = None,
) -> Sampler:
    """Return a sampler for square crops of ``training.crop`` pixels, or for whole slices.

    Parameters
    ----------
    multiple
        Height and width of a crop must be multiples of this number. Up to ``multiple - 1``
        rows and columns of a whole slice are left out.

    Raises
    ------
    ConfigurationError
        If the crop does not fit the network or the slices.
    """
    crop, domain = config.training.crop, config.domain
    factor = domain.coarsest if domain.spacing_aware else 1.0
    shapes = [resampled_shape((item.rows, item.columns), factor) for item in slices]
    rows, columns = (min(edges) for edges in zip(*shapes, strict=True))
    if crop % multiple or crop > min(rows, columns):
        raise ConfigurationError(
            f"training.crop = {crop}: must be a multiple of {multiple} and at most "
            f"{min(rows, columns)}, the smallest edge of the slices on the coarsest pixels; 0 "
            "takes whole slices"
        )
    height = crop or rows // multiple * multiple
    width = crop or columns // multiple * multiple
    return Sampler(
        slices,
        reader,
        config.training,
        height,
        width,
        world_size,
        jitter,
        domain,
        noise,
    )
