"""``rgan-harmonize scan``: look at a folder without changing anything, and advise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rgan_sdk.cli.options import (
    FILE,
    assume_hu_option,
    check_report,
    input_argument,
    outside_domain_option,
    report_option,
    strict_kernel_option,
)

if TYPE_CHECKING:
    from rgan_sdk.dicom.read.kernel_guard import MeasuredKernel
    from rgan_sdk.run.choosing.candidates import Candidate
    from rgan_sdk.run.options import RunOptions
    from rgan_sdk.run.planning import Plan

EPILOG = """\b
Examples:
  rgan-harmonize scan scans
  rgan-harmonize scan scans --kernels
  rgan-harmonize scan scans --model b40f-to-b70f
  rgan-harmonize scan scans --model b40f-to-b70f --model mine.onnx \\
      --report scan.json
  rgan-harmonize scan scans --model b40f-to-b70f --list worklist.csv
  rgan-harmonize run --from worklist.csv harmonized

Only headers are read, except with --kernels, with --report, which has the SHA-256 of each file,
and where the card of the one --model holds curves of its kernels: then ten slices of each series
that the model takes are read.

Patients are shown by pseudonyms, folders and descriptions as they are: look at them before you
pass the output on."""


@click.command(epilog=EPILOG)
@input_argument
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="FILE|NAME",
    help="A model to plan for, an ONNX file or a packaged one; may be repeated. [default: none; "
    "which packaged models fit is shown]",
)
@outside_domain_option
@strict_kernel_option
@assume_hu_option
@click.option(
    "--kernels",
    is_flag=True,
    help="Measure the kernel of each series on 24 slices, beside the name in the header; it tells "
    "which kernel is the softest.",
)
@click.option(
    "--list",
    "listed",
    type=FILE,
    metavar="LIST.csv",
    help="Write the series and the models that fit as a list, for `run --from LIST.csv OUTPUT`.",
)
@report_option
def command(
    source: Path,
    models: tuple[str, ...],
    outside_domain: frozenset[str],
    strict_kernel: bool,
    assume_hu: bool,
    kernels: bool,
    listed: Path | None,
    report: Path | None,
) -> None:
    """Show the CT series below INPUT, which models fit them, and what to do with the others.

    Series are put into groups of one scanner, kernel and reconstruction. Shown are the models that
    fit, pairs to train one with, groups to match without pairs, and the kernel that all are best
    harmonized to.
    """
    from rgan_sdk.cli.advice import print_scan
    from rgan_sdk.run.advice.advise import advise
    from rgan_sdk.run.advice.export import advice_to_json
    from rgan_sdk.run.ledger import report_plan
    from rgan_sdk.run.options import RunOptions
    from rgan_sdk.run.planning import make_plan

    files = [Path(one) for one in models]
    check_report(report, source, used=[*files, *([listed] if listed else [])])
    check_report(listed, source, used=files, name="the list")
    if strict_kernel and len(models) != 1:
        raise click.UsageError("--strict-kernel needs one --model, whose card holds curves")
    if outside_domain and not models:
        raise click.UsageError("--outside-domain needs --model, whose card states the domain")
    given = _open(dict.fromkeys(models))
    options = RunOptions(outside_domain=outside_domain, assume_hu=assume_hu)
    plan = make_plan(source, given, options)
    measured = _measure(plan) if kernels else {}
    result = report_plan(
        plan,
        checksums=report is not None,
        measured=measured,
        strict_kernel=strict_kernel,
        aim="planned" if given else "found",
    )
    candidates = [*given, *_packaged(models)]
    advice = advise(source, plan.inventory, candidates, options, measured)
    result.advice = advice_to_json(advice)
    try:
        print_scan(result, advice, models)
    finally:  # also if the output is closed
        if report is not None:
            result.write(report)
        if listed is not None:
            _write_list(listed, plan, given or candidates, options)


def _open(names: Iterable[str]) -> list[Candidate]:
    from rgan_sdk.model import HarmonizationModel
    from rgan_sdk.run.choosing.candidates import Candidate

    return [Candidate(name, HarmonizationModel.open(name).card) for name in names]


def _packaged(given: Sequence[str]) -> list[Candidate]:
    from rgan_sdk.model import packaged_models

    return _open([name for name in packaged_models() if name not in given])


def _measure(plan: Plan) -> dict[tuple[str, int], MeasuredKernel]:
    from rgan_sdk.dicom.read.kernel_guard import measure_mtf

    return {
        (series.series_instance_uid, series.group): measure_mtf(series)
        for series in plan.inventory.series
    }


def _write_list(
    path: Path, plan: Plan, candidates: Sequence[Candidate], options: RunOptions
) -> None:
    """Write all series of the folder, and which of the models take each."""
    from rgan_sdk.errors import IneligibleError
    from rgan_sdk.model import stored_name
    from rgan_sdk.run.advice.fits import models_for
    from rgan_sdk.run.state.identity import run_timestamp
    from rgan_sdk.run.worklist import ListedSeries, WorkList

    rows = tuple(
        ListedSeries.of(
            series,
            plan.source,
            [stored_name(name) for name in models_for(series, candidates, options)],
        )
        for series in plan.inventory.series
    )
    if not rows:
        raise IneligibleError(f"{plan.source}: {plan.inventory.explain_empty()}; no list written")
    WorkList(path, plan.source.resolve(), run_timestamp(), rows).write()
