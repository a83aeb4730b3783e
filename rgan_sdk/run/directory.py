"""Harmonize a folder of DICOM series.

The series is the unit of work. It is written to a staging folder and renamed into
place when its last slice is there, so that it appears whole or not at all. Whatever
goes wrong with one series is reported, and the next one goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import rgan_sdk
from rgan_sdk.dicom.series import Series
from rgan_sdk.dicom.write.derivation import Derivation, derived_series_uid
from rgan_sdk.errors import ConfigurationError, OutputError, RganError, unexpected
from rgan_sdk.files import sync
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.run.journal import (
    STATE_FOLDER,
    FinishedSeries,
    Journal,
    RunIdentity,
    check_same_run,
    earlier_identity,
    has_journal,
    locked,
)
from rgan_sdk.run.pictures import Pictures
from rgan_sdk.run.planning import Observer, Plan, Shard, SilentObserver, make_plan
from rgan_sdk.run.report import Report, SeriesEntry
from rgan_sdk.run.stages import SeriesJob, StageClock, Stages

MAX_BATCH = 9999
SOFTWARE = f"rgan-sdk {rgan_sdk.__version__}"


def harmonize_directory(
    source: str | Path,
    destination: str | Path,
    harmonizer: Harmonizer,
    *,
    others: Sequence[Harmonizer] = (),
    any_kernel: bool = False,
    workers: int | None = None,
    preview: bool = False,
    checksums: bool = False,
    durable: bool = True,
    resume: bool = True,
    shard: Shard | None = None,
    observer: Observer | None = None,
) -> Report:
    """Harmonize each eligible CT series below a folder.

    A run on the same folders goes on where an earlier one was stopped: what is finished is
    not done again, and what is not finished is done from the start.

    Parameters
    ----------
    source
        Folder that is searched recursively; nothing in it is changed.
    destination
        Absent or empty, or of a run to go on with; gets one folder per new series.
    others
        The same model on further devices, which share the work with ``harmonizer``.
    any_kernel
        Also take series whose kernel the model's card does not name.
    workers
        Threads that read and write; None takes one per core.
    preview
        Also write a before/after picture per series to ``previews/``, and all of them on one sheet.
    checksums
        Also report the SHA-256 of each file, which reads all of them once more.
    durable
        Whether a series is on the disk, and not only in the system's memory, before it appears:
        then it survives a power cut. Without it a run is faster.
    resume
        False refuses a ``destination`` that is not empty.
    shard
        Take only a part of the series, for one of several machines; each needs a
        ``destination`` of its own.
    observer
        Is told how the run goes on.

    Returns
    -------
    Report
        One outcome per series and per file found.

    Raises
    ------
    ConfigurationError, OutputError
        If the folders cannot be used; errors of single series are in the report.
    OutputBusyError
        If another run writes to ``destination``.
    """
    source, destination = Path(source), Path(destination)
    if workers is not None and workers < 1:
        raise ConfigurationError(f"workers = {workers} must be at least 1")
    observer = observer or SilentObserver()
    check_folders(source, destination, resume=resume)
    harmonizers = (harmonizer, *others)
    with ExitStack() as stack:
        stack.enter_context(locked(destination))
        _agree_on_batch_size(harmonizers, earlier_identity(destination))
        check_alike(harmonizers)
        identity = _identity(harmonizer, any_kernel, shard)
        journal = stack.enter_context(Journal(destination, identity, run_timestamp()))
        plan = make_plan(
            source,
            harmonizer.model.card,
            any_kernel=any_kernel,
            shard=shard,
            checksums=checksums,
            observer=observer,
        )
        _describe(plan.report, harmonizer)
        plan.report.engine["device"] = ",".join(each.engine.device for each in harmonizers)
        plan.report.timestamp = journal.timestamp.isoformat()
        observer.planned(len(plan.chosen), sum(len(series.slices) for series in plan.chosen))
        configuration = identity.configuration
        run = _Run(
            plan, destination, harmonizers, configuration, journal, preview, durable, observer
        )
        run.harmonize_all(workers or os.cpu_count() or 1)
        try:
            plan.report.write(journal.report)
        except OutputError as exc:  # all series are there
            plan.report.warnings.append(str(exc))
    return plan.report


def plan_directory(
    source: str | Path,
    destination: str | Path,
    harmonizer: Harmonizer,
    *,
    others: Sequence[Harmonizer] = (),
    any_kernel: bool = False,
    checksums: bool = False,
    resume: bool = True,
    shard: Shard | None = None,
) -> Report:
    """Report what ``harmonize_directory`` would do, and write nothing.

    Raises
    ------
    ConfigurationError, OutputError
        Where ``harmonize_directory`` would refuse the folders, the run in them or the devices.
    """
    earlier = earlier_identity(Path(destination))
    _agree_on_batch_size((harmonizer, *others), earlier)
    check_alike((harmonizer, *others))
    check_folders(Path(source), Path(destination), resume=resume)
    if earlier is not None:
        check_same_run(Path(destination), _identity(harmonizer, any_kernel, shard), earlier)
    plan = make_plan(
        Path(source),
        harmonizer.model.card,
        any_kernel=any_kernel,
        shard=shard,
        checksums=checksums,
    )
    _describe(plan.report, harmonizer)
    return plan.as_report()


def run_timestamp() -> datetime:
    """Return the time to write into new objects; ``SOURCE_DATE_EPOCH`` fixes it."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH")
    if fixed is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        return datetime.fromtimestamp(int(fixed), UTC)
    except (ValueError, OverflowError, OSError) as exc:
        raise ConfigurationError(
            f"SOURCE_DATE_EPOCH={fixed!r} is no number of seconds since 1970"
        ) from exc


