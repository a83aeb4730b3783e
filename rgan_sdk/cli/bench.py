"""``rgan-harmonize bench``: how fast a model runs on this machine."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rgan_sdk.cli.options import (
    FILE,
    FOLDER,
    announce,
    check_report,
    device_option,
    engine_option,
    model_option,
    precision_option,
    verbose_option,
)

EPILOG = """\b
Examples:
  rgan-harmonize bench --model b40f-to-b70f
  rgan-harmonize bench scans --model my-model.onnx --device cuda:0 \\
      --batch-size 16 --json bench.json

The rate of a stage counts only the time in which the stage was busy. End to end the stages
overlap, and the slowest one sets the pace."""


@click.command(epilog=EPILOG)
@click.argument("source", metavar="[INPUT]", type=FOLDER, required=False)
@model_option
@engine_option
@device_option
@precision_option
@click.option("--batch-size", type=click.IntRange(1, 9999), help="Slices per inference.")
@click.option(
    "--slices",
    type=click.IntRange(1, 1000),
    default=32,
    show_default=True,
    help="Slices of the synthetic series that is made if there is no INPUT.",
)
@verbose_option
@click.option("--json", "target", type=FILE, metavar="FILE.json", help="Also write the figures.")
def command(
    source: Path | None,
    model: str,
    engine: str,
    device: str,
    precision: str,
    batch_size: int | None,
    slices: int,
    verbose: bool,
    target: Path | None,
) -> None:
    """Measure reading, inference, writing and the whole run, in slices per second."""
    from rgan_sdk.benchmark import run_benchmark
    from rgan_sdk.cli.progress import RunProgress
    from rgan_sdk.errors import ConfigurationError, OutputError
    from rgan_sdk.harmonizer import Harmonizer

    if source is not None and not source.is_dir():
        raise ConfigurationError(f"INPUT {source}: no such folder")
    check_report(target, None, name="the figures")
    with Harmonizer.load(
        model, engine=engine, device=device, precision=precision, batch_size=batch_size
    ) as harmonizer:
        announce(harmonizer, verbose=verbose)
        with RunProgress() as progress:
            result = run_benchmark(harmonizer, source, slices=slices, observer=progress)
    if result["foreign_kernels"]:
        kernels = ", ".join(result["foreign_kernels"])
        click.echo(
            f"warning: INPUT has {kernels}, which {result['model']['name']} is not for. The speed "
            "counts; the pixels, which bench throws away, would be wrong",
            err=True,
        )
    for stage, rate in result["slices_per_second"].items():
        click.echo(f"{stage.replace('_', ' '):<12}{rate:>10.2f} slices/s")
    pace = f"{result['bottleneck']} sets the pace"
    click.echo(f"{result['slices']} slices in {result['seconds']} s; {pace}")
    if target is not None:
        try:
            target.write_text(json.dumps(result, indent=1) + "\n")
        except OSError as exc:
            raise OutputError(f"{target}: cannot write the figures ({exc.strerror})") from exc
