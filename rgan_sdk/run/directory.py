"""Harmonize a folder of DICOM series.

The series is the unit of work. It is written to a staging folder and renamed into place when its
last slice is there, so it appears whole or not at all. Whatever goes wrong with one series is
reported, and the run continues with the next one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType

from rgan_sdk.cores import usable_cores
from rgan_sdk.dicom.series import Series
from rgan_sdk.dicom.write.derivation import Derivation, derived_series_uid
from rgan_sdk.errors import OutputError, RganError, check_type, describe_unexpected
from rgan_sdk.files import as_path, sync
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.run.folders import check_folders
from rgan_sdk.run.identity import (
    SOFTWARE,
    RunIdentity,
    check_alike,
    describe_engine,
    describe_model,
    run_timestamp,
    settle_batch_size,
)
from rgan_sdk.run.jobs import SeriesJob
from rgan_sdk.run.journal import (
    FinishedSeries,
    Journal,
    check_same_run,
    earlier_identity,
    lock_folder,
)
from rgan_sdk.run.ledger import Ledger, report_plan
from rgan_sdk.run.observer import Observer, SilentObserver
from rgan_sdk.run.options import RunOptions
from rgan_sdk.run.pictures import Pictures
from rgan_sdk.run.planning import Plan, make_plan
from rgan_sdk.run.report import Report, SeriesEntry
from rgan_sdk.run.stages import StageClock, Stages


def harmonize_directory(
    source: str | Path,
    destination: str | Path,
    harmonizer: Harmonizer,
    options: RunOptions | None = None,
    *,
    others: Sequence[Harmonizer] = (),
    observer: Observer | None = None,
) -> Report:
    """Harmonize each eligible CT series below a folder.

    A run on the same two folders continues where an earlier one was stopped: finished series stay
    as they are, unfinished ones start again.

    Parameters
    ----------
    source
        Folder that is searched recursively; nothing in it is changed.
    destination
        Folder that is absent, empty, or holds a run to continue. It gets one folder per new
        series.
    harmonizer
        What to apply. Its batch size is not changed by the run.
    options
        What else was chosen; see ``RunOptions``.
    others
        The same model on further devices, which share the work with ``harmonizer``.
    observer
        Is told how the run goes on.

    Returns
    -------
    Report
        One outcome per series and per file found.

    Raises
    ------
    ConfigurationError, OutputError
        If an argument is of another type, or the folders or devices cannot be used. Errors of
        single series are in the report.
    OutputBusyError
        If another run writes to ``destination``.

    Examples
    --------
    >>> import rgan_sdk as rgan
    >>> with rgan.Harmonizer.load("b40f-to-b70f") as harmonizer:  # doctest: +SKIP
    ...     report = rgan.harmonize_directory("scans", "harmonized", harmonizer)
    ...     preview = rgan.RunOptions(preview=True, shard=rgan.Shard(1, 4))
    ...     part = rgan.harmonize_directory("scans", "part-1", harmonizer, preview)
    """
    source, destination = as_path("source", source), as_path("destination", destination)
    _check_types(harmonizer, options, others)
    check_type("observer", observer, Observer, NoneType)
    options, observer = options or RunOptions(), observer or SilentObserver()
    check_folders(source, destination, resume=options.resume)
    with lock_folder(destination):
        harmonizers, identity = _settle(destination, (harmonizer, *others), options)
        with Journal(destination, identity, run_timestamp()) as journal:
            plan = make_plan(source, harmonizer.model.card, options, observer)
            observer.on_planned(len(plan.chosen), plan.slices)
            ledger = Ledger(plan, checksums=options.checksums)
            ledger.report.model = describe_model(harmonizer)
            ledger.report.engine = describe_engine(harmonizers)
            ledger.report.timestamp = journal.timestamp.isoformat()
            run = _Run(plan, destination, harmonizers, options, journal, ledger, observer)
            run.harmonize_all()
            try:
                ledger.report.write(journal.report)
            except OutputError as exc:  # the series are all in place
                ledger.report.warnings.append(str(exc))
    return ledger.report


def plan_directory(
    source: str | Path,
    destination: str | Path,
    harmonizer: Harmonizer,
    options: RunOptions | None = None,
    *,
    others: Sequence[Harmonizer] = (),
) -> Report:
    """Report what ``harmonize_directory`` would do, and write nothing.

    Parameters: see ``harmonize_directory``.

    Raises
    ------
    ConfigurationError, OutputError
        Where ``harmonize_directory`` would refuse the folders, the run in them or the devices.
    """
    source, destination = as_path("source", source), as_path("destination", destination)
    _check_types(harmonizer, options, others)
    options = options or RunOptions()
    check_folders(source, destination, resume=options.resume)
    harmonizers, _ = _settle(destination, (harmonizer, *others), options)
    plan = make_plan(source, harmonizer.model.card, options)
    report = report_plan(plan, checksums=options.checksums)
    report.model = describe_model(harmonizer)
    report.engine = describe_engine(harmonizers)
    return report


def _check_types(harmonizer: object, options: object, others: Sequence[object]) -> None:
    check_type("harmonizer", harmonizer, Harmonizer)
    check_type("options", options, RunOptions, NoneType)
    check_type("others", others, Sequence)
    for index, other in enumerate(others):
        check_type(f"others[{index}]", other, Harmonizer)


def _settle(
    destination: Path, harmonizers: Sequence[Harmonizer], options: RunOptions
) -> tuple[tuple[Harmonizer, ...], RunIdentity]:
    """Return the harmonizers with the run's batch size, and the run's identity."""
    earlier = earlier_identity(destination)
    settled = settle_batch_size(harmonizers, earlier)
    check_alike(settled)
    identity = RunIdentity.of(settled[0], options)
    if earlier is not None:
        check_same_run(destination, identity, earlier)
    return settled, identity


@dataclass
class _Run:
    """A run whose folder is locked and whose plan is made."""

    plan: Plan
    destination: Path
    harmonizers: Sequence[Harmonizer]
    options: RunOptions
    journal: Journal
    ledger: Ledger
    observer: Observer
    clock: StageClock = field(default_factory=StageClock)

    def harmonize_all(self) -> None:
        """Harmonize the chosen series and record each, whatever happens."""
        unfinished = self._record_finished()
        stages = Stages(
            self.harmonizers,
            self.clock,
            threads=int(self.options.workers or usable_cores()),
            durable=self.options.durable,
            pictures=self.options.preview,
        )
        with (
            closing(stages.run(self._make_jobs(unfinished))) as running,
            Pictures(self.destination, self.ledger.report) as pictures,
        ):
            for batch in running:
                self.observer.on_written(batch.slices)
                for job in batch.finished:
                    self.observer.on_finished(self._conclude(job, pictures))
        if self.options.preview:
            pictures.write_contact_sheet()
        self._report_smaller_batches()
        self._report_stages()

    def _record_finished(self) -> list[Series]:
        """Record the series that are in OUTPUT already; return the others."""
        unfinished = []
        for series in self.plan.chosen:
            entry = self._record_if_finished(series)
            if entry is None:
                unfinished.append(series)
            else:
                self.observer.on_written(len(series.slices))
                self.observer.on_finished(entry)
        return unfinished

    def _record_if_finished(self, series: Series) -> SeriesEntry | None:
        uid = derived_series_uid(series.series_instance_uid, self._derive(series))
        if not self.journal.is_in_place(uid):
            return None
        finished = self.journal.finished_series(uid)
        if finished is None:
            reason = f"{uid} is in OUTPUT, but not in its journal; choose another OUTPUT"
            return self.ledger.record(series, "failed", reason)
        if finished.sources != _hash_sources(series):
            reason = f"its slices are not those that {uid} was made of; choose another OUTPUT"
            return self.ledger.record(series, "failed", reason)
        return self.ledger.record(series, "done", clips=finished.clips, output=uid)

    def _make_jobs(self, unfinished: Iterable[Series]) -> Iterator[SeriesJob]:
        """Make the folder of each series when its turn comes."""
        for series in unfinished:
            derivation = self._derive(series)
            uid = derived_series_uid(series.series_instance_uid, derivation)
            job = SeriesJob(series, derivation, self.journal.staging / uid)
            try:
                job.folder.mkdir(mode=0o700)
            except OSError as exc:
                job.fail(self._cannot_write(uid, exc))
            yield job

    def _conclude(self, job: SeriesJob, pictures: Pictures) -> SeriesEntry:
        """Put a series that has passed all stages into place, or remove it; record it."""
        uid = job.folder.name
        if job.error is None:
            try:
                self._put_in_place(job)
            except RganError as exc:
                job.fail(exc)
            except OSError as exc:
                job.fail(self._cannot_write(uid, exc))
        if job.error is not None:
            shutil.rmtree(job.folder, ignore_errors=True)
            return self.ledger.record(job.series, "failed", self._reason(job.error))
        if self.options.preview:
            pictures.paint(job)
        return self.ledger.record(job.series, "done", clips=job.clips, output=uid)

    def _put_in_place(self, job: SeriesJob) -> None:
        if self.options.durable:
            sync(job.folder)
        uid = job.folder.name
        self.journal.note(FinishedSeries(uid, _hash_sources(job.series), job.clips))
        job.folder.rename(self.destination / uid)
        if self.options.durable:
            sync(self.destination)

    def _cannot_write(self, uid: str, error: OSError) -> OutputError:
        return OutputError(f"{self.destination}: cannot write series {uid} ({error.strerror})")

    def _reason(self, error: Exception) -> str:
        """Say what went wrong, with paths relative to INPUT and OUTPUT."""
        if not isinstance(error, RganError):
            return describe_unexpected(error)
        text = str(error)
        for folder in (self.plan.source, self.destination):
            text = text.replace(f"{folder}{os.sep}", "")
        return text

    def _report_smaller_batches(self) -> None:
        for each in self.harmonizers:
            if each.fitting_batch_size < each.batch_size:
                self.ledger.report.warnings.append(
                    f"{each.engine.device}: memory did not suffice for batches of "
                    f"{each.batch_size} slices; they were halved to {each.fitting_batch_size}"
                )

    def _report_stages(self) -> None:
        busy = dict(self.clock.busy)
        if "infer" in busy:
            busy["infer"] /= len(self.harmonizers)
        self.ledger.report.stages = {stage: round(seconds, 3) for stage, seconds in busy.items()}

    def _derive(self, series: Series) -> Derivation:
        first = self.harmonizers[0]
        card = first.model.card
        return Derivation(
            target_kernel=card.target_kernel,
            model_name=card.name,
            model_version=card.version,
            model_sha256=first.model.sha256,
            configuration=self.journal.identity.configuration,
            engine=first.engine.name,
            software=SOFTWARE,
            timestamp=self.journal.timestamp,
            group=series.group,
        )


def _hash_sources(series: Series) -> str:
    """Return a hash of which slices a series has, and how large their files are."""
    lines = sorted(f"{file.sop_instance_uid} {file.stamp.size}\n" for file in series.slices)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
