"""Read paired slices, within bounded memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.read.padding import PADDING_HU, find_padding
from rgan_sdk.errors import DicomError, TrainingError
from rgan_sdk.slices import spread_indices
from rgan_train.pairs.dataset import PairedFiles
from rgan_train.pairs.resampling import Region, resample

SAME_SPACING = 1e-3
"""Pixel spacings that differ by less than this share are the same."""


class PairedSample(NamedTuple):
    """The images of one slice or one batch with both kernels: float32 HU of the same shape.

    Padding of either image is PADDING_HU in both, so that nothing can be learned from it.
    """

    source_hu: NDArray[np.float32]
    target_hu: NDArray[np.float32]

    @property
    def padding(self) -> NDArray[np.bool_]:
        """Which pixels are padding, in the shape of the images."""
        return find_padding(self.source_hu)

    def resample(
        self, factor: float, low_pass: float = 1.0, region: Region | None = None
    ) -> PairedSample:
        """Return a slice on pixels ``factor`` times as large; see ``resampling.resample``."""
        if abs(factor - 1) < SAME_SPACING:
            factor = 1.0
        return PairedSample(*(resample(hu, factor, low_pass, region) for hu in self))


class RealCrops(NamedTuple):
    """Crops of real slices of different patients: ``[N, 1, H, W]`` HU.

    Attributes
    ----------
    source_hu, expected_hu, target_hu
        Source slices, what the measured transfer makes of them, and target slices.
    coarsest
        Pixel spacing of the coarsest slice that one of them was taken from, mm.
    """

    source_hu: NDArray[np.float32]
    expected_hu: NDArray[np.float32]
    target_hu: NDArray[np.float32]
    coarsest: float


class Batch(NamedTuple):
    """Crops of pairs ``[N, 1, H, W]`` in HU, their pixel spacing in mm, and crops without."""

    sample: PairedSample
    pixel_spacing: float
    real: RealCrops | None = None


class SliceReader:
    """Reads slices, and keeps the most recently used images in memory.

    Several threads may use it at once.

    Parameters
    ----------
    cache_mb
        Memory for the images that are kept, in MB.

    Attributes
    ----------
    cached_bytes
        Memory in use now.
    """

    def __init__(self, cache_mb: int) -> None:
        self._limit = cache_mb * 1_000_000
        self._lock = threading.Lock()
        self.cached_bytes = 0
        self._cache: OrderedDict[Path, NDArray[np.float32]] = OrderedDict()

    def read(self, files: PairedFiles) -> PairedSample:
        """Return both images of a slice, ``[H, W]``.

        Raises
        ------
        TrainingError
            If a file cannot be read, has another size than expected, or values that are not
            finite.
        """
        shape = (files.rows, files.columns)
        source, target = self.read_image(files.source, shape), self.read_image(files.target, shape)
        padding = find_padding(source) | find_padding(target)
        if padding.any():
            source, target = (np.where(padding, PADDING_HU, hu) for hu in (source, target))
        return PairedSample(source, target)

    def read_image(self, path: Path, shape: tuple[int, int]) -> NDArray[np.float32]:
        """Return one image ``[H, W]``, its own padding set to PADDING_HU. Errors as ``read``."""
        with self._lock:
            if path in self._cache:
                self._cache.move_to_end(path)
                return self._cache[path]
        hu = _read_hu(path, shape)
        with self._lock:
            if path not in self._cache:
                self._cache[path] = hu
                self.cached_bytes += hu.nbytes
            while self.cached_bytes > self._limit:
                self.cached_bytes -= self._cache.popitem(last=False)[1].nbytes
        return hu


class WholeSlices(Sequence[PairedSample]):
    """A sequence of whole slices; each is read when it is asked for.

    Parameters
    ----------
    pixel_spacing
        Slices of another pixel spacing are resampled to this one, in mm; None: they stay.
    """

    def __init__(
        self,
        slices: Sequence[PairedFiles],
        reader: SliceReader,
        pixel_spacing: float | None = None,
    ) -> None:
        self._slices, self._reader, self._spacing = slices, reader, pixel_spacing

    def __len__(self) -> int:
        return len(self._slices)

    def spacing(self, index: int) -> float:
        """Return the pixel spacing of a slice in mm."""
        return self._spacing or self._slices[index].spacing

    def spread(self, count: int) -> Iterator[PairedSample]:
        """Yield ``count`` slices, evenly spread; all of them if there are fewer."""
        return (self[index] for index in spread_indices(len(self), count))

    @overload
    def __getitem__(self, index: int) -> PairedSample: ...

    @overload
    def __getitem__(self, index: slice) -> WholeSlices: ...

    def __getitem__(self, index: int | slice) -> PairedSample | WholeSlices:
        if isinstance(index, slice):
            return WholeSlices(self._slices[index], self._reader, self._spacing)
        files = self._slices[index]
        sample = self._reader.read(files)
        return sample if self._spacing is None else sample.resample(self._spacing / files.spacing)


@contextmanager
def whole_path(path: Path) -> Iterator[None]:
    """Name a file that cannot be read with its folder: many patients have files of one name.

    Raises
    ------
    TrainingError
        Instead of a DicomError.
    """
    try:
        yield
    except DicomError as exc:
        reason = str(exc).removeprefix(f"{path.name}: ")
        raise TrainingError(f"{path}: {reason}") from exc


def _read_hu(path: Path, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Read an image, with its padding set to PADDING_HU; errors name the whole path."""
    from rgan_sdk.dicom.read.batches import read_hu

    hu: NDArray[np.float32]
    if path.suffix == ".npy":  # a teacher's output (rgan_train.training.distillation)
        hu = np.load(path, allow_pickle=False)
        hu[find_padding(hu)] = PADDING_HU
    else:
        with whole_path(path):
            hu = read_hu(path, shape)
    if hu.shape != shape:
        raise TrainingError(f"{path}: {hu.shape} pixels, expected {shape}; was the file changed?")
    if not np.isfinite(hu).all():
        raise TrainingError(f"{path}: has NaN or infinite values; remove its pair from the list")
    return hu
