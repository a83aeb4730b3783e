"""Draw batches of crops.

A batch is a pure function of seed, epoch, step and rank. So a resumed run continues exactly,
and needs no state of a random number generator.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from rgan_sdk.errors import ConfigurationError
from rgan_train.config import TrainingConfig
from rgan_train.pairs.dataset import PairedFiles
from rgan_train.pairs.samples import PairedSample, SliceReader
from rgan_train.simulation.augmentation import KernelJitter

_ORDER, _CROP = 0, 1  # purposes of random numbers, so that their streams differ


@dataclass(frozen=True)
class Sampler:
    """Draws training batches.

    Attributes
    ----------
    multiple
        Height and width of a crop are multiples of this number.
    height, width
        Size of a crop.
    world_size
        Number of processes; each draws its own slices.
    jitter
        Augmentation of the source's crops; None: off.
    """

    slices: tuple[PairedFiles, ...]
    reader: SliceReader
    config: TrainingConfig
    multiple: int
    height: int
    width: int
    world_size: int = 1
    jitter: KernelJitter | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Steps per epoch; in each of them all processes train on one batch."""
        batch = self.config.batch_size * self.world_size
        return self.config.steps_per_epoch or -(-len(self.slices) // batch)

    def draw(self, epoch: int, step: int, rank: int) -> PairedSample:
        """Return the batch ``[N, 1, height, width]`` of one process at one step, in HU.

        The slices of an epoch come in random order, and each of them equally often.
        """
        rng = np.random.default_rng((_CROP, self.config.seed, epoch, step, rank))
        first = (step * self.world_size + rank) * self.config.batch_size
        crops = [
            self._crop(self._slice_at(epoch, first + index), rng)
            for index in range(self.config.batch_size)
        ]
        return PairedSample(*(np.stack(images)[:, None] for images in zip(*crops, strict=True)))

    def subsets(self, epoch: int, count: int, rank: int) -> Iterator[PairedSample]:
        """Yield random batches that the epoch does not train on, without augmentation."""
        plain = replace(self, jitter=None)
        for index in range(count):
            yield plain.draw(epoch, self.steps_per_epoch + index, rank)

    def batches(self, epoch: int, first_step: int, rank: int) -> Iterator[PairedSample]:
        """Yield the remaining batches of an epoch; the next one is read in the background."""
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as pool:
            pending = pool.submit(self.draw, epoch, first_step, rank)
            for step in range(first_step, self.steps_per_epoch):
                batch = pending.result()
                if step + 1 < self.steps_per_epoch:
                    pending = pool.submit(self.draw, epoch, step + 1, rank)
                yield batch

    def _slice_at(self, epoch: int, number: int) -> PairedFiles:
        """Return slice ``number`` in the order of an epoch, which may repeat all slices."""
        cycle, index = divmod(number, len(self.slices))
        rng = np.random.default_rng((_ORDER, self.config.seed, epoch, cycle))
        return self.slices[int(rng.permutation(len(self.slices))[index])]

    def _crop(self, item: PairedFiles, rng: np.random.Generator) -> PairedSample:
        """Return a random crop of both images of a slice, ``[height, width]``."""
        top = int(rng.integers(item.rows - self.height + 1))
        left = int(rng.integers(item.columns - self.width + 1))
        flip_rows, flip_columns = rng.integers(2, size=2) * int(self.config.flips)
        region = (
            slice(top, top + self.height),
            slice(left, left + self.width),
        )
        crops = [image[region] for image in self.reader.read(item)]
        if self.jitter:
            crops[0] = self.jitter(crops[0], item.pixel_spacing, rng)
        if flip_rows:
            crops = [image[::-1] for image in crops]
        if flip_columns:
            crops = [image[:, ::-1] for image in crops]
        return PairedSample(*crops)


class TimedBatches:
    """Iterates over batches, and adds up the time spent waiting for them.

    Attributes
    ----------
    seconds
        Waiting time so far.
    """

    def __init__(self, batches: Iterator[PairedSample]) -> None:
        self._batches = batches
        self.seconds = 0.0

    def __iter__(self) -> Iterator[PairedSample]:
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
    config: TrainingConfig,
    multiple: int,
    world_size: int = 1,
    jitter: KernelJitter | None = None,
) -> Sampler:
    """Return a sampler for square crops of ``config.crop`` pixels, or for whole slices.

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
    rows = min(item.rows for item in slices)
    columns = min(item.columns for item in slices)
    if config.crop % multiple or config.crop > min(rows, columns):
        raise ConfigurationError(
            f"training.crop = {config.crop}: must be a multiple of {multiple} and at most "
            f"{min(rows, columns)}, the smallest edge of the slices; 0 takes whole slices"
        )
    height = config.crop or rows // multiple * multiple
    width = config.crop or columns // multiple * multiple
    return Sampler(slices, reader, config, multiple, height, width, world_size, jitter)
