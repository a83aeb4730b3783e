"""The work of a run: its parts one after the other, each with one model or with none."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from rgan_sdk.card import ModelCard
from rgan_sdk.dicom.series import Series
from rgan_sdk.dicom.write.derivation import Derivation
from rgan_sdk.errors import OutputError, RganError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.run.choosing.chooser import why_copied
from rgan_sdk.run.cluster.choosing import crew_of
from rgan_sdk.run.cluster.crew import Manner
from rgan_sdk.run.cohort.cohort import Cohort, OpenPart, cannot_run
from rgan_sdk.run.delivery.mapping import MAPPING, write_mapping
from rgan_sdk.run.delivery.placing import put_in_place
from rgan_sdk.run.delivery.sharing import open_to_group
from rgan_sdk.run.jobs import SeriesJob, is_processed
from rgan_sdk.run.ledger import Ledger
from rgan_sdk.run.observer import Observer
from rgan_sdk.run.options import RunOptions
from rgan_sdk.run.outputs import Standing, begin, examine
from rgan_sdk.run.pictures import FOLDER as PREVIEWS
from rgan_sdk.run.pictures import Pictures
from rgan_sdk.run.planning import Part, Plan
from rgan_sdk.run.report import SeriesEntry
from rgan_sdk.run.reports.files import Status
from rgan_sdk.run.stages import StageClock
from rgan_sdk.run.state.identity import Configuration, UsedModel, make_derivation
from rgan_sdk.run.state.journal import Journal

SITE_EFFECT: Final = (
    "{copied} series were copied and {harmonized} harmonized to the same kernel: where that "
    "differs from site to site, it is a difference between sites itself (a site effect); "
    "`processed` tells the series apart"
)


@dataclass
class Work:
    """The work of a run whose folder is locked, whose plan is made, and whose models are opened."""

    plan: Plan
    parts: Iterator[OpenPart]
    cohort: Cohort
    options: RunOptions
    journal: Journal
    ledger: Ledger
    observer: Observer
    clock: StageClock = field(default_factory=StageClock)

    def do_all(self) -> None:
        """Harmonize or copy the chosen series and record each, whatever happens."""
        try:
            self._do_parts()
        finally:
            self._map_series()
        self._warn_of_site_effect()

    def _do_parts(self) -> None:
        report, devices = self.ledger.report, 1
        with Pictures(self.cohort.output, report) as pictures:
            for part, opened in self.parts:
                if isinstance(opened, RganError):
                    self._give_up(part, opened)
                else:
                    devices = max(devices, len(opened))
                    _PartOfWork(self, part, opened, pictures).do()
        if self.options.preview:
            pictures.write_contact_sheet()
        report.stages = self.clock.summary(devices)

    def _map_series(self) -> None:
        """Write what became of each series so far."""
        write_mapping(self.cohort.output, self.plan, self.ledger.report)
        self.share(MAPPING)
        self.share(PREVIEWS)

    def share(self, name: str) -> None:
        """Let the group read what lies in OUTPUT by that name, if that is wanted."""
        if self.options.group_readable:
            open_to_group(self.cohort.output, name, self.ledger.report)

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
        manner = Manner(
            card=self._card,
            strict_kernel=self.options.strict_kernel,
            threads=self.options.workers,
            durable=self.options.durable,
            pictures=self._paints,
        )
        crew = crew_of(self.harmonizers, manner, self.work.clock)
        with closing(crew.run(self._make_jobs(unfinished))) as running:
            for batch in running:
                batch.tell(self.observer)
                for job in batch.finished:
                    self.observer.on_finished(self._conclude(job))
        self.ledger.report.warnings += crew.warnings

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
                    (*one.notes, *(one.finished.notes(self._card) if self._card else ())),
                    **one.finished.clamping,
                    output=one.output,
                    processed=is_processed(one.derivation),
                    noise_hu=one.finished.noise_hu,
                )
                self.work.share(one.output)
                if self._paints:
                    self.pictures.paint_missing(begin(one, self.journal.staging, self.options))
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
        for one in unfinished:
            job = begin(one, self.journal.staging, self.options)
            try:
                job.folder.mkdir(mode=0o700)
            except OSError as exc:
                job.fail(self._cannot_write(job, exc))
            yield job

    def _conclude(self, job: SeriesJob) -> SeriesEntry:
        """Put a series that has passed all stages into place, or remove it; record it."""
        reason = ""
        if job.error is None:
            try:
                reason = self._put_in_place(job)
            except RganError as exc:
                job.fail(exc)
            except OSError as exc:
                job.fail(self._cannot_write(job, exc))
        if job.error is not None:
            shutil.rmtree(job.folder, ignore_errors=True)
            outcome: Status = "skipped" if job.is_left_aside else "failed"
            reason = job.explain(self.work.plan.source, self.destination)
            return self.ledger.record(job.series, outcome, reason)
        if self._paints:
            self.pictures.paint(job)
        self.work.share(job.output)
        return self.ledger.record(
            job.series,
            "done",
            reason,
            job.notes(self._card) if self._card else (),
            **job.clamping,
            output=job.output,
            processed=is_processed(job.derivation),
            noise_hu=job.noise_hu,
        )

    def _put_in_place(self, job: SeriesJob) -> str:
        """Return why the series was copied or done again, if it was."""
        durable = self.options.durable
        again = put_in_place(job, self.destination, self.journal, durable=durable)
        copied = why_copied(job.series) if job.derivation is None else ""
        return "; ".join(filter(None, (copied, again)))

    def _cannot_write(self, job: SeriesJob, error: OSError) -> OutputError:
        return OutputError(
            f"{self.destination}: cannot write series {job.folder.name} ({error.strerror})"
        )


def derive_with(
    harmonizer: Harmonizer, part: Part, timestamp: datetime
) -> Callable[[Series], Derivation | None]:
    """Return what tells how each series of a part is harmonized: None where it is copied."""
    if part.are_copies:
        return lambda series: None
    return partial(make_derivation, harmonizer, timestamp)
