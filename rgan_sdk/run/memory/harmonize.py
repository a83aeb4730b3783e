"""Harmonize series whose slices are pydicom data sets in memory.

They pass the stages of a run over folders, and get the pixels, headers and UIDs that such a run
writes. No file is read or written.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING

from rgan_sdk.card import ModelCard
from rgan_sdk.cores import usable_cores
from rgan_sdk.dicom.memory.datasets import collect_series, series_uid
from rgan_sdk.dicom.read.kernel_guard import judge_kernel
from rgan_sdk.dicom.series import Series
from rgan_sdk.dicom.write.derivation import derived_series_uid
from rgan_sdk.dicom.write.memory_writer import MemoryWriter
from rgan_sdk.errors import DicomError, IneligibleError, check_type
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.run.choosing.candidates import Candidate
from rgan_sdk.run.choosing.chooser import Chooser
from rgan_sdk.run.jobs import SeriesJob, is_processed
from rgan_sdk.run.ledger import make_entry, unusable_entry
from rgan_sdk.run.observer import Cancellation, Observer, watch
from rgan_sdk.run.options import RunOptions
from rgan_sdk.run.report import SeriesEntry
from rgan_sdk.run.reports.files import Status
from rgan_sdk.run.stages import StageClock, Stages
from rgan_sdk.run.state.identity import make_derivation, run_timestamp, settle_batch_size

if TYPE_CHECKING:
    from pydicom import Dataset


@dataclass(frozen=True)
class HarmonizedSeries:
    """One series that ``harmonize_stream`` is through with.

    Threads: it belongs to the caller, as do its data sets; pydicom's are not to be used by several
    threads at once.

    Attributes
    ----------
    entry
        The outcome, as in the report of a run: ``status`` is ``done``, ``skipped`` or ``failed``,
        with ``reason``, ``notes``, ``clips``, ``noise_hu``; ``output`` is None.
    datasets
        The derived slices in the order of their sources; empty unless done. They can be written by
        ``save_as(path, enforce_file_format=True)``.
    """

    entry: SeriesEntry
    datasets: tuple[Dataset, ...] = ()


def harmonize_datasets(
    datasets: Iterable[Dataset],
    harmonizer: Harmonizer,
    *,
    assume_hu: bool = False,
    strict_kernel: bool = False,
    timestamp: datetime | None = None,
    workers: int | None = None,
    observer: Observer | None = None,
    cancel: Cancellation | None = None,
) -> list[Dataset]:
    """Harmonize one CT series in memory, wholly or not at all.

    Pixels, headers and UIDs are those that ``harmonize_directory`` writes for the same slices with
    the same harmonizer and timestamp; no file is read or written.

    Parameters
    ----------
    datasets
        All slices of the series in any order, each with ``file_meta``, compressed or not. They are
        not changed.
    harmonizer
        What to apply. What it accepts outside the model's card (``outside_domain``) is accepted.
    assume_hu, strict_kernel
        As in ``RunOptions``, but with ``strict_kernel`` a suspect kernel is an error.
    timestamp
        The time to write into the derived objects, with a time zone. It enters their UIDs, so that
        the same one gives the same UIDs. None takes now, or ``SOURCE_DATE_EPOCH``.
    workers
        Threads that decode; None takes one per core that this process may use.
    observer
        Is told how it goes on. ``on_finished`` gets the remarks, such as a suspect kernel.
    cancel
        A ``threading.Event``, or what else has ``is_set``: work stops soon after it is set.

    Returns
    -------
    list of Dataset
        The derived slices, in the order of ``datasets``. They can be written by
        ``save_as(path, enforce_file_format=True)``.

    Raises
    ------
    DicomError
        If a slice cannot be harmonized, all with the messages of a run over folders. Slices are
        called ``datasets[0]``, ``datasets[1]``, ... A slice that a run would skip, such as a
        localizer or the second of two duplicates, is an error too: leave it out.
    ConfigurationError
        If an argument is of another type, or the timestamp has no time zone.
    EngineError
        If the engine fails.
    CancelledError
        If ``cancel`` was set.

    Notes
    -----
    Threads: several may call at once, also with one harmonizer, which they then share, and with the
    same data sets.

    Examples
    --------
    >>> import pydicom, rgan_sdk as rgan
    >>> with rgan.Harmonizer.load("b40f-to-b70f") as harmonizer:  # doctest: +SKIP
    ...     slices = [pydicom.dcmread(path) for path in paths]
    ...     derived = rgan.harmonize_datasets(slices, harmonizer)
    """
    task = _Task.make(harmonizer, assume_hu, strict_kernel, timestamp, workers, observer, cancel)
    check_type("datasets", datasets, Iterable)
    jobs, order = task.prepare(list(datasets))
    _raise_first(jobs)
    task.observer.on_planned(len(jobs), sum(job.slices for job in jobs))
    for _ in task.run(jobs):
        pass
    _raise_first(jobs)
    return _derived(jobs, order)


def harmonize_stream(
    series: Iterable[Iterable[Dataset]],
    harmonizer: Harmonizer,
    *,
    assume_hu: bool = False,
    strict_kernel: bool = False,
    timestamp: datetime | None = None,
    workers: int | None = None,
    observer: Observer | None = None,
    cancel: Cancellation | None = None,
) -> Generator[HarmonizedSeries, None, None]:
    """Harmonize many CT series in memory, one after the other.

    A series is taken from ``series`` when its result is asked for, so that there is one at a time
    in memory, and a source that waits for the next series delays no result. One that cannot be
    harmonized has a reason, as in the report of a run, and the next one follows.

    Parameters
    ----------
    series
        For each series all its slices, as for ``harmonize_datasets``.
    timestamp
        For all of them.
    observer
        ``on_planned`` is not called, because nobody knows how many will come.
    harmonizer, assume_hu, strict_kernel, workers, cancel
        As for ``harmonize_datasets``.

    Yields
    ------
    HarmonizedSeries
        In the order of ``series``. Slices of one series that differ in what all should have in
        common, such as the orientation, make several, as in a run over folders.

    Raises
    ------
    ConfigurationError
        As ``harmonize_datasets`` does.
    CancelledError
        If ``cancel`` was set. ``close()`` of the generator stops it, too.

    Notes
    -----
    Threads: one thread at a time may ask a generator for the next result. Several may have
    generators of their own, also on one harmonizer.
    """
    task = _Task.make(harmonizer, assume_hu, strict_kernel, timestamp, workers, observer, cancel)
    check_type("series", series, Iterable)
    return task.stream(series)


@dataclass(frozen=True)
class _Task:
    """How series are harmonized."""

    harmonizer: Harmonizer
    options: RunOptions
    timestamp: datetime
    observer: Observer

    @classmethod
    def make(
        cls,
        harmonizer: Harmonizer,
        assume_hu: bool,
        strict_kernel: bool,
        timestamp: datetime | None,
        workers: int | None,
        observer: Observer | None,
        cancel: Cancellation | None,
    ) -> _Task:
        check_type("harmonizer", harmonizer, Harmonizer)
        check_type("timestamp", timestamp, datetime, NoneType)
        options = RunOptions(
            outside_domain=harmonizer.outside_domain,
            assume_hu=assume_hu,
            strict_kernel=strict_kernel,
            workers=workers,
        )
        (settled,) = settle_batch_size((harmonizer,), None)
        return cls(settled, options, timestamp or run_timestamp(), watch(observer, cancel))

    @property
    def _card(self) -> ModelCard:
        return self.harmonizer.model.card

    def stream(
        self, series: Iterable[Iterable[Dataset]]
    ) -> Generator[HarmonizedSeries, None, None]:
        for index, datasets in enumerate(series):
            check_type(f"series[{index}]", datasets, Iterable)
            sources = list(datasets)
            try:
                jobs, order = self.prepare(sources)
            except DicomError as error:
                entry = unusable_entry(
                    series_uid(sources), len(sources), _status(error), str(error)
                )
                self.observer.on_finished(entry)
                yield HarmonizedSeries(entry)
                continue
            with closing(self.run(jobs)) as running:
                for job, entry in running:
                    done = [job] if entry.status == "done" else []
                    yield HarmonizedSeries(entry, tuple(_derived(done, order)))

    def prepare(self, sources: Sequence[Dataset]) -> tuple[list[SeriesJob], tuple[str, ...]]:
        """Return a job for each series, and the order of the slices.

        Jobs that are not to be done have an error.

        Raises
        ------
        ConfigurationError, DicomError
            As ``collect_series`` does.
        """
        found = collect_series(sources, assume_hu=self.options.assume_hu)
        return [self._make_job(series) for series in found.series], found.order

    def _make_job(self, series: Series) -> SeriesJob:
        derivation = make_derivation(self.harmonizer, self.timestamp, series)
        name = derived_series_uid(series.series_instance_uid, derivation)
        job = SeriesJob(series, derivation, Path(name), writer=MemoryWriter(derivation))
        if reason := self._why_not(series):
            job.fail(IneligibleError(reason))
            return job
        job.kernel = judge_kernel(series, self._card)
        if job.kernel.is_suspect and self.options.strict_kernel:
            job.fail(IneligibleError(job.kernel.text))
        return job

    def _why_not(self, series: Series) -> str:
        """Return why a series is left aside, as a run says it; empty if it is not."""
        return Chooser((Candidate.of(self._card),), self.options, {}, {}).choose(series).reason

    def run(
        self, jobs: Iterable[SeriesJob]
    ) -> Generator[tuple[SeriesJob, SeriesEntry], None, None]:
        """Take series through the stages, and yield each with its outcome."""
        stages = Stages(
            (self.harmonizer,),
            StageClock(),
            threads=int(self.options.workers or usable_cores()),
            durable=False,
        )
        with closing(stages.run(jobs)) as running:
            for batch in running:
                batch.tell(self.observer)
                for job in batch.finished:
                    entry = self._conclude(job)
                    self.observer.on_finished(entry)
                    yield job, entry

    def _conclude(self, job: SeriesJob) -> SeriesEntry:
        """Return the outcome of a series that has passed all stages."""
        model = None if self._why_not(job.series) else self._card.name
        if (error := job.error) is not None:
            return make_entry(job.series, self._card, _status(error), job.explain(), model=model)
        return make_entry(
            job.series,
            self._card,
            "done",
            notes=job.notes(self._card),
            model=model,
            **job.clamping,
            processed=is_processed(job.derivation),
            noise_hu=job.noise_hu,
        )


def _status(error: Exception) -> Status:
    return "skipped" if isinstance(error, IneligibleError) else "failed"


def _raise_first(jobs: Iterable[SeriesJob]) -> None:
    for job in jobs:
        if job.error is not None:
            raise job.error


def _derived(jobs: Iterable[SeriesJob], order: Iterable[str]) -> list[Dataset]:
    """Return the derived slices of jobs that are done, in the order of their sources."""
    derived: dict[str, Dataset] = {}
    for job in jobs:
        assert isinstance(job.writer, MemoryWriter)
        derived |= job.writer.derived
    return [derived[uid] for uid in order if uid in derived]
