"""One series through read | infer | write, each at work while the others are."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.reader import SourceSlice, read_slice
from rgan_sdk.dicom.series import Series, SliceFile
from rgan_sdk.dicom.writer import Derivation, derived_sop_uid, write_derived
from rgan_sdk.harmonizer import Harmonizer


class StageClock:
    """Sums the busy seconds of each stage over all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.busy: dict[str, float] = defaultdict(float)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time inside the block to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self.busy[stage] += time.perf_counter() - start


@dataclass(frozen=True)
class StreamedSeries:
    """What came of a series: clamped pixels, and its middle slice before and after."""

    clips: int
    middle: tuple[NDArray[np.float32], NDArray[np.float32]]


def stream_series(
    series: Series,
    harmonizer: Harmonizer,
    derivation: Derivation,
    folder: Path,
    *,
    executor: ThreadPoolExecutor,
    clock: StageClock,
    on_written: Callable[[], None],
) -> StreamedSeries:
    """Harmonize each slice of a series into a folder.

    Reads one batch ahead and writes one batch behind the inference, so that memory
    stays bounded.

    Parameters
    ----------
    harmonizer
        Called from the calling thread only.
    executor
        Threads that read and write.
    clock
        Takes the busy time of ``read``, ``infer`` and ``write``.
    on_written
        Is called from the calling thread for each slice that was written.

    Raises
    ------
    RganError
        The first error of any stage, when no thread works on the series any more.
    """
    size = harmonizer.batch_size
    batches = [series.slices[i : i + size] for i in range(0, len(series.slices), size)]
    middle = len(series.slices) // 2
    pair = None
    clips = 0

    def read(file: SliceFile) -> SourceSlice:
        with clock.measure("read"):
            return read_slice(file.path, file.sha256)

    def write(file: SliceFile, source: SourceSlice, hu: NDArray[np.float32]) -> int:
        name = f"{derived_sop_uid(file.sop_instance_uid, derivation)}.dcm"
        with clock.measure("write"):
            return write_derived(source, hu, derivation, folder / name)

    reading = [executor.submit(read, file) for file in batches[0]]
    writing: list[Future[int]] = []
    try:
        for index, batch in enumerate(batches):
            sources = [future.result() for future in reading]
            following = batches[index + 1] if index + 1 < len(batches) else ()
            reading = [executor.submit(read, file) for file in following]
            with clock.measure("infer"):
                hu = harmonizer(np.stack([source.hu for source in sources]))
            clips += _collect(writing, on_written)
            writing = [executor.submit(write, *job) for job in zip(batch, sources, hu, strict=True)]
            if index == middle // size:
                pair = sources[middle % size].hu, hu[middle % size]
        clips += _collect(writing, on_written)
    finally:
        pending: list[Future[Any]] = [*reading, *writing]
        for future in pending:
            future.cancel()
        wait(pending)
    assert pair is not None
    return StreamedSeries(clips, pair)


def _collect(writing: list[Future[int]], on_written: Callable[[], None]) -> int:
    clips = 0
    for future in writing:
        clips += future.result()
        on_written()
    return clips
