"""Harmonize one NIfTI file into another. It appears whole or not at all; no state is kept."""

from __future__ import annotations

import glob
from contextlib import nullcontext
from pathlib import Path

from rgan_sdk.errors import ConfigurationError, IneligibleError, OutputError
from rgan_sdk.files import atomic_write, is_there, sync
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.nifti.job import NiftiJob, NiftiTask
from rgan_sdk.nifti.lock import lock_file
from rgan_sdk.nifti.outcomes import Outcomes, describe_error, picture_name
from rgan_sdk.nifti.scan import open_scan
from rgan_sdk.nifti.sidecar import Sidecar, is_nifti, sidecar_path
from rgan_sdk.run.delivery.sharing import share
from rgan_sdk.run.observer import Observer, SilentObserver
from rgan_sdk.run.options import RunOptions
from rgan_sdk.run.report import Report
from rgan_sdk.run.state.identity import run_timestamp


def harmonize_file(
    source: Path,
    destination: Path,
    harmonizer: Harmonizer,
    options: RunOptions | None = None,
    *,
    kernel: str | None = None,
    observer: Observer | None = None,
    dry_run: bool = False,
) -> Report:
    """Harmonize a NIfTI file and write it, with its sidecar, to another name.

    Parameters
    ----------
    source, destination
        Names that end in ``.nii`` or ``.nii.gz``.
    options
        ``outside_domain``, ``strict_kernel``, ``assume_hu``, ``durable``, ``preview``,
        ``checksums`` and ``group_readable`` matter here.
    kernel
        ConvolutionKernel, where no sidecar states it.
    dry_run
        Write nothing.

    Returns
    -------
    Report
        With one series. What is wrong with ``source`` is in it.

    Raises
    ------
    ConfigurationError, OutputError, OutputBusyError
        If ``destination`` cannot be written to, or nibabel is missing.
    """
    options = (options or RunOptions()).accepting(harmonizer.outside_domain)
    _check_names(source, destination)
    observer = observer or SilentObserver()
    task = NiftiTask(harmonizer, options, kernel, run_timestamp(), observer)
    with nullcontext() if dry_run else lock_file(destination):
        _check_free(destination, options)
        return _harmonize(task, source, destination, dry_run=dry_run)


def is_compressed(path: Path) -> bool:
    """Return whether the name is that of a compressed file."""
    return path.suffix.lower() == ".gz"


def _harmonize(task: NiftiTask, source: Path, destination: Path, *, dry_run: bool) -> Report:
    outcomes = Outcomes(task, source.parent)
    durable = task.options.durable
    job = None
    try:
        job = NiftiJob(task, source.name, open_scan(source, task.kernel))
        job.check_eligible()
        task.observer.on_planned(1, job.scan.count)
        values = job.read()
        if dry_run:
            outcomes.record(source.name, "planned", job=job)
            return outcomes.report
        # The sidecar is renamed first: a scan that is there has one.
        with (
            atomic_write(destination, durable=durable) as scan,
            atomic_write(sidecar_path(destination), durable=durable) as sidecar,
        ):
            job.harmonize(values, scan, sidecar, compress=is_compressed(destination))
            _check_free(destination, task.options)
    except IneligibleError as exc:
        outcomes.record(source.name, "skipped", str(exc), job)
    except ConfigurationError:
        raise
    except OSError as exc:
        raise OutputError(f"{destination}: cannot be written ({exc.strerror})") from exc
    except Exception as exc:
        outcomes.record(source.name, "failed", describe_error(exc), job)
    else:
        _record(outcomes, job, destination)
    return outcomes.report


def _record(outcomes: Outcomes, job: NiftiJob, destination: Path) -> None:
    if job.task.options.durable:
        sync(destination.parent)
    outcomes.report.timestamp = job.task.timestamp.isoformat()
    outcomes.record(job.name, "done", job=job, output=destination.name)
    picture = picture_name(destination.name)
    if job.task.options.preview:
        outcomes.paint(job, destination.parent, picture)
    if job.task.options.group_readable:
        paths = (destination, sidecar_path(destination), destination.with_name(picture))
        share(paths, outcomes.report)


def _check_names(source: Path, destination: Path) -> None:
    if not source.is_file():
        raise ConfigurationError(f"{source}: no such file")
    if not is_nifti(destination):
        raise ConfigurationError(
            f"OUTPUT {destination} must end in .nii or .nii.gz, because INPUT is one NIfTI file"
        )
    if not destination.parent.is_dir():
        raise ConfigurationError(f"there is no folder {destination.parent} for OUTPUT")


def _check_free(destination: Path, options: RunOptions) -> None:
    """Refuse to overwrite what is there."""
    if is_there(destination):
        raise OutputError(f"{destination}: is there already; choose another OUTPUT")
    sidecar = sidecar_path(destination)
    for other in destination.parent.glob(f"{glob.escape(sidecar.stem)}.*"):
        if is_nifti(other):
            raise OutputError(f"{other}: has {sidecar.name} as its sidecar; choose another OUTPUT")
    # One that a run left which was stopped between both renames is ours to replace.
    if is_there(sidecar) and not Sidecar.of(destination).is_record:
        raise OutputError(f"{sidecar}: is there already; choose another OUTPUT")
    picture = destination.with_name(picture_name(destination.name))
    if options.preview and is_there(picture):
        raise OutputError(f"{picture}: is there already; choose another OUTPUT")
