"""Harmonize the NIfTI files of a folder, with the journal that runs over DICOM series keep.

A scan is finished when its file and its sidecar are in OUTPUT *and* its line is in the journal
*and* they have the sizes that the line states. OUTPUT has the folders and names of INPUT.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

from rgan_sdk import _core
from rgan_sdk.dicom.discovery import open_raw, walk
from rgan_sdk.dicom.write.writer import format_crc32c
from rgan_sdk.errors import (
    ConfigurationError,
    IneligibleError,
    NiftiError,
    OutputError,
    RganError,
)
from rgan_sdk.files import is_there, sync
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.nifti.job import NiftiJob, NiftiTask
from rgan_sdk.nifti.outcomes import Outcomes, describe_error, picture_name
from rgan_sdk.nifti.scan import open_scan
from rgan_sdk.nifti.sidecar import is_nifti, sidecar_path
from rgan_sdk.nifti.single import is_compressed
from rgan_sdk.run.cohort.lock import lock_folder
from rgan_sdk.run.delivery.sharing import open_to_group
from rgan_sdk.run.observer import Observer, SilentObserver
from rgan_sdk.run.options import RunOptions
from rgan_sdk.run.outputs import check_folders
from rgan_sdk.run.pictures import FOLDER as PICTURES
from rgan_sdk.run.places.layout import find_obstacle, make_folders
from rgan_sdk.run.report import Report
from rgan_sdk.run.state.finished import FinishedSeries, OutputFile
from rgan_sdk.run.state.identity import RunIdentity, run_timestamp, settle_batch_size
from rgan_sdk.run.state.journal import EarlierRun, Journal, check_same_run, read_journal

OTHER_FILE: Final = "not a NIfTI file"
ADVICE: Final = "choose another OUTPUT"


def holds_scans(folder: Path) -> bool:
    """Return whether a folder holds NIfTI files, and no DICOM file at all.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    if not any(is_nifti(path) for path, problem in walk(folder) if problem is None):
        return False
    return not any(_is_dicom(Path(path)) for path, problem in walk(folder) if problem is None)


def harmonize_folder(
    source: Path,
    destination: Path,
    harmonizer: Harmonizer,
    options: RunOptions | None = None,
    *,
    kernel: str | None = None,
    observer: Observer | None = None,
    dry_run: bool = False,
) -> Report:
    """Harmonize each NIfTI file below a folder that the model takes.

    A run on the same two folders continues where an earlier one was stopped.

    Parameters
    ----------
    options
        ``workers``, ``layout`` and ``names`` do not matter here.
    kernel
        ConvolutionKernel of the scans whose sidecar does not state it.
    dry_run
        Write nothing.

    Returns
    -------
    Report
        One outcome per scan and per file found.

    Raises
    ------
    ConfigurationError, OutputError, OutputBusyError
        As ``rgan_sdk.run.directory.harmonize_directory`` does, and where nibabel is missing.
    """
    options = (options or RunOptions()).accepting(harmonizer.outside_domain)
    observer = observer or SilentObserver()
    check_folders(source, destination, resume=options.resume)
    if dry_run:
        earlier = read_journal(destination)
        settled, identity = _settle(destination, earlier, harmonizer, options, kernel)
        finished = earlier.finished_for(identity) if earlier else {}
        task = NiftiTask(settled, options, kernel, run_timestamp(), observer)
        folder = _Folder(source, destination, task, finished, None)
        folder.run()
        return folder.outcomes.report
    with lock_folder(destination, durable=options.durable):
        earlier = read_journal(destination)
        settled, identity = _settle(destination, earlier, harmonizer, options, kernel)
        with Journal(destination, identity, run_timestamp(), earlier) as journal:
            task = NiftiTask(settled, options, kernel, journal.timestamp, observer)
            folder = _Folder(source, destination, task, journal.finished, journal)
            folder.run()
            report = folder.outcomes.report
            report.timestamp = journal.timestamp.isoformat()
            try:
                report.write(journal.report)
            except OutputError as exc:  # the scans are all in place
                report.warnings.append(str(exc))
    return report


def _is_dicom(path: Path) -> bool:
    if is_nifti(path) or path.suffix.lower() == ".json":
        return False
    try:
        with open_raw(path):
            return True
    except RganError as exc:
        return not isinstance(exc, IneligibleError)


