"""``rgan-harmonize run``: the main job."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rgan_sdk.cli.nifti import choose_nifti_run, kernel_option
from rgan_sdk.cli.options import (
    FILE,
    assume_hu_option,
    check_report,
    devices_option,
    engine_option,
    models_option,
    outside_domain_option,
    precision_option,
    ray_option,
    report_option,
    strict_kernel_option,
    verbose_option,
)
from rgan_sdk.cli.places import places_options
from rgan_sdk.cli.run_files import files_of_run
from rgan_sdk.run.places.choices import BY_SERIES, BY_UID

if TYPE_CHECKING:
    from rgan_sdk.run.options import Shard
    from rgan_sdk.run.report import Report
    from rgan_sdk.run.worklist import WorkList

SOME_FAILED = 3
NOTHING_ELIGIBLE = 4

EPILOG = """\b
Examples:
  rgan-harmonize run scans harmonized --model b40f-to-b70f
  rgan-harmonize run scans harmonized --model my-model.onnx --preview \\
      --report report.json
  rgan-harmonize run scans harmonized --model my-model.onnx \\
      --device cuda:0,cuda:1
  rgan-harmonize run scans harmonized --model my-model.onnx \\
      --engine openvino --precision bf16
  rgan-harmonize run scans harmonized --model b70f-to-b40f --dry-run
  rgan-harmonize run scans harmonized --model b40f-to-b70f --verify-outputs
  rgan-harmonize run scans part-1 --model my-model.onnx --shard 1/4
  rgan-harmonize run scans harmonized --model b40f-to-b70f --ray local
  rgan-harmonize run scans harmonized --model b40f-to-b70f \\
      --layout patient --names sorted
  rgan-harmonize run scans/patient-7/ct harmonized --model b40f-to-b70f \\
      --group-readable
  rgan-harmonize run scans harmonized --model b70f-to-b40f \\
      --model ge-to-b40f.onnx --include-target
  rgan-harmonize run --from worklist.csv harmonized
  rgan-harmonize run --from worklist.csv harmonized --target-kernel B40f
  rgan-harmonize run scan.nii.gz harmonized.nii.gz --model b40f-to-b70f \\
      --kernel B40f

\b
Exit codes:
  0    every eligible series was harmonized
  1    could not run
  2    wrong usage
  3    finished, but something failed
  4    nothing in INPUT was eligible
  75   another run holds OUTPUT
  130  interrupted

