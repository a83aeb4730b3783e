"""``rgan-train cam``: where a run's discriminator recognizes a harmonized slice."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from rgan_train.cli.extra import require_plotting, require_train_extra
from rgan_train.cli.options import (
    checkpoint_option,
    display_window_option,
    figure_option,
    run_argument,
)

EXAMPLE = """\b
Example:
  rgan-train cam runs/first -o cam.png --window -1350,150"""


@click.command(epilog=EXAMPLE)
@run_argument
@figure_option("RUN/cam.png")
@click.option(
    "--slice",
    "number",
    type=click.IntRange(min=0),
    help="Number of the validation slice, from 0.  [default: the middle one]",
)
@checkpoint_option("last")
@display_window_option
def command(
    run: Path,
    output: Path | None,
    number: int | None,
    checkpoint: Literal["best", "last"],
    window: tuple[int, ...],
) -> None:
    """Show where a run's discriminator recognizes a harmonized slice.

    Draws a validation slice, the class activation map (Grad-CAM) over it, and the
    difference to the target. Dynamic selection trains on the HU of the hot pixels.
    """
    require_train_extra()
    require_plotting()

    from rgan_sdk.hu import HUWindow
    from rgan_train.cam import judge_slice
    from rgan_train.evaluation.figures.cam import draw_cam
    from rgan_train.evaluation.figures.save import save_figure
    from rgan_train.training import RunFolder

    folder = RunFolder(run)
    config = folder.config()
    judged = judge_slice(folder, number, checkpoint)
    title = f"{config.data.source_kernel} to {config.data.target_kernel}, {checkpoint} checkpoint"
    th_fail = config.curriculum.th_fail
    path = output or run / "cam.png"
    figure = draw_cam(*judged[1:], th_fail, HUWindow(*window), title)
    save_figure(figure, path)
    share = float((judged.cam > th_fail).mean())
    click.echo(f"{path}: {share:.1%} of the pixels are hot (above th_fail = {th_fail:g})")