def _settle(
    destination: Path,
    earlier: EarlierRun | None,
    harmonizer: Harmonizer,
    options: RunOptions,
    kernel: str | None,
) -> tuple[Harmonizer, RunIdentity]:
    """Return the harmonizer with the run's batch size, and the run's identity."""
    binding = earlier.identity if earlier and earlier.has_series_in(destination) else None
    (settled,) = settle_batch_size([harmonizer], binding)
    identity = RunIdentity.of(settled, options)
    identity = replace(identity, options={**identity.options, "kernel": kernel})
    if binding is not None:
        check_same_run(destination, identity, binding)
    return settled, identity


class _Folder:
    """A run over a folder; without a journal it only says what would be done."""

    def __init__(
        self,
        source: Path,
        destination: Path,
        task: NiftiTask,
        finished: dict[str, FinishedSeries],
        journal: Journal | None,
    ) -> None:
        self._source, self._destination, self._task = source, destination, task
        self._finished, self._journal = finished, journal
        self._owners = {sidecar_path(Path(name)): name for name in finished}
        self.outcomes = Outcomes(task, source)

    def run(self) -> None:
        """Harmonize what is not finished, by ascending pixel spacing."""
        jobs = self._plan()
        # A sidecar keeps its first outcome, so its owner goes before the others with that name.
        jobs.sort(key=lambda job: (self._owner(job) != job.name, job.scan.mean_pixel_spacing))
        self._task.observer.on_planned(len(jobs), sum(job.scan.count for job in jobs))
        for job in jobs:
            try:
                self._harmonize(job)
            except IneligibleError as exc:
                self.outcomes.record(job.name, "skipped", str(exc), job)
            except OSError as exc:
                reason = f"{self._destination}: cannot be written ({exc.strerror})"
                self.outcomes.record(job.name, "failed", reason, job)
            except Exception as exc:  # one broken scan must not end a night's batch
                self.outcomes.record(job.name, "failed", describe_error(exc), job)
            finally:
                job.middle = ()  # all jobs stay in memory

    def _plan(self) -> list[NiftiJob]:
        """Return the scans that the model takes, and record all other files."""
        jobs, others = [], []
        shard = self._task.options.shard
        for count, (found, problem) in enumerate(walk(self._source), 1):
            path = Path(found)
            self._task.observer.on_found(count)
            name = path.relative_to(self._source).as_posix()
            if problem is not None or not is_nifti(path):
                others.append((path, problem))
            elif shard is not None and not shard.holds(name):
                self.outcomes.record(name, "skipped", shard.why_left)
            else:
                jobs += self._take(path, name)
        self._record_others(others, jobs)
        return jobs

    def _take(self, path: Path, name: str) -> list[NiftiJob]:
        """Return the job of a file that the model takes; record any other."""
        job = None
        try:
            job = NiftiJob(self._task, name, open_scan(path, self._task.kernel))
            job.check_eligible()
        except ConfigurationError:  # nibabel is missing
            raise
        except IneligibleError as exc:
            self.outcomes.record(name, "skipped", str(exc), job)
        except Exception as exc:  # concerns this file only
            self.outcomes.record(name, "failed", describe_error(exc), job)
        else:
            return [job]
        return []

    def _owner(self, job: NiftiJob) -> str:
        """Return the scan that has the sidecar of this name in OUTPUT: finished, or found first."""
        return self._owners.setdefault(sidecar_path(Path(job.name)), job.name)

    def _record_others(
        self, others: list[tuple[Path, OSError | IneligibleError | None]], jobs: list[NiftiJob]
    ) -> None:
        beside = {sidecar_path(job.scan.path) for job in jobs}
        for path, problem in others:
            if isinstance(problem, OSError):
                self.outcomes.record_file(path, "failed", f"cannot be read: {problem.strerror}")
            elif path not in beside:
                self.outcomes.record_file(path, "skipped", str(problem or OTHER_FILE))

    def _harmonize(self, job: NiftiJob) -> None:
        target = self._destination / job.name
        if (owner := self._owner(job)) != job.name:
            shared = sidecar_path(target).name
            raise NiftiError(f"{owner} and {job.name} would share {shared}; rename one of them")
        finished = self._finished.get(job.name)
        picture = f"{PICTURES}/{picture_name(job.name)}"
        if self._stands(job, target, finished):
            assert finished is not None
            job.take_over(finished)
            self._task.observer.on_written(job.scan.count)
            if self._journal is None:
                self.outcomes.record(job.name, "planned", "finished", job)
            else:
                self._share(job.name, picture)
                self.outcomes.record(job.name, "done", job=job, output=job.name)
            return
        values = job.read()
        if self._journal is None:
            self.outcomes.record(job.name, "planned", job=job)
            return
        scan, sidecar = self._journal.staging / target.name, self._journal.staging / "sidecar.json"
        job.harmonize(values, scan, sidecar, compress=is_compressed(target))
        self._put_in_place(self._journal, job, {scan: target, sidecar: sidecar_path(target)})
        self.outcomes.record(job.name, "done", job=job, output=job.name)
        if self._task.options.preview:
            self.outcomes.paint(job, self._destination, picture)
        self._share(job.name, picture)

    def _share(self, name: str, picture: str) -> None:
        """Let the group read a scan, its sidecar and its picture, where that was asked for."""
        if self._task.options.group_readable:
            sidecar = sidecar_path(self._destination / name).relative_to(self._destination)
            for one in (name, str(sidecar), picture):
                open_to_group(self._destination, one, self.outcomes.report)

    def _stands(self, job: NiftiJob, target: Path, finished: FinishedSeries | None) -> bool:
        """Return whether a scan is finished.

        Raises
        ------
        OutputError
            If something else stands in its place.
        """
        if obstacle := find_obstacle(self._destination, PurePosixPath(job.name).parent):
            raise OutputError(obstacle)
        places = (target, sidecar_path(target))
        if not any(map(is_there, places)):
            return False
        if finished is None:
            if is_there(target):
                raise OutputError(f"{job.name} is in OUTPUT, but not in its journal; {ADVICE}")
            raise OutputError(f"{places[1].name} is in OUTPUT already; {ADVICE}")
        if finished.sources != _hash_sources(job):
            raise OutputError(f"is not what {job.name} in OUTPUT was made of; {ADVICE}")
        if is_there(target) and (problem := self._damage(finished)):
            there = " and ".join(path.name for path in filter(is_there, places))
            raise OutputError(
                f"{job.name} in OUTPUT: {problem}; remove {there} there to make both anew, or "
                f"{ADVICE}"
            )
        return is_there(target)

    def _damage(self, finished: FinishedSeries) -> str:
        """Return how files differ from what the journal says; empty if they do not.

        A link may lead out of OUTPUT, so it is not followed.
        """
        for file in finished.files:
            path = self._destination / file.name
            if path.is_symlink() or not path.is_file() or path.stat().st_size != file.size:
                return f"{path.name} is missing, cut or changed"
            if self._task.options.verify_outputs and _describe(path, file.name) != file:
                return f"{path.name} has changed"
        return ""

    def _put_in_place(self, journal: Journal, job: NiftiJob, moves: dict[Path, Path]) -> None:
        """Note a scan, then rename its sidecar, and at last the scan itself."""
        durable = self._task.options.durable
        above = PurePosixPath(job.name).parent
        make_folders(self._destination, above, durable=durable)
        files = tuple(
            _describe(staged, target.relative_to(self._destination).as_posix())
            for staged, target in moves.items()
        )
        if durable:
            for staged in moves:
                sync(staged)
        journal.note(
            FinishedSeries(
                source=job.name,
                model=self._task.harmonizer.model.sha256,
                output=job.name,
                files=files,
                sources=_hash_sources(job),
                clips=job.clips,
                clamped=job.clamped,
                outside=tuple(job.outside),
                noise_hu=job.noise_hu,
                kernel_note=job.kernel.text,
            )
        )
        for staged, target in reversed(moves.items()):
            staged.rename(target)
        if durable:
            sync(self._destination / above)


def _describe(path: Path, name: str) -> OutputFile:
    content = path.read_bytes()
    return OutputFile(name, len(content), format_crc32c(_core.crc32c(content)))


def _hash_sources(job: NiftiJob) -> str:
    """Return a hash of the file and of what its sidecar says."""
    parts = (job.source_sha256, json.dumps(job.scan.sidecar.fields, sort_keys=True))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