@dataclass
class _Run:
    plan: Plan
    destination: Path
    harmonizers: Sequence[Harmonizer]
    configuration: str
    journal: Journal
    preview: bool
    durable: bool
    observer: Observer
    clock: StageClock = field(default_factory=StageClock)

    def harmonize_all(self, threads: int) -> None:
        """Harmonize the chosen series and report each, whatever happens."""
        left = [series for series in self.plan.chosen if not self._is_finished(series)]
        stages = Stages(
            self.harmonizers,
            self.clock,
            threads=threads,
            durable=self.durable,
            pictures=self.preview,
        )
        with (
            closing(stages.run(self._jobs(left))) as running,
            Pictures(self.destination, self.plan.report) as pictures,
        ):
            for progress in running:
                self.observer.written(progress.slices)
                for job in progress.finished:
                    self.observer.finished(self._conclude(job, pictures))
        if self.preview:
            pictures.write_contact_sheet()
        if "infer" in self.clock.busy:
            self.clock.busy["infer"] /= len(self.harmonizers)
        self._tell_smaller_batches()
        self.plan.report.stages = {stage: round(busy, 3) for stage, busy in self.clock.busy.items()}

    def _tell_smaller_batches(self) -> None:
        for each in self.harmonizers:
            if each.fitting_batch_size < each.batch_size:
                self.plan.report.warnings.append(
                    f"{each.engine.device}: memory did not suffice for batches of "
                    f"{each.batch_size} slices; they were halved to {each.fitting_batch_size}"
                )

    def _is_finished(self, series: Series) -> bool:
        """Report a series that an earlier run has finished, or that stands in the way."""
        uid = derived_series_uid(series.series_instance_uid, self._derivation(series))
        if not self.journal.is_in_place(uid):
            return False
        finished, reason = self.journal.finished(uid), ""
        if finished is None:
            reason = f"{uid} is in OUTPUT, but not in its journal; choose another OUTPUT"
        elif finished.sources != _sources(series):
            reason = f"its slices are not those that {uid} was made of; choose another OUTPUT"
        if reason:
            entry = self.plan.conclude(series, "failed", reason)
        else:
            assert finished is not None
            entry = self.plan.conclude(series, "done", clips=finished.clips, output=uid)
        self.observer.written(len(series.slices))
        self.observer.finished(entry)
        return True

    def _jobs(self, left: Iterable[Series]) -> Iterator[SeriesJob]:
        """Make the folder of each series when its turn comes."""
        for series in left:
            derivation = self._derivation(series)
            uid = derived_series_uid(series.series_instance_uid, derivation)
            job = SeriesJob(series, derivation, self.journal.staging / uid)
            try:
                job.folder.mkdir(mode=0o700)
            except OSError as exc:
                job.fail(self._cannot_write(uid, exc))
            yield job

    def _conclude(self, job: SeriesJob, pictures: Pictures) -> SeriesEntry:
        """Put a series that is through into place, or remove it; report it."""
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
            return self.plan.conclude(job.series, "failed", self._reason(job.error))
        if self.preview:
            pictures.paint(job)
        return self.plan.conclude(job.series, "done", clips=job.clips, output=uid)

    def _put_in_place(self, job: SeriesJob) -> None:
        if self.durable:
            sync(job.folder)
        uid = job.folder.name
        self.journal.note(FinishedSeries(uid, _sources(job.series), job.clips))
        job.folder.rename(self.destination / uid)
        if self.durable:
            sync(self.destination)

    def _cannot_write(self, uid: str, error: OSError) -> OutputError:
        return OutputError(f"{self.destination}: cannot write series {uid} ({error.strerror})")

    def _reason(self, error: Exception) -> str:
        """Say what went wrong, with paths relative to INPUT and OUTPUT."""
        if not isinstance(error, RganError):
            return unexpected(error)
        text = str(error)
        for folder in (self.plan.source, self.destination):
            text = text.replace(f"{folder}{os.sep}", "")
        return text

    def _derivation(self, series: Series) -> Derivation:
        first = self.harmonizers[0]
        model = first.model
        return Derivation(
            target_kernel=model.card.target_kernel,
            model_name=model.card.name,
            model_version=model.card.version,
            model_sha256=model.sha256,
            configuration=self.configuration,
            engine=first.engine.name,
            software=SOFTWARE,
            timestamp=self.journal.timestamp,
            group=series.group,
        )


