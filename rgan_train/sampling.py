"""Reading paired slices within bounded memory, and drawing batches of crops.

What is drawn is a pure function of seed, epoch, step and rank, so a resumed run needs
no state of a random number generator to go on exactly.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import ConfigurationError, TrainingError
from rgan_train.augmentation import KernelJitter
from rgan_train.config import TrainingConfig
from rgan_train.data import PairedSlice

_ORDER, _CROP = 0, 1  # purposes of random numbers: the streams must not be the same


class PairedSample(NamedTuple):
    """The same place with two kernels; float32 HU of one shape."""

    source_hu: NDArray[np.float32]
    target_hu: NDArray[np.float32]


class SliceReader:
    """Reads slices, and keeps the most recently used ones in memory.

    Parameters
    ----------
    cache_mb
        How much to keep, in MB.

    Attributes
    ----------
    cached_bytes
        How much is kept now.
    """

    def __init__(self, cache_mb: int) -> None:
        self._limit = cache_mb * 1_000_000
        self.cached_bytes = 0
        self._cache: OrderedDict[Path, NDArray[np.float32]] = OrderedDict()

    def read(self, item: PairedSlice) -> PairedSample:
        """Return both images of a slice, ``[H, W]``."""
        return PairedSample(self._read(item.source, item), self._read(item.target, item))

    def _read(self, path: Path, item: PairedSlice) -> NDArray[np.float32]:
        if path in self._cache:
            self._cache.move_to_end(path)
            return self._cache[path]
        hu = _read_hu(path, (item.rows, item.columns))
        self._cache[path] = hu
        self.cached_bytes += hu.nbytes
        while self.cached_bytes > self._limit:
            self.cached_bytes -= self._cache.popitem(last=False)[1].nbytes
        return hu


class WholeSlices(Sequence[PairedSample]):
    """Whole slices as a sequence; each is read when it is asked for."""

    def __init__(self, slices: Sequence[PairedSlice], reader: SliceReader) -> None:
        self._slices, self._reader = slices, reader

    def __len__(self) -> int:
        return len(self._slices)

    @overload
    def __getitem__(self, index: int) -> PairedSample: ...

    @overload
    def __getitem__(self, index: slice) -> WholeSlices: ...

    def __getitem__(self, index: int | slice) -> PairedSample | WholeSlices:
        if isinstance(index, slice):
            return WholeSlices(self._slices[index], self._reader)
        return self._reader.read(self._slices[index])


@dataclass(frozen=True)
class Sampler:
    """Draws training batches.

    Attributes
    ----------
    multiple
        What the network needs height and width to be a multiple of.
    height, width
        Of a crop.
    world
        Number of processes; each draws its own slices.
    jitter
        Augmentation of the source's crops.
    """

    slices: tuple[PairedSlice, ...]
    reader: SliceReader
    config: TrainingConfig
    multiple: int
    height: int
    width: int
    world: int = 1
    jitter: KernelJitter | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Steps of all processes together that make an epoch."""
        batch = self.config.batch_size * self.world
        return self.config.steps_per_epoch or -(-len(self.slices) // batch)

    def draw(self, epoch: int, step: int, rank: int) -> PairedSample:
        """Return the batch ``[N, 1, height, width]`` of one process at one step.

        Within an epoch the slices come in random order, each as often as the others.
        """
        rng = np.random.default_rng((_CROP, self.config.seed, epoch, step, rank))
        first = (step * self.world + rank) * self.config.batch_size
        crops = [
            self._crop(self._slice_at(epoch, first + index), rng)
            for index in range(self.config.batch_size)
        ]
        return PairedSample(*(np.stack(images)[:, None] for images in zip(*crops, strict=True)))

    def subsets(self, epoch: int, count: int, rank: int) -> Iterator[PairedSample]:
        """Yield random batches beside those that an epoch trains on, not augmented."""
        plain = replace(self, jitter=None)
        for index in range(count):
            yield plain.draw(epoch, self.steps_per_epoch + index, rank)

    def batches(self, epoch: int, first_step: int, rank: int) -> Iterator[PairedSample]:
        """Yield the batches of the rest of an epoch; the next one is read meanwhile."""
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as pool:
            pending = pool.submit(self.draw, epoch, first_step, rank)
            for step in range(first_step, self.steps_per_epoch):
                batch = pending.result()
                if step + 1 < self.steps_per_epoch:
                    pending = pool.submit(self.draw, epoch, step + 1, rank)
                yield batch

    def _slice_at(self, epoch: int, number: int) -> PairedSlice:
        cycle, index = divmod(number, len(self.slices))
        rng = np.random.default_rng((_ORDER, self.config.seed, epoch, cycle))
        return self.slices[int(rng.permutation(len(self.slices))[index])]

    def _crop(self, item: PairedSlice, rng: np.random.Generator) -> PairedSample:
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


class Waiting:
    """Passes batches on, and adds up how long they were waited for.

    Attributes
    ----------
    seconds
        So far.
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
    slices: tuple[PairedSlice, ...],
    reader: SliceReader,
    config: TrainingConfig,
    multiple: int,
    world: int = 1,
    jitter: KernelJitter | None = None,
) -> Sampler:
    """Make a sampler of ``config.crop`` squares, or of slices as whole as they can be.

    Parameters
    ----------
    multiple
        What the network needs height and width to be a multiple of; up to
        ``multiple - 1`` rows and columns of a whole slice are left out.

    Raises
    ------
    ConfigurationError
        If the crop fits neither the network nor the slices.
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
    return Sampler(slices, reader, config, multiple, height, width, world, jitter)


def _read_hu(path: Path, shape: tuple[int, int]) -> NDArray[np.float32]:
    from rgan_sdk.dicom.read.pydicom_reader import read_slice

    # What a teacher made of a slice is kept as an array (rgan_train.distillation).
    hu = np.load(path, allow_pickle=False) if path.suffix == ".npy" else read_slice(path).hu
    if hu.shape != shape:
        raise TrainingError(f"{path}: {hu.shape} pixels, expected {shape}; did the file change?")
    if not np.isfinite(hu).all():
        raise TrainingError(f"{path}: holds NaN or infinite values; remove its pair from the list")
    return hu
