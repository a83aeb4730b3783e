"""Harmonize a folder of DICOM series.

The series is the unit of work. It is written to a staging folder and renamed into place when its
last slice is there, so it appears whole or not at all. Whatever goes wrong with one series is
reported, and the run continues with the next one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import NoneType

from rgan_sdk.card import ModelCard
from rgan_sdk.cores import usable_cores
from rgan_sdk.dicom.read.kernel_guard import judge_kernel
from rgan_sdk.errors import IneligibleError, OutputError, RganError, check_type, describe_unexpected
from rgan_sdk.files import as_path, sync
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.run.identity import (
    RunIdentity,
    check_alike,
    describe_engine,
    describe_model,
    make_derivation,
    run_timestamp,
    settle_batch_size,
)
from rgan_sdk.run.jobs import SeriesJob, look_ahead
from rgan_sdk.run.journal import (
    STATE_FOLDER,
    EarlierRun,
    Journal,
    check_same_run,
    lock_folder,
    read_earlier,
)
from rgan_sdk.run.ledger import Ledger
from rgan_sdk.run.observer import Observer, SilentObserver
from rgan_sdk.run.options import RunOptions
from rgan_sdk.run.outputs import (
    Standing,
    check_folders,
    done_again,
    examine,
    finished_series,
    take_the_place,
)
from rgan_sdk.run.pictures import Pictures
from rgan_sdk.run.planning import Plan, as_source, fixed_time, make_plan, root_of
from rgan_sdk.run.report import Report, SeriesEntry, Status
from rgan_sdk.run.stages import StageClock, Stages
from rgan_sdk.run.worklist import WorkList


def harmonize_directory(
    source: str | Path | WorkList,
    destination: str | Path,
    harmonizer: Harmonizer,
    options: RunOptions | None = None,
    *,
    others: Sequence[Harmonizer] = (),
    observer: Observer | None = None,
) -> Report:
    """Harmonize each eligible CT series below a folder.

    A run on the same two folders continues where an earlier one was stopped: finished series stay
    as they are, unfinished ones start again. So do finished series whose files in ``destination``
    are missing, cut or changed; the report says why, and what was there is kept in
    ``.rgan/replaced``.

    Parameters
    ----------
    source
        Folder that is searched recursively, or a list of series in one; nothing there is changed.
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
    source, destination = as_source(source), as_path("destination", destination)
    _check_types(harmonizer, options, others)
    check_type("observer", observer, Observer, NoneType)
    options = (options or RunOptions()).accepting(harmonizer.outside_domain)
    observer = observer or SilentObserver()
    check_folders(root_of(source), destination, resume=options.resume)
    with lock_folder(destination):
        earlier = read_earlier(destination, fixed_time(source))
        harmonizers, identity = _settle(destination, earlier, (harmonizer, *others), options)
        with Journal(
            destination, identity, fixed_time(source) or run_timestamp(), earlier
        ) as journal:
            plan = make_plan(source, harmonizer.model.card, options, observer)
            observer.on_planned(len(plan.chosen), plan.slices)
            derive = partial(make_derivation, harmonizers[0], journal.timestamp)
            standings = examine(
                plan.chosen, derive, destination, journal.finished, options, observer
            )
            ledger = Ledger(plan, checksums=options.checksums)
            ledger.report.model = describe_model(harmonizer)
            ledger.report.engine = describe_engine(harmonizers)
            ledger.report.timestamp = journal.timestamp.isoformat()
            run = _Run(plan, destination, harmonizers, options, journal, ledger, observer)
            run.harmonize_all(standings)
            try:
                ledger.report.write(journal.report)
            except OutputError as exc:  # the series are all in place
                ledger.report.warnings.append(str(exc))
    return ledger.report


def plan_directory(
    source: str | Path | WorkList,
    destination: str | Path,
    harmonizer: Harmonizer,
    options: RunOptions | None = None,
    *,
    others: Sequence[Harmonizer] = (),
) -> Report:
    """Report what ``harmonize_directory`` would do, and write nothing.

    Series that are finished already, and those that would be done again, are planned with a reason
    that says so.

    Parameters: see ``harmonize_directory``.

    Raises
    ------
    ConfigurationError, OutputError
        Where ``harmonize_directory`` would refuse the folders, the run in them or the devices.
    """
    source, destination = as_source(source), as_path("destination", destination)
    _check_types(harmonizer, options, others)
    options = (options or RunOptions()).accepting(harmonizer.outside_domain)
    check_folders(root_of(source), destination, resume=options.resume)
    earlier = read_earlier(destination, fixed_time(source))
    harmonizers, identity = _settle(destination, earlier, (harmonizer, *others), options)
    plan = make_plan(source, harmonizer.model.card, options)
    timestamp = earlier.timestamp if earlier else fixed_time(source) or run_timestamp()
    finished = earlier.finished_for(identity) if earlier else {}
    ledger = Ledger(plan, checksums=options.checksums)
    ledger.report.aim = "planned"
    derive = partial(make_derivation, harmonizers[0], timestamp)
    for one in examine(plan.chosen, derive, destination, finished, options):
        if one.conflict:
            ledger.record(one.series, "failed", one.conflict)
        elif one.is_done:
            ledger.record(one.series, "planned", "finished")
        else:
            again = f"to be done again, {one.damage}" if one.damage else ""
            ledger.plan(one.series, again, strict_kernel=options.strict_kernel)
    ledger.report.model = describe_model(harmonizer)
    ledger.report.engine = describe_engine(harmonizers)
    return ledger.report


