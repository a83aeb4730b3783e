"""``rgan-train fit``: train a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from rgan_sdk.cli.lazy import INTERRUPTED
from rgan_sdk.errors import ConfigurationError
from rgan_train.cli.extra import require_train_extra
from rgan_train.cli.headers import count_headers
from rgan_train.cli.options import (
    EXISTING_FILE,
    assignments_option,
    config_option,
    resume_option,
    run_option,
)
from rgan_train.config import MethodName

if TYPE_CHECKING:
    from rgan_train.training import Outcome

EXAMPLES = """\b
Examples:
  rgan-train fit pairs.csv -o runs/first --config my.toml \\
      --set data.source_kernel=B40f --set data.target_kernel=B70f
  rgan-train fit pairs.csv -o runs/choe --method choe \\
      --set data.source_kernel=B40f --set data.target_kernel=B70f
  rgan-train fit pairs.csv -o runs/first --resume --set training.epochs=60"""


@click.command(epilog=EXAMPLES)
@click.argument("pairs", metavar="PAIRS.csv", type=EXISTING_FILE)
@run_option("checkpoints, logs, configuration")
@click.option(
    "--method",
    type=click.Choice(get_args(MethodName)),
    help="Start from the settings recommended for a method.  [default: the paper's]",
)
@config_option
@assignments_option()
@resume_option
@click.option(
    "--devices",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Number of GPUs, or of processes if there is no GPU.",
)
@click.option(
    "--vgg-weights",
    metavar="F",
    type=EXISTING_FILE,
    help="Weights of the pretrained encoder; without this option vgg19 is downloaded.",
)
def command(
    pairs: Path,
    run: Path,
    method: MethodName | None,
    config_file: Path | None,
    assignments: tuple[str, ...],
    resume: bool,
    devices: int,
    vgg_weights: Path | None,
) -> None:
    """Train a model on the pairs of PAIRS.csv.

    Ctrl-C finishes the current step, saves a checkpoint and exits with status 130.
    --resume continues from there with the configuration of the run.

    Slices are read from disk during training: memory does not grow with the
    number of patients. --set data.cache_mb=256 bounds what is kept of them.

    --set data.fold=1 to 5 leaves another fifth of the slices or patients for the test.
    """
    require_train_extra()

    from rgan_train.cli.progress import show_progress
    from rgan_train.config import override_from_text, read_toml, recommended_config
    from rgan_train.methods import check_settings
    from rgan_train.pairs import read_pairs
    from rgan_train.training import Job, RunFolder, fit

    folder = RunFolder(run)
    same_command = method is not None or config_file is not None
    start = folder.config() if resume and not same_command else recommended_config(method)
    if config_file is not None:
        start = read_toml(config_file, start)
    config = override_from_text(start, assignments)
    if method not in (None, config.method.name):
        raise ConfigurationError(
            f"--method {method}: the configuration names {config.method.name}; leave one out"
        )
    if not resume:
        check_settings(config)
    with count_headers() as on_files:
        job = Job.from_pairs(
            config,
            read_pairs(pairs),
            folder,
            resume=resume,
            devices=devices,
            vgg_weights=vgg_weights,
            on_files=on_files,
        )
    with show_progress() as report:
        outcome = fit(job, report)
    if outcome.is_main:
        echo_outcome(outcome, run)


def echo_outcome(outcome: Outcome, run: Path) -> None:
    """Print how a run ended and what to do next."""
    state = outcome.state
    if outcome.failure:
        click.echo(f"note: {outcome.failure}", err=True)
    if outcome.note:
        more = "training.epochs or training.max_minutes"
        click.echo(f"note: {outcome.note}; continue with --resume and more {more}", err=True)
    if outcome.status == "interrupted":
        click.echo(
            f"interrupted; {state.name} is saved. Continue with the same command and --resume",
            err=True,
        )
        raise click.exceptions.Exit(INTERRUPTED)
    click.echo(
        f"{outcome.status} after {state.epoch} epochs, {state.elapsed_seconds / 60:.1f} min; "
        f"best validation PSNR {state.best_psnr:.2f} dB ({state.best})\n"
        f"next: rgan-train export {run} -o MODEL.onnx"
    )
