"""The work of a run: its parts one after the other, each with one model or with none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from rgan_sdk.card import ModelCard
from rgan_sdk.cores import usable_cores
from rgan_sdk.dicom.read.kernel_guard import Verdict, judge_kernel
from rgan_sdk.dicom.series import Series
from rgan_sdk.dicom.write.derivation import Derivation
from rgan_sdk.errors import IneligibleError, OutputError, RganError, describe_unexpected
from rgan_sdk.files import sync
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.run.choosing.chooser import why_copied
from rgan_sdk.run.cohort.cohort import Cohort, cannot_run
from rgan_sdk.run.identity import Configuration, UsedModel, make_derivation
from rgan_sdk.run.jobs import SeriesJob, look_ahead
from rgan_sdk.run.journal import STATE_FOLDER, Journal
from rgan_sdk.run.ledger import Ledger
from rgan_sdk.run.observer import Observer
from rgan_sdk.run.options import RunOptions
from rgan_sdk.run.outputs import (
    Standing,
    done_again,
    examine,
    finished_series,
    take_the_place,
)
from rgan_sdk.run.pictures import Pictures
from rgan_sdk.run.planning import Part, Plan
from rgan_sdk.run.report import SeriesEntry, Status
from rgan_sdk.run.stages import StageClock, Stages

SITE_EFFECT: Final = (
    "{copied} series were copied and {harmonized} harmonized to the same kernel: where that "
    "differs from site to site, it is a difference between sites itself (a site effect); "
    "`processed` tells the series apart"
)


@dataclass
class Work:
    """The work of a run whose folder is locked and whose plan is made."""

    plan: Plan
    cohort: Cohort
    options: RunOptions
    journal: Journal
    ledger: Ledger
    observer: Observer
    clock: StageClock = field(default_factory=StageClock)

    def do_all(self) -> None:
        """Harmonize or copy the chosen series and record each, whatever happens."""
        report, devices = self.ledger.report, 1
        with (
            Pictures(self.cohort.output, report) as pictures,
            closing(self.cohort.open_parts(self.plan, report)) as parts,
        ):
            for part, opened in parts:
                if isinstance(opened, RganError):
                    self._give_up(part, opened)
                else:
                    devices = max(devices, len(opened))
                    _PartOfWork(self, part, opened, pictures).do()
        if self.options.preview:
            pictures.write_contact_sheet()
        report.stages = self.clock.summary(devices)
        self._warn_of_site_effect()

    def _give_up(self, part: Part, error: RganError) -> None:
        """Fail the series of a model that cannot be run; those of others are done."""
        for series in part.series:
            entry = self.ledger.record(series, "failed", cannot_run(part, error))
            self.observer.on_written(len(series.slices))
            self.observer.on_finished(entry)

    def _warn_of_site_effect(self) -> None:
        done = [entry for entry in self.ledger.report.series if entry.status == "done"]
        copied = sum(entry.model is None for entry in done)
        if 0 < copied < len(done):
            self.ledger.report.warnings.append(
                SITE_EFFECT.format(copied=copied, harmonized=len(done) - copied)
            )


@dataclass
class _PartOfWork:
    work: Work
    part: Part
    harmonizers: Sequence[Harmonizer]
    pictures: Pictures

    def __post_init__(self) -> None:
        work = self.work
        self.destination, self.options = work.cohort.output, work.options
        self.journal, self.ledger, self.observer = work.journal, work.ledger, work.observer

    @property
    def _card(self) -> ModelCard | None:
        return self.part.candidate.card if self.part.candidate else None

    @property
    def _paints(self) -> bool:
        return self.options.preview and not self.part.are_copies

    def do(self) -> None:
        unfinished = self._record_finished(self._examine())
        if unfinished and not self.part.are_copies:
            first = self.harmonizers[0]
            configuration = Configuration.of(first).to_json()
            self.journal.note_model(UsedModel.of(first.model), configuration)
        stages = Stages(
            self.harmonizers,
            self.work.clock,
            threads=int(self.options.workers or usable_cores()),
            durable=self.options.durable,
            pictures=self._paints,
            noise=self._card is not None and self._card.noise_hu is not None,
        )
        with closing(stages.run(self._make_jobs(unfinished))) as running:
            for batch in running:
                self.observer.on_written(batch.slices)
                for job in batch.finished:
                    self.observer.on_finished(self._conclude(job))
        self._report_smaller_batches()

    def _examine(self) -> list[Standing]:
        return examine(
            self.part.series,
            derive_with(self.harmonizers[0], self.part, self.journal.timestamp),
            self.destination,
            self.journal.finished,
            self.options,
            self.observer,
        )

    def _record_finished(self, standings: Iterable[Standing]) -> list[Standing]:
        """Record the series that need no work, or that cannot be done; return the others."""
        unfinished = []
        for one in standings:
            if one.finished is not None and one.is_done:
                entry = self.ledger.record(
                    one.series,
                    "done",
                    why_copied(one.series) if one.derivation is None else "",
                    clips=one.finished.clips,
                    output=one.output,
                    processed=is_processed(one.derivation),
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
        judged = look_ahead(unfinished, lambda one: self._judge(one.series))
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

    def _judge(self, series: Series) -> Verdict:
        return judge_kernel(series, self._card) if self._card else Verdict()

    def _leaves_aside(self, job: SeriesJob) -> bool:
        return job.kernel.is_suspect and self.options.strict_kernel

    def _conclude(self, job: SeriesJob) -> SeriesEntry:
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
        if self._paints:
            self.pictures.paint(job)
        return self.ledger.record(
            job.series,
            "done",
            reason,
            job.notes(self._card) if self._card else (),
            clips=job.clips,
            output=uid,
            processed=is_processed(job.derivation),
        )

    def _put_in_place(self, job: SeriesJob) -> str:
        """Return why the series was copied or done again, if it was."""
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
        again = done_again(job, f"{STATE_FOLDER}/{replaced.name}/{kept}" if kept else "")
        copied = why_copied(job.series) if job.derivation is None else ""
        return "; ".join(filter(None, (copied, again)))

    def _cannot_write(self, uid: str, error: OSError) -> OutputError:
        return OutputError(f"{self.destination}: cannot write series {uid} ({error.strerror})")

    def _reason(self, job: SeriesJob) -> str:
        """Say what went wrong, with paths relative to INPUT and OUTPUT."""
        assert job.error is not None
        text = (
            str(job.error) if isinstance(job.error, RganError) else describe_unexpected(job.error)
        )
        for folder in (self.work.plan.source, self.destination):
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


def derive_with(
    harmonizer: Harmonizer, part: Part, timestamp: datetime
) -> Callable[[Series], Derivation | None]:
    """Return what tells how each series of a part is harmonized: None where it is copied."""
    if part.are_copies:
        return lambda series: None
    return partial(make_derivation, harmonizer, timestamp)


def is_processed(derivation: Derivation | None) -> bool:
    """Return whether pixels are changed, rather than copied or left to the identity engine."""
    return derivation is not None and derivation.harmonizes