def _check_types(harmonizer: object, options: object, others: Sequence[object]) -> None:
    check_type("harmonizer", harmonizer, Harmonizer)
    check_type("options", options, RunOptions, NoneType)
    check_type("others", others, Sequence)
    for index, other in enumerate(others):
        check_type(f"others[{index}]", other, Harmonizer)


def _settle(
    destination: Path,
    earlier: EarlierRun | None,
    harmonizers: Sequence[Harmonizer],
    options: RunOptions,
) -> tuple[tuple[Harmonizer, ...], RunIdentity]:
    """Return the harmonizers with the run's batch size, and the run's identity."""
    binding = earlier.identity if earlier and earlier.has_series_in(destination) else None
    settled = settle_batch_size(harmonizers, binding)
    check_alike(settled)
    identity = RunIdentity.of(settled[0], options)
    if binding is not None:
        check_same_run(destination, identity, binding)
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

    @property
    def _card(self) -> ModelCard:
        return self.harmonizers[0].model.card

    def harmonize_all(self, standings: Iterable[Standing]) -> None:
        """Harmonize the chosen series and record each, whatever happens."""
        unfinished = self._record_finished(standings)
        stages = Stages(
            self.harmonizers,
            self.clock,
            threads=int(self.options.workers or usable_cores()),
            durable=self.options.durable,
            pictures=self.options.preview,
            noise=self._card.noise_hu is not None,
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
        self.ledger.report.stages = self.clock.summary(len(self.harmonizers))

    def _record_finished(self, standings: Iterable[Standing]) -> list[Standing]:
        """Record the series that need no work, or that cannot be done; return the others."""
        unfinished = []
        for one in standings:
            if one.finished is not None and one.is_done:
                entry = self.ledger.record(
                    one.series, "done", **one.finished.clamping, output=one.output
                )
            elif one.conflict:
                entry = self.ledger.record(one.series, "failed", one.conflict)
            else:
                unfinished.append(one)
                continue
            self.observer.on_written(len(one.series.slices))
            self.observer.on_finished(entry)
        return unfinished

    def _make_jobs(self, unfinished: Iterable[Standing]) -> Iterator[SeriesJob]:
        """Make the folder of each series when its turn comes."""
        judged = look_ahead(unfinished, lambda one: judge_kernel(one.series, self._card))
        for one, kernel in judged:
            folder = self.journal.staging / one.output
            job = SeriesJob(one.series, one.derivation, folder, kernel=kernel, damage=one.damage)
            if self._leaves_aside(job):
                job.fail(IneligibleError(kernel.text))
            try:
                job.folder.mkdir(mode=0o700)
            except OSError as exc:
                job.fail(self._cannot_write(one.output, exc))
            yield job

    def _leaves_aside(self, job: SeriesJob) -> bool:
        return job.kernel.is_suspect and self.options.strict_kernel

    def _conclude(self, job: SeriesJob, pictures: Pictures) -> SeriesEntry:
        """Put a series that has passed all stages into place, or remove it; record it."""
        uid, reason = job.folder.name, ""
        if job.error is None:
            try:
                reason = self._put_in_place(job)
            except RganError as exc:
                job.fail(exc)
            except OSError as exc:
                job.fail(self._cannot_write(uid, exc))
        if job.error is not None:
            shutil.rmtree(job.folder, ignore_errors=True)
            outcome: Status = "skipped" if self._leaves_aside(job) else "failed"
            return self.ledger.record(job.series, outcome, self._reason(job))
        if self.options.preview:
            pictures.paint(job)
        notes = job.notes(self._card)
        return self.ledger.record(job.series, "done", reason, notes, **job.clamping, output=uid)

    def _put_in_place(self, job: SeriesJob) -> str:
        """Return why the series was done again, if it was."""
        if self.options.durable:
            sync(job.folder)
        self.journal.note(finished_series(job))
        target, replaced = self.destination / job.folder.name, self.journal.replaced
        kept = ""
        if job.damage:
            kept = take_the_place(job.folder, target, replaced)
        else:
            job.folder.rename(target)
        if self.options.durable:
            sync(self.destination)
            if kept:
                sync(replaced)
        return done_again(job, f"{STATE_FOLDER}/{replaced.name}/{kept}" if kept else "")

    def _cannot_write(self, uid: str, error: OSError) -> OutputError:
        return OutputError(f"{self.destination}: cannot write series {uid} ({error.strerror})")

    def _reason(self, job: SeriesJob) -> str:
        """Say what went wrong, with paths relative to INPUT and OUTPUT."""
        assert job.error is not None
        text = (
            str(job.error) if isinstance(job.error, RganError) else describe_unexpected(job.error)
        )
        for folder in (self.plan.source, self.destination):
            text = text.replace(f"{folder}{os.sep}", "")
        if job.damage:
            text += f"; it was to be done again, {job.damage}"
        return text

    def _report_smaller_batches(self) -> None:
        for each in self.harmonizers:
            if each.fitting_batch_size < each.batch_size:
                self.ledger.report.warnings.append(
                    f"{each.engine.device}: memory did not suffice for batches of "
                    f"{each.batch_size} slices; they were halved to {each.fitting_batch_size}"
                )
