"""``rgan-harmonize module``: a step of an imaging pipeline, such as mercure."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import click

from rgan_sdk.cli.options import FOLDER

SOME_FAILED = 3

EPILOG = """\b
Examples:
  rgan-harmonize module input output --set model=b40f-to-b70f
  rgan-harmonize module input output-2 --set model=b40f-to-b70f,mine.onnx \\
      --set outside_domain=spacing --set include_target=true

\b
Exit codes:
  0    every eligible series was harmonized, or nothing was eligible
  1    could not run
  2    wrong usage
  3    finished, but something failed
  75   another process works in OUTPUT
  130  interrupted

Settings: model, target_kernel, engine, device, include_target, outside_domain, strict_kernel,
assume_hu. They mean what they mean in `run`; model has no default. mercure gives them in
INPUT/task.json, under process.settings. docs/containers.md shows how to register the module.

INPUT is never changed. OUTPUT must be empty. New files lie there as SERIES#FILE.dcm, named by
their new UIDs, and result.json appears last. If it was stopped, the same command goes on.
For research use, not a medical device."""


@click.command(epilog=EPILOG)
@click.argument("source", metavar="[INPUT]", type=FOLDER, envvar="MERCURE_IN_DIR", required=False)
@click.argument(
    "destination", metavar="[OUTPUT]", type=FOLDER, envvar="MERCURE_OUT_DIR", required=False
)
@click.option(
    "--set",
    "assignments",
    metavar="NAME=VALUE",
    multiple=True,
    help="Change one setting of task.json, or give it where there is none; may be repeated.",
)
def command(source: Path | None, destination: Path | None, assignments: tuple[str, ...]) -> None:
    """Harmonize INPUT into one flat folder, as a step of an imaging pipeline.

    Without arguments, MERCURE_IN_DIR and MERCURE_OUT_DIR name the folders.
    """
    from rgan_sdk.cli.cohort import read_models
    from rgan_sdk.cli.progress import RunProgress
    from rgan_sdk.cli.tables import print_report
    from rgan_sdk.module.process import process_folder
    from rgan_sdk.module.result import FAILED
    from rgan_sdk.module.settings import ModuleSettings, read_task

    if source is None or destination is None:
        raise click.UsageError("name INPUT and OUTPUT, or set MERCURE_IN_DIR and MERCURE_OUT_DIR")
    settings = ModuleSettings.parse({**read_task(source), **_values(assignments)})
    models = read_models(
        settings.model,
        settings.target_kernel,
        engine=settings.engine,
        devices=settings.device,
        precision="auto",
        batch_size=None,
        verbose=False,
    )
    # Treat a container's request to end like Ctrl-C: unfinished series are removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.umask(0o077)  # patients' images: readable by their owner only
    with RunProgress() as progress:
        outcome = process_folder(
            source, destination, models, settings, observer=progress, on_report=print_report
        )
    click.echo(f"outcome: {outcome}")
    raise click.exceptions.Exit(SOME_FAILED if outcome == FAILED else 0)


def _values(assignments: tuple[str, ...]) -> dict[str, str]:
    values = dict(text.partition("=")[::2] for text in assignments)
    if incomplete := [text for text in assignments if "=" not in text]:
        raise click.BadParameter(f"{incomplete[0]!r} is not of the form NAME=VALUE")
    return values
