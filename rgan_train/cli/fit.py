"""``rgan-train fit``: train a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rgan_sdk.cli.lazy import INTERRUPTED
from rgan_train.cli.extra import require_train_extra

if TYPE_CHECKING:
    from rgan_train.checkpoint import RunFolder
    from rgan_train.config import Config
    from rgan_train.trainer import Outcome

EXAMPLES = """\b
Examples:
  rgan-train fit pairs.csv -o runs/first --config my.toml \\
      --set data.source_kernel=B40f --set data.target_kernel=B70f
  rgan-train fit pairs.csv -o runs/first --resume --set training.epochs=60"""

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(epilog=EXAMPLES)
@click.argument("pairs", metavar="PAIRS.csv", type=_FILE)
@click.option(
    "-o",
    "--output",
    "run",
    metavar="RUN",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the run: checkpoints, logs, configuration.",
)
@click.option("--config", "config_file", metavar="F.toml", type=_FILE, help="Configuration.")
@click.option(
    "--set",
    "assignments",
    metavar="TABLE.KEY=VALUE",
    multiple=True,
    help="Change one value of the configuration; may be repeated.",
)
@click.option("--resume", is_flag=True, help="Go on with the run in RUN.")
@click.option(
    "--devices",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="GPUs, or processes where there is no GPU.",
)
@click.option(
    "--vgg-weights",
    metavar="F",
    type=_FILE,
    help="Weights of the pretrained encoder; vgg19 is downloaded without it.",
)
def command(
    pairs: Path,
    run: Path,
    config_file: Path | None,
    assignments: tuple[str, ...],
    resume: bool,
    devices: int,
    vgg_weights: Path | None,
) -> None:
    """Train a model on the pairs of PAIRS.csv.

    Ctrl-C finishes the current step, saves a checkpoint and exits with status 130;
    --resume goes on from there with the configuration of the run.
    """
    require_train_extra()

    from rgan_train.checkpoint import RunFolder
    from rgan_train.cli.progress import show_progress
    from rgan_train.config_io import override
    from rgan_train.data import load_dataset
    from rgan_train.pairs_csv import read_pairs
    from rgan_train.trainer import Job, fit

    folder = RunFolder(run)
    config = _configuration(folder if resume else None, config_file, assignments)
    dataset = load_dataset(read_pairs(pairs), config.data)
    direction = {
        "source_kernel": dataset.source_kernel,
        "target_kernel": dataset.target_kernel,
    }
    config = override(config, {"data": direction})
    with show_progress() as report:
        outcome = fit(Job(config, dataset, pairs, folder, resume, devices, vgg_weights), report)
    if outcome.is_main:
        _conclude(outcome, run)


def _configuration(
    resumed: RunFolder | None, file: Path | None, assignments: tuple[str, ...]
) -> Config:
    from rgan_train.config import Config
    from rgan_train.config_io import override_from_text, read_toml

    if file is not None:
        return override_from_text(read_toml(file), assignments)
    return override_from_text(resumed.config() if resumed else Config(), assignments)


def _conclude(outcome: Outcome, run: Path) -> None:
    state = outcome.state
    if outcome.status == "interrupted":
        click.echo(
            f"interrupted; {state.name} is saved. Go on with the same command and --resume",
            err=True,
        )
        raise click.exceptions.Exit(INTERRUPTED)
    click.echo(
        f"{outcome.status} after {state.epoch} epochs, {state.elapsed_seconds / 60:.1f} min; "
        f"best validation PSNR {state.best_psnr:.2f} dB ({state.best})\n"
        f"next: rgan-train export {run} -o MODEL.onnx"
    )
