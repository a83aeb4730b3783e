"""How training is shown: a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rgan_train.training.reports import EpochReport, Report, StartReport


@contextmanager
def show_progress() -> Iterator[Callable[[Report], None]]:
    """Give a function that shows what a training run reports."""
    console = Console()
    if not console.is_terminal:
        yield _echo
        return
    bar = Progress(
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[scores]}"),
        TimeRemainingColumn(),
        console=console,
    )
    with bar:
        yield _Bar(bar)


def describe_start(start: StartReport) -> str:
    """Return a line on what the run works with."""
    line = (
        f"{start.method}: {start.processes} process(es) on {start.device}, "
        f"{start.trained_parameters:,} trained parameters, "
        f"{start.steps_per_epoch} steps per epoch; "
        f"validation PSNR of the source {start.input_psnr:.2f} dB"
    )
    return "\n".join((line, *start.notes))


def describe_epoch(done: EpochReport) -> str:
    """Return a line on a finished epoch."""
    record = done.record
    losses = " ".join(f"{name} {record[name]:.4f}" for name in record if name[:2] in ("G_", "D_"))
    return (
        f"epoch {record['epoch']}: {_window(record)} {losses}  "
        f"validation {record['validation_psnr']:.2f} dB, "
        f"{record['validation_mae_hu']:.2f} HU{' (best)' if done.is_best else ''}, "
        f"{record['elapsed_minutes']:.1f} min"
    )


def _window(record: dict[str, Any]) -> str:
    return "[{:.0f}, {:.0f}] HU".format(*record["window"])


def _echo(report: Report) -> None:
    if isinstance(report, StartReport):
        click.echo(describe_start(report))
    elif isinstance(report, EpochReport):
        click.echo(describe_epoch(report))


class _Bar:
    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("", epoch="", scores="starting", total=None)
        self._epochs = self._steps = 0
        self._psnr = ""

    def __call__(self, report: Report) -> None:
        if isinstance(report, StartReport):
            self._epochs, self._steps = report.epochs, report.steps_per_epoch
            self._bar.console.print(describe_start(report))
            self._show(report.epoch, 0, "")
        elif isinstance(report, EpochReport):
            self._bar.console.print(describe_epoch(report))
            self._psnr = f"  val {report.record['validation_psnr']:.2f} dB"
            self._show(report.record["epoch"], 0, "")
        else:
            losses = " ".join(f"{name} {value:.3f}" for name, value in report.losses.items())
            self._show(report.epoch, report.step, losses)

    def _show(self, epoch: int, step: int, losses: str) -> None:
        self._bar.update(
            self._task,
            total=self._epochs * self._steps,
            completed=epoch * self._steps + step,
            epoch=f"{min(epoch + 1, self._epochs)}/{self._epochs}",
            scores=losses + self._psnr,
        )