def check_folders(source: Path, destination: Path, *, resume: bool = True) -> None:
    """Refuse folders that would mix input and output, or results and other files.

    Raises
    ------
    ConfigurationError
        If ``source`` is no folder, or one lies inside the other.
    OutputError
        If ``destination`` is not empty and holds no run to go on with.
    """
    try:
        inner, outer = destination.resolve(), source.resolve()
        if inner == outer or outer in inner.parents or inner in outer.parents:
            raise ConfigurationError(
                f"INPUT {source} and OUTPUT {destination} lie inside each other; "
                "choose another OUTPUT"
            )
        if not source.is_dir():
            raise ConfigurationError(f"{source}: no such folder; INPUT is a folder of DICOM files")
        left_over = [path.name for path in destination.iterdir()] if destination.exists() else []
    except OSError as exc:
        raise ConfigurationError(f"{exc.filename}: cannot be used ({exc.strerror})") from exc
    # Without its journal there is no telling what a run has left, unless it left nothing at all.
    of_a_run = left_over == [STATE_FOLDER] or has_journal(destination)
    if left_over and not (of_a_run and resume):
        hint = "leave --no-resume out to go on with its run, or " if of_a_run else ""
        raise OutputError(f"{destination}: is not empty; {hint}choose an empty or a new folder")


def check_alike(harmonizers: Sequence[Harmonizer]) -> None:
    """Refuse harmonizers that would not give the same pixels.

    Raises
    ------
    ConfigurationError
        If model, engine, batch size or kind of device differ.
    """
    kinds = {
        (each.model.sha256, _configuration(each), each.batch_size, each.engine.hardware)
        for each in harmonizers
    }
    if len(kinds) > 1:
        raise ConfigurationError(
            "several devices must give the same pixels: the same model, engine and batch size, and "
            "one kind of device"
        )
    if len({id(each) for each in harmonizers}) < len(harmonizers):
        raise ConfigurationError("each device needs a harmonizer of its own")


def _agree_on_batch_size(harmonizers: Sequence[Harmonizer], earlier: RunIdentity | None) -> None:
    """Let all take one batch size, where it was left to them: that of the run to go on with."""
    if not all(each.is_automatic for each in harmonizers):
        return
    batch = min(each.own_batch_size for each in harmonizers)
    made = json.loads(earlier.configuration) if earlier else {}
    before = made.get("batch")
    same_but_for_that = {**json.loads(_configuration(harmonizers[0])), "batch": before} == made
    if type(before) is int and 1 <= before <= MAX_BATCH and same_but_for_that:
        batch = before
    for each in harmonizers:
        each.use_batch_size(batch)


def _identity(harmonizer: Harmonizer, any_kernel: bool, shard: Shard | None) -> RunIdentity:
    options = {"any_kernel": any_kernel, "shard": str(shard) if shard else None}
    return RunIdentity(harmonizer.model.sha256, _configuration(harmonizer), SOFTWARE, options)


def _sources(series: Series) -> str:
    """Return a hash of which slices a series has, and how large their files are."""
    lines = sorted(f"{file.sop_instance_uid} {file.stamp.size}\n" for file in series.slices)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _configuration(harmonizer: Harmonizer) -> str:
    """Return what changes pixels, as canonical JSON: never workers, never paths."""
    engine = harmonizer.engine
    batch = "any" if engine.batch_invariant else harmonizer.batch_size
    fields = {"batch": batch, "engine": engine.name, "precision": engine.precision}
    return json.dumps(fields, sort_keys=True, separators=(",", ":"))


def _describe(report: Report, harmonizer: Harmonizer) -> None:
    model, engine = harmonizer.model, harmonizer.engine
    report.model = {
        "name": model.card.name,
        "version": model.card.version,
        "sha256": model.sha256,
        "source_kernels": list(model.card.source_kernels),
        "target_kernel": model.card.target_kernel,
    }
    report.engine = {
        "name": engine.name,
        "version": engine.version,
        "device": engine.device,
        "hardware": engine.hardware,
        "precision": engine.precision,
        "deviation_hu": asdict(engine.deviation) if engine.deviation else None,
        "passed_over": list(engine.passed_over),
        "batch_size": harmonizer.batch_size,
        "configuration": _configuration(harmonizer),
    }