INPUT is never changed. If a run was stopped, even by a power cut, the same command continues it.
A new series appears in OUTPUT whole or not at all, as OUTPUT/<new series UID>/<new SOP UID>.dcm,
or as --layout and --names say. OUTPUT/mapping.csv says which series became which.
A finished series whose files there are missing, cut or changed since is done again; what was there
is kept in OUTPUT/.rgan/replaced. A finished NIfTI scan that was cut or changed fails instead, and
the reason names what to remove.
For research use, not a medical device."""


@click.command(epilog=EPILOG)
@click.argument("folders", metavar="[INPUT] OUTPUT", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--from",
    "listed",
    metavar="LIST.csv",
    type=FILE,
    help="In place of INPUT: the series in a list that `scan INPUT --list LIST.csv` wrote.",
)
@models_option
@click.option(
    "--target-kernel",
    metavar="NAME",
    help="Leave out models for any other target. Needed where those given have several: one cohort "
    "has one target.",
)
@click.option(
    "--include-target",
    is_flag=True,
    help="Also copy series that have the target kernel already, byte for byte and with their UIDs.",
)
@engine_option
@devices_option
@precision_option
@click.option(
    "--batch-size",
    default="auto",
    show_default=True,
    metavar="N|auto",
    help="Slices per inference. auto: 1 on a CPU, as many as fit the free memory on a GPU.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Threads that read and write. [default: usable cores]",
)
@ray_option
@kernel_option
@outside_domain_option
@strict_kernel_option
@assume_hu_option
@click.option(
    "--preview",
    is_flag=True,
    help="Write before/after pictures and a contact sheet to OUTPUT/previews.",
)
@click.option(
    "--durable/--no-durable",
    default=True,
    show_default=True,
    help="Write each series to the disk before it appears, so that it survives a power cut.",
)
@click.option(
    "--resume/--no-resume",
    default=True,
    show_default=True,
    help="Continue the run that OUTPUT holds; --no-resume refuses an OUTPUT that is not empty.",
)
@click.option(
    "--verify-outputs",
    is_flag=True,
    help="Read the finished series in OUTPUT again and compare their checksums; else only names "
    "and sizes of their files are compared.",
)
@click.option(
    "--shard",
    metavar="I/N",
    help="Take only the I-th of N parts of the series. Each machine needs its own OUTPUT.",
)
@places_options
@report_option
@verbose_option
@click.option("--dry-run", is_flag=True, help="Only show what would be done; write nothing.")
def command(
    folders: tuple[Path, ...],
    listed: Path | None,
    models: tuple[str, ...],
    target_kernel: str | None,
    include_target: bool,
    engine: str,
    device: str,
    precision: str,
    batch_size: str,
    workers: int | None,
    ray: str | None,
    kernel: str | None,
    outside_domain: frozenset[str],
    strict_kernel: bool,
    assume_hu: bool,
    preview: bool,
    durable: bool,
    resume: bool,
    verify_outputs: bool,
    shard: str | None,
    layout: str,
    names: str,
    group_readable: bool,
    report: Path | None,
    verbose: bool,
    dry_run: bool,
) -> None:
    """Harmonize each eligible CT series below INPUT into OUTPUT.

    INPUT is a folder of DICOM series, such as the folder of one series, or one DICOM file; or it is
    a folder of NIfTI files, or one NIfTI file. OUTPUT is a folder; for one NIfTI file it is a file.

    With several models all must have one target kernel. A series that none takes is skipped, and
    one that several take fails.

    With --from, the series of a list that `scan` wrote: INPUT is not searched again, and --model
    may be left out where the list names models.
    """
    from rgan_sdk.cli.cohort import read_models
    from rgan_sdk.cli.progress import RunProgress
    from rgan_sdk.cli.tables import print_report
    from rgan_sdk.run.directory import (
        harmonize_cohort,
        harmonize_directory,
        plan_cohort,
        plan_directory,
    )
    from rgan_sdk.run.options import RunOptions
    from rgan_sdk.run.outputs import check_folders
    from rgan_sdk.run.planning import path_of

    source, destination, models = _places(folders, listed, models)
    size, part, devices = _batch_size(batch_size), _shard(shard), _devices(device)
    nifti = choose_nifti_run(
        source,
        destination,
        kernel=kernel,
        devices=devices,
        refused={
            "--workers": workers,
            "--ray": ray,
            "--shard": shard,
            "--no-resume": not resume,
            "--verify-outputs": verify_outputs,
            "--layout": layout != BY_SERIES,
            "--names": names != BY_UID,
            "--target-kernel": target_kernel,
            "--include-target": include_target,
            "a second --model": models[1:],
        },
    )
    if nifti is None:  # wrong folders are told before a model is loaded
        check_folders(path_of(source), destination, resume=resume)
    used = files_of_run(source, destination, listed, models, report, are_scans=nifti is not None)
    check_report(report, path_of(source), None if dry_run else destination, used=used)
    # Treat a batch system's request to end like Ctrl-C: unfinished series are removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.umask(0o077)  # patients' images: readable by their owner only
    options = RunOptions(
        outside_domain=outside_domain,
        strict_kernel=strict_kernel,
        assume_hu=assume_hu,
        include_target=include_target,
        shard=part,
        resume=resume,
        workers=workers,
        durable=durable,
        preview=preview,
        verify_outputs=verify_outputs,
        layout=layout,
        names=names,
        group_readable=group_readable,
        checksums=report is not None,
    )
    cohort = read_models(
        models,
        target_kernel,
        engine=engine,
        devices=devices,
        precision=precision,
        batch_size=size,
        verbose=verbose,
        ray=ray,
    )
    with ExitStack() as stack:
        if len(models) > 1 and dry_run:
            result = plan_cohort(source, destination, cohort, options)
        elif len(models) > 1:
            progress = stack.enter_context(RunProgress())
            result = harmonize_cohort(source, destination, cohort, options, observer=progress)
        else:
            harmonizer, *others = stack.enter_context(cohort[0].open())
            if nifti is not None:
                with RunProgress() as progress:
                    result = nifti(harmonizer, options, observer=progress, dry_run=dry_run)
            elif dry_run:
                result = plan_directory(source, destination, harmonizer, options, others=others)
            else:
                with RunProgress() as progress:
                    result = harmonize_directory(
                        source, destination, harmonizer, options, others=others, observer=progress
                    )
    try:
        print_report(result)
        pictures = destination if destination.is_dir() else destination.parent
        for picture in result.previews if len(result.previews) <= 3 else result.previews[-1:]:
            click.echo(f"preview: {pictures / picture}")
    finally:  # also if the output is closed
        if report is not None:
            result.write(report)
    raise click.exceptions.Exit(_exit_code(result, models, part))


def _places(
    folders: tuple[Path, ...], listed: Path | None, models: tuple[str, ...]
) -> tuple[Path | WorkList, Path, tuple[str, ...]]:
    """Return INPUT, which may be a list, OUTPUT and the models."""
    from rgan_sdk.cli.worklist import open_list

    wanted = ["INPUT", "OUTPUT"] if listed is None else ["OUTPUT"]
    if len(folders) < len(wanted):
        raise click.UsageError(f"Missing argument '{wanted[len(folders)]}'.")
    if len(folders) > len(wanted):
        hint = "; --from stands in place of INPUT" if listed else ""
        raise click.UsageError(f"{len(folders)} folders, and only {', '.join(wanted)}{hint}")
    if listed is not None:
        source, models = open_list(listed, models)
        return source, folders[0], models
    if not models:
        raise click.UsageError("Missing option '--model'.")
    return folders[0], folders[1], models


def _exit_code(report: Report, models: tuple[str, ...], shard: Shard | None) -> int:
    if "failed" in report.statuses:
        return SOME_FAILED
    if not report.statuses & {"done", "planned"}:
        which = "this model" if len(models) == 1 else "these models"
        where = f"shard {shard}" if shard else "INPUT"
        click.echo(f"nothing in {where} is eligible for {which}", err=True)
        return NOTHING_ELIGIBLE
    return 0


def _batch_size(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdecimal() or len(text) > 4 or int(text) < 1:
        raise click.BadParameter(f"{text!r} is neither auto nor a number from 1 to 9999")
    return int(text)


def _devices(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise click.BadParameter(f"{text!r} names no device between two commas or at an end")
    return names


def _shard(text: str | None) -> Shard | None:
    if text is None:
        return None
    number, slash, count = text.partition("/")
    if not (slash and number.isdecimal() and count.isdecimal() and len(text) <= 9):
        raise click.BadParameter(f"{text!r} is not of the form I/N, such as 1/4")
    from rgan_sdk.errors import ConfigurationError
    from rgan_sdk.run.options import Shard

    try:
        return Shard(int(number), int(count))
    except ConfigurationError as exc:
        raise click.BadParameter(str(exc)) from exc
