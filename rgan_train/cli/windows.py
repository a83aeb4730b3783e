"""``rgan-train windows``: the HU window of each epoch as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rgan_train.cli.extra import require_plotting
from rgan_train.cli.options import figure_option, run_argument

if TYPE_CHECKING:
    from rgan_train.config import Config

EXAMPLE = """\b
Example:
  rgan-train windows runs/first -o windows.png"""


@click.command(epilog=EXAMPLE)
@run_argument
@figure_option("RUN/windows.png")
def command(run: Path, output: Path | None) -> None:
    """Draw the HU window that a run trained on, epoch by epoch.

    Reads RUN/windows.jsonl, which a run with a window schedule writes. Shades show the
    phases of the schedule, and markers show why a window changed.
    """
    require_plotting()

    from rgan_train.evaluation.figures.save import save_figure
    from rgan_train.evaluation.figures.window_log import read_windows
    from rgan_train.evaluation.figures.window_plot import draw_windows

    epochs = read_windows(run / "windows.jsonl")
    config = _read_config(run)
    title = f"Training window, {config.data.source_kernel} to {config.data.target_kernel}"
    path = output or run / "windows.png"
    save_figure(draw_windows(epochs, title, config.curriculum.th_acc), path)
    last = epochs[-1]
    click.echo(
        f"{path}: epochs {epochs[0].epoch} to {last.epoch}, the last window is "
        f"{last.window.lower:.0f} to {last.window.upper:.0f} HU ({last.phase})"
    )


def _read_config(run: Path) -> Config:
    """Read the configuration of a run; ``RunFolder`` would need torch."""
    from rgan_sdk.errors import TrainingError
    from rgan_train.config import config_from_json

    try:
        return config_from_json((run / "config.json").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise TrainingError(f"{run}: holds no training run (no readable config.json)") from exc
