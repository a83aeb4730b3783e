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
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rgan_sdk import _core
from rgan_sdk.dicom.batches import Batch, SeriesWriter, read_batch
from rgan_sdk.dicom.derived import Derivation
from rgan_sdk.dicom.series import Series
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


class Workers:
    """The threads of a run: one that reads batches and one that writes them, each with helpers.

    Parameters
    ----------
    threads
        That may work on one batch.
    """

    def __init__(self, threads: int) -> None:
        self.readers, self.writers = _core.ThreadPool(threads), _core.ThreadPool(threads)
        self.executor = ThreadPoolExecutor(2, "rgan-io")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.executor.shutdown()


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
    workers: Workers,
    clock: StageClock,
    durable: bool,
    on_written: Callable[[int], None],
) -> StreamedSeries:
    """Harmonize each slice of a series into a folder.

    Reads one batch ahead and writes one batch behind the inference, so that memory
    stays bounded.

    Parameters
    ----------
    harmonizer
        Called from the calling thread only.
    workers
        What reads and writes.
    clock
        Takes the busy time of ``read``, ``infer`` and ``write``.
    durable
        Whether the files are on the disk when this returns.
    on_written
        Is called from the calling thread with the number of slices that were written.

    Raises
    ------
    RganError
        The first error of any stage, when no thread works on the series any more.
    """
    size = harmonizer.batch_size
    batches = [series.slices[i : i + size] for i in range(0, len(series.slices), size)]
    # One is read into while the other is computed on.
    buffers = np.empty((2, size, series.rows, series.columns), np.float32)
    writer = SeriesWriter(series, derivation, folder, workers.writers, durable=durable)
    middle = len(series.slices) // 2
    pair = None
    clips = 0

    def read(index: int) -> Batch:
        with clock.measure("read"):
            return read_batch(batches[index], buffers[index % len(buffers)], workers.readers)

    def write(batch: Batch, hu: NDArray[np.float32]) -> int:
        with clock.measure("write"):
            return writer.write(batch, hu)

    def collect(writing: Future[int], batch: Batch) -> int:
        written = writing.result()
        on_written(len(batch.files))
        return written

    reading = workers.executor.submit(read, 0)
    writing: tuple[Future[int], Batch] | None = None
    try:
        for index in range(len(batches)):
            batch = reading.result()
            if index + 1 < len(batches):
                reading = workers.executor.submit(read, index + 1)
            with clock.measure("infer"):
                hu = harmonizer(batch.hu)
            if index == middle // size:
                pair = batch.hu[middle % size].copy(), hu[middle % size].copy()
            if writing is not None:
                clips += collect(*writing)
            writing = workers.executor.submit(write, batch, hu), batch
        assert writing is not None
        clips += collect(*writing)
    finally:
        pending: list[Future[Any]] = [reading] if writing is None else [reading, writing[0]]
        for future in pending:
            future.cancel()
        wait(pending)
    assert pair is not None
    return StreamedSeries(clips, pair)
