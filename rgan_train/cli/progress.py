"""Show training: a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
)
from rich.text import Text

from rgan_train.training.events import EpochDone, TrainingEvent, TrainingStarted


@contextmanager
def show_progress() -> Iterator[Callable[[TrainingEvent], None]]:
    """Yield a function that shows the events of a training run."""
    console = Console()
    if not console.is_terminal:
        yield _echo
        return
    bar = Progress(
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[scores]}"),
        _TimeLeft(),
        console=console,
    )
    with bar:
        yield _Bar(bar)


def describe_start(start: TrainingStarted) -> str:
    """Return a line on what the run works with, and its notes."""
    line = (
        f"{start.method}: {start.processes} process(es) on {start.device}, "
        f"{start.trained_parameters:,} trained parameters, "
        f"{start.steps_per_epoch} steps per epoch; "
        f"validation PSNR of the source {start.input_psnr:.2f} dB"
    )
    return "\n".join((line, *start.notes))


def describe_epoch(done: EpochDone) -> str:
    """Return a line on a finished epoch."""
    record = done.record
    losses = " ".join(f"{name} {record[name]:.4f}" for name in record if name[:2] in ("G_", "D_"))
    return (
        f"epoch {record['epoch']}: {_format_window(record)} {losses}  "
        f"validation {record['validation_psnr']:.2f} dB, "
        f"{record['validation_mae_hu']:.2f} HU{' (best)' if done.is_best else ''}, "
        f"{record['elapsed_minutes']:.1f} min"
    )


def _format_window(record: dict[str, Any]) -> str:
    return "[{:.0f}, {:.0f}] HU".format(*record["window"])


def _echo(event: TrainingEvent) -> None:
    if isinstance(event, TrainingStarted):
        click.echo(describe_start(event))
    elif isinstance(event, EpochDone):
        click.echo(describe_epoch(event))


class _TimeLeft(ProgressColumn):
    """The time until the last step, or until the time limit if that comes first."""

    def render(self, task: Task) -> Text:
        """Return hours, minutes and seconds."""
        of_steps = math.inf if task.time_remaining is None else task.time_remaining
        seconds = min(of_steps, max(0.0, task.fields["deadline"] - time.monotonic()))
        left = timedelta(seconds=int(seconds)) if math.isfinite(seconds) else "-:--:--"
        return Text(str(left), style="progress.remaining")


class _Bar:
    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        fields: dict[str, Any] = {"epoch": "", "scores": "starting", "deadline": math.inf}
        self._task = bar.add_task("", total=None, **fields)
        self._epochs = self._steps = 0
        self._psnr = ""

    def __call__(self, event: TrainingEvent) -> None:
        if isinstance(event, TrainingStarted):
            self._epochs, self._steps = event.epochs, event.steps_per_epoch
            self._bar.console.print(describe_start(event))
            self._bar.update(self._task, deadline=time.monotonic() + event.seconds_left)
            self._show(event.epoch, 0, "")
        elif isinstance(event, EpochDone):
            self._bar.console.print(describe_epoch(event))
            self._psnr = f"  val {event.record['validation_psnr']:.2f} dB"
            self._show(event.record["epoch"], 0, "")
        else:
            losses = " ".join(f"{name} {value:.3f}" for name, value in event.losses.items())
            self._show(event.epoch, event.step, losses)

    def _show(self, epoch: int, step: int, losses: str) -> None:
        self._bar.update(
            self._task,
            total=self._epochs * self._steps,
            completed=epoch * self._steps + step,
            epoch=f"{min(epoch + 1, self._epochs)}/{self._epochs}",
            scores=losses + self._psnr,
        )
