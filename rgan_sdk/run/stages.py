"""Read, infer and write at the same time, over all series of a run.

One thread reads batches into a ring of buffers, one thread per engine computes, and one thread
writes. Reading and writing have further threads in the native core. The queues in between are
bounded, so the slowest stage sets the pace and memory does not grow with the number of series.
All engines take batches from the same queue. A batch may hold slices of several series, so that
series of three slices do not leave a GPU idle.

A series that goes wrong at any stage is marked. Its remaining slices pass through without work,
and the run continues with the next series. Series that share a batch with it do not suffer; see
``blame``.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rgan_sdk import _core
from rgan_sdk.cores import NO_THREADS
from rgan_sdk.dicom.read.batches import BatchReader, ReadResult, hide_padding
from rgan_sdk.errors import ResourceError, describe_unexpected
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.kernels import soft_tissue_noise
from rgan_sdk.run.blame import harmonize_batch, read_batch
from rgan_sdk.run.jobs import BatchItem, SeriesJob, deal_batches, group_by_job
from rgan_sdk.run.observer import Observer

log = logging.getLogger(__name__)

RING = 3  # buffers: one to read into, one to write from, one in between; one more per engine
PASSED = 16  # batches that may wait until their series are put into place
POLL_SECONDS = 0.1

Item = TypeVar("Item")


class StageClock:
    """Adds up how many seconds each stage was busy."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.busy: dict[str, float] = defaultdict(float)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the duration of the block to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self.busy[stage] += time.perf_counter() - start

    def add(self, busy: Mapping[str, float], workers: int) -> None:
        """Add the seconds of one of several workers, as their mean; see ``summary``."""
        with self._lock:
            for stage, seconds in busy.items():
                self.busy[stage] += seconds if stage == "infer" else seconds / workers

    def summary(self, engines: int) -> dict[str, float]:
        """Return the seconds of each stage; of inference, the mean of so many engines."""
        shares = {"infer": engines}
        return {
            stage: round(seconds / shares.get(stage, 1), 3) for stage, seconds in self.busy.items()
        }


@dataclass(frozen=True)
class WrittenBatch:
    """A batch that has passed the last stage.

    Attributes
    ----------
    slices
        How many it held.
    started, finished
        The series whose first or last slice was among them.
    """

    slices: int
    started: tuple[SeriesJob, ...]
    finished: tuple[SeriesJob, ...]

    def tell(self, observer: Observer) -> None:
        """Tell an observer what has started and how many slices are through."""
        for job in self.started:
            observer.on_started(job.series.series_instance_uid, job.slices)
        observer.on_written(self.slices)


@dataclass
class _Batch:
    items: list[BatchItem]
    buffer: NDArray[np.float32]
    hu: NDArray[np.float32]
    sources: list[ReadResult]


