"""Compute the features of many slices in several processes, and keep them on disk.

The features of a slice are a file. Its name is a hash of everything they depend on: pixels,
spacing, masks, feature set and program. A file that exists is not computed again, neither after
Ctrl-C nor for another report.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import OutputError
from rgan_sdk.files import atomic_write, make_folder
from rgan_train.evaluation.features.extractor import FeatureExtractor

PROGRAM_VERSION: Final = 2
"""Version of ``extractor`` and ``stacks``; raised when they give other values."""

SINGLE_THREADED: Final = ("OMP_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")


@dataclass(frozen=True)
class SliceRegions:
    """Regions of one slice.

    Attributes
    ----------
    hu
        ``[H, W]`` HU.
    pixel_spacing
        Mm between rows, mm between columns.
    masks
        ``[H, W]`` bool, one for each region.
    """

    hu: NDArray[np.float32]
    pixel_spacing: tuple[float, float]
    masks: tuple[NDArray[np.bool_], ...]

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of slice, spacing and masks."""
        content = hashlib.sha256(repr((self.hu.shape, self.pixel_spacing)).encode())
        content.update(np.ascontiguousarray(self.hu, np.float32).tobytes())
        for mask in self.masks:
            content.update(np.packbits(mask).tobytes())
        return content.digest()


def extract_all(
    tasks: Sequence[SliceRegions],
    extractor: FeatureExtractor,
    cache: Path,
    *,
    parameters: Path | None = None,
    workers: int = 1,
    on_done: Callable[[], None] = lambda: None,
) -> list[NDArray[np.float64]]:
    """Compute the features of the regions of many slices, or take them from the cache.

    Parameters
    ----------
    tasks
        Slices with their regions.
    extractor
        The feature set.
    cache
        Folder; created if it does not exist.
    parameters
        File that ``extractor`` was made from; each process reads it again.
    workers
        Number of processes; 1 computes in this process.
    on_done
        Called after each slice.

    Returns
    -------
    list of ndarray
        ``[regions, features]`` float64 of each task, in order.

    Raises
    ------
    OutputError
        If the cache cannot be written.
    """
    make_folder(cache)
    paths = [cache / f"{_key(task, extractor)}.npy" for task in tasks]
    missing = {path: task for path, task in zip(paths, tasks, strict=True) if not path.exists()}
    for _ in range(len(tasks) - len(missing)):
        on_done()
    if workers == 1 or len(missing) < 2:
        for path, task in missing.items():
            _save(path, extractor.extract(task.hu, task.pixel_spacing, task.masks))
            on_done()
    else:
        _extract_in_processes(missing, parameters, workers, on_done)
    return [np.load(path) for path in paths]


def _key(task: SliceRegions, extractor: FeatureExtractor) -> str:
    parts = (str(PROGRAM_VERSION).encode(), extractor.sha256.encode(), task.digest)
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _save(path: Path, values: NDArray[np.float64]) -> None:
    try:
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            np.save(file, values)
    except OSError as exc:
        raise OutputError(f"{path}: cannot be written ({exc.strerror})") from exc


def _extract_in_processes(
    missing: dict[Path, SliceRegions],
    parameters: Path | None,
    workers: int,
    on_done: Callable[[], None],
) -> None:
    # Not forked, because a thread of a library may hold a lock at that moment.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start_process, (parameters,))
    try:
        with _one_thread_each():  # the first task starts the processes
            futures = [pool.submit(_extract, path, task) for path, task in missing.items()]
        for future in as_completed(futures):
            future.result()
            on_done()
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Give one thread each to processes that start meanwhile, as there are many of them."""
    before = {name: os.environ.get(name) for name in SINGLE_THREADED}
    os.environ |= dict.fromkeys(SINGLE_THREADED, "1")
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _start_process(parameters: Path | None) -> None:
    global _extractor
    _extractor = FeatureExtractor(parameters)


def _extract(path: Path, task: SliceRegions) -> None:
    _save(path, _extractor.extract(task.hu, task.pixel_spacing, task.masks))


_extractor: FeatureExtractor
