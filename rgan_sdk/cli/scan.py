"""``rgan-harmonize scan``: look at a folder without changing anything."""

from __future__ import annotations

from pathlib import Path

import click

from rgan_sdk.cli.options import (
    assume_hu_option,
    check_report,
    input_argument,
    model_option,
    outside_domain_option,
    report_option,
    strict_kernel_option,
)

EPILOG = """\b
Examples:
  rgan-harmonize scan scans
  rgan-harmonize scan scans --kernels
  rgan-harmonize scan scans --model b40f-to-b70f

\b
Only headers are read, except with --kernels, and where the card of a model holds curves of its
kernels: then ten slices of each series that the model takes are read."""


@click.command(epilog=EPILOG)
@input_argument
@model_option(required=False)
@outside_domain_option
@strict_kernel_option
@assume_hu_option
@click.option(
    "--kernels",
    is_flag=True,
    help="Measure the kernel of each series on 24 slices, beside the name in the header.",
)
@report_option
def command(
    source: Path,
    model: str | None,
    outside_domain: frozenset[str],
    strict_kernel: bool,
    assume_hu: bool,
    kernels: bool,
    report: Path | None,
) -> None:
    """Show the CT series below INPUT: which would be harmonized, which not, and why."""
    from rgan_sdk.cli.tables import print_report
    from rgan_sdk.model import HarmonizationModel
    from rgan_sdk.run.ledger import report_plan
    from rgan_sdk.run.options import RunOptions
    from rgan_sdk.run.planning import make_plan

    check_report(report, source)
    if strict_kernel and model is None:
        raise click.UsageError("--strict-kernel needs --model, whose card holds curves")
    if outside_domain and model is None:
        raise click.UsageError("--outside-domain needs --model, whose card states the domain")
    card = None if model is None else HarmonizationModel.open(model).card
    plan = make_plan(source, card, RunOptions(outside_domain=outside_domain, assume_hu=assume_hu))
    result = report_plan(
        plan, checksums=report is not None, kernels=kernels, strict_kernel=strict_kernel
    )
    if report is not None:
        result.write(report)
    print_report(result)