class Stages:
    """The stages of one run.

    Parameters
    ----------
    harmonizers
        The same model with the same batch size, each on a device of its own.
    threads
        Threads of the native core: half of them read and half of them write, at least one each.
    durable
        Whether all files of a series must be on the disk before it counts as finished.
    pictures
        Whether to keep the middle slice of each series, before and after.
    """

    def __init__(
        self,
        harmonizers: Sequence[Harmonizer],
        clock: StageClock,
        *,
        threads: int,
        durable: bool,
        pictures: bool = False,
    ) -> None:
        self._harmonizers, self._clock = harmonizers, clock
        self._durable, self._pictures = durable, pictures
        self._batch_size = harmonizers[0].batch_size
        # Both work at the same time: with all cores for each they would compete for the caches.
        half = max(1, threads // 2)
        self._reader, self._writers = BatchReader(half), _core.ThreadPool(half)
        # Last in, first out: that buffer is the most likely to be in the processor's cache.
        self._free: queue.Queue[NDArray[np.float32]] = queue.LifoQueue()
        for _ in range(RING + len(harmonizers)):
            self._free.put(np.empty(0, np.float32))
        self._read: queue.Queue[_Batch | None] = queue.Queue(1)
        self._computed: queue.Queue[_Batch | None] = queue.Queue(1)
        self._passed: queue.Queue[WrittenBatch | None] = queue.Queue(PASSED)
        self._stopping = threading.Event()
        self._broken: BaseException | None = None

    def run(self, jobs: Iterable[SeriesJob]) -> Generator[WrittenBatch, None, None]:
        """Take series through all stages.

        Parameters
        ----------
        jobs
            Taken one by one, in the reading thread.

        Yields
        ------
        WrittenBatch
            In the calling thread. Each job is in exactly one of them.

        Raises
        ------
        ResourceError
            If the system does not start a thread that is needed.
        """
        work = [
            ("read", partial(self._read_all, jobs)),
            *(("infer", partial(self._infer_all, harmonizer)) for harmonizer in self._harmonizers),
            ("write", self._write_all),
        ]
        threads = [
            threading.Thread(target=self._guard, args=(task,), name=f"rgan-{name}")
            for name, task in work
        ]
        try:
            for thread in threads:
                _start(thread)
            while (batch := self._take(self._passed)) is not None:
                yield batch
        finally:
            self._stopping.set()
            _join(threads)
        if self._broken is not None:
            raise self._broken

    def _guard(self, work: Callable[[], None]) -> None:
        """Run a thread's work; if it fails, stop the others, which would wait for ever."""
        try:
            work()
        except BaseException as error:
            self._broken = error
            self._stopping.set()

    def _read_all(self, jobs: Iterable[SeriesJob]) -> None:
        for items in deal_batches(jobs, self._batch_size):
            buffer = self._take(self._free)
            if buffer is None:
                return
            self._offer(self._read, self._read_batch(items, buffer))
        for _ in self._harmonizers:
            self._offer(self._read, None)

    def _read_batch(self, items: list[BatchItem], buffer: NDArray[np.float32]) -> _Batch:
        if all(item.job.error for item in items):  # nothing of it would be written
            return _Batch(items, buffer, buffer, [])
        try:
            return self._read_slices(items, buffer)
        except Exception as error:  # such as no memory for slices of this size
            for item in items:
                item.job.fail(error)
            return _Batch(items, buffer, buffer, [])

    def _read_slices(self, items: list[BatchItem], buffer: NDArray[np.float32]) -> _Batch:
        series = items[0].job.series
        shape = (self._batch_size, series.rows, series.columns)
        if buffer.size < np.prod(shape):
            buffer = np.empty(shape, np.float32).reshape(-1)
        view = buffer[: np.prod(shape)].reshape(shape)[: len(items)]
        with self._clock.measure("read"):
            sources = read_batch(self._reader, [item.file for item in items], view)
        for index, (item, source) in enumerate(zip(items, sources, strict=True)):
            if isinstance(source, Exception):
                item.job.fail(source)
                view[index] = 0
                continue
            hide_padding(source, view[index])
            if item.file.sop_instance_uid in item.job.noise_uids:
                item.job.noise += measure_noise(view[index], item.pixel_spacing)
        return _Batch(items, buffer, view, sources)

    def _infer_all(self, harmonizer: Harmonizer) -> None:
        while (batch := self._take(self._read)) is not None:
            self._infer(harmonizer, batch)
            self._offer(self._computed, batch)
        self._offer(self._computed, None)

    def _infer(self, harmonizer: Harmonizer, batch: _Batch) -> None:
        """Replace the HU of a batch by harmonized HU."""
        if all(item.job.error for item in batch.items):
            return
        middles = {
            index: batch.hu[index].copy()
            for index, item in enumerate(batch.items)
            if self._pictures and item.file.sop_instance_uid == item.job.middle_uid
        }
        with self._clock.measure("infer"):
            harmonize_batch(harmonizer, batch.items, batch.hu)
        for index, before in middles.items():
            batch.items[index].job.middle = before, batch.hu[index].copy()

    def _write_all(self) -> None:
        for _ in self._harmonizers:  # each puts a None when it has no more
            while (batch := self._take(self._computed)) is not None:
                self._write_batch(batch)
        self._offer(self._passed, None)

    def _write_batch(self, batch: _Batch) -> None:
        started, finished = [], []
        for job, indices in group_by_job(batch.items):
            self._write(job, batch, indices)
            if job.is_new:
                started.append(job)
            job.left -= indices.stop - indices.start
            if job.left == 0:
                finished.append(job)
        self._free.put(batch.buffer)
        self._offer(self._passed, WrittenBatch(len(batch.items), tuple(started), tuple(finished)))

    def _write(self, job: SeriesJob, batch: _Batch, indices: slice) -> None:
        if job.error is not None:
            return
        writer = job.open_writer(self._writers, durable=self._durable)
        files = [item.file for item in batch.items[indices]]
        try:
            with self._clock.measure("write"):
                job.files += writer.write(files, batch.sources[indices], batch.hu[indices])
        except Exception as error:  # one broken series must not end a night's batch
            job.fail(error)

    def _take(self, channel: queue.Queue[Item]) -> Item | None:
        """Wait for an item. None means the end of the work, or that the run is to stop."""
        while not self._stopping.is_set():
            with suppress(queue.Empty):
                return channel.get(timeout=POLL_SECONDS)
        return None

    def _offer(self, channel: queue.Queue[Item], item: Item) -> None:
        """Wait until there is room for an item, or until the run is to stop."""
        while not self._stopping.is_set():
            with suppress(queue.Full):
                channel.put(item, timeout=POLL_SECONDS)
                return


def measure_noise(hu: NDArray[np.float32], pixel_spacing: float) -> list[float]:
    """Return the noise of a slice in HU, or nothing: a mere remark must not fail a series."""
    try:
        noise = soft_tissue_noise(hu, pixel_spacing)
    except MemoryError:
        raise
    except Exception as error:
        log.warning("noise not measured: %s", describe_unexpected(error))
        return []
    return [] if noise is None else [noise]


def _start(thread: threading.Thread) -> None:
    try:
        thread.start()
    except RuntimeError as exc:
        raise ResourceError(NO_THREADS) from exc


def _join(threads: Iterable[threading.Thread]) -> None:
    """Wait for threads to end, even if interrupted again: they are still writing."""
    interrupt: KeyboardInterrupt | None = None
    for thread in threads:
        while thread.is_alive():
            try:
                thread.join()
            except KeyboardInterrupt as error:
                interrupt = error
    if interrupt is not None:
        raise interrupt
