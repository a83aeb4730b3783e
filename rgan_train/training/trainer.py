"""The training loop, from top to bottom: epochs, steps, validation, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rgan_sdk.errors import TrainingError
from rgan_sdk.hu import HUWindow
from rgan_train.methods.base import TrainingCrops, UnpairedCrops
from rgan_train.networks.window import network_window, normalize
from rgan_train.pairs.samples import Batch
from rgan_train.processes import Interrupt, combine, leave_process_group, make_fabric
from rgan_train.training.curriculum import Selection
from rgan_train.training.events import EpochDone, StepDone, TrainingEvent
from rgan_train.training.job import Job, check_folder
from rgan_train.training.run import Run, prepare_run
from rgan_train.training.run_folder import RunState
from rgan_train.training.runlog import RunLog
from rgan_train.training.sampler import TimedBatches
from rgan_train.training.selection import select

LEAST_GAIN_DB: Final = 0.05
"""With less, a network counts as one that does nothing."""

REPORT_EVERY = 10
"""Steps between two reports: reading a loss makes the CPU wait for a GPU."""

CHECKPOINT_EVERY: Final = 600.0
"""Seconds without a checkpoint after which one is saved in the middle of an epoch."""

EventCallback = Callable[[TrainingEvent], None]
Status = Literal["finished", "out of time", "interrupted"]


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes
    ----------
    status
        ``finished`` (all epochs), ``out of time`` (``max_minutes``) or ``interrupted``.
    state
        Where the run stands; a checkpoint of it is on disk.
    is_main
        False in all processes but the first.
    note
        What to know of a model whose training stopped inside a growing window; else empty.
    failure
        What to know of a network that ended no nearer to the target than the source; else empty.
    """

    status: Status
    state: RunState
    is_main: bool
    note: str = ""
    failure: str = ""


@dataclass(frozen=True)
class EpochProgress:
    """How far an epoch was trained.

    Attributes
    ----------
    status
        ``finished``, or why training stopped before the end of the epoch.
    loss_sums
        Sum of each loss over the steps of the epoch, by name; the mean over all processes.
    learning_rate
        That of the generator at the last step.
    waiting
        Share of the time that was spent waiting for data.
    """

    status: Status
    loss_sums: dict[str, float] = field(default_factory=dict)
    learning_rate: float = 0.0
    waiting: float = 0.0


def fit(job: Job, report: EventCallback) -> Outcome:
    """Train the configured method, or fit it where it has a closed form.

    Parameters
    ----------
    report
        Called in the main process with each event.

    Raises
    ------
    ConfigurationError
        If the settings do not fit each other, the slices or the devices.
    TrainingError
        If the folder holds another run, a loss is no longer finite, or a checkpoint
        cannot be used.
    OutputError
        If the folder cannot be written to.
    """
    check_folder(job)
    fabric = make_fabric(job.devices, job.config.training.precision)
    fabric.launch()
    run, is_main = prepare_run(fabric, job), fabric.is_global_zero
    report = report if is_main else _ignore
    status: Status = "finished"
    with RunLog(job.folder.path, run.state.epoch, run.step, is_main) as log, Interrupt() as stop:
        started = run.describe_start()
        report(started)
        while status == "finished" and run.state.epoch < run.epochs:
            progress = train_epoch(run, stop, log, report)
            status = progress.status
            if status == "interrupted":
                save_within_epoch(run, progress.loss_sums)
            elif status == "finished" or run.state.step > 0:
                finish_epoch(run, progress, log, report)
        decibels = log.last_psnr()
    leave_process_group(fabric)
    note = run.curriculum.describe_stop(run.state.step)
    is_over = status != "interrupted" and not note and run.method.trains
    failure = describe_failure(run.state, decibels, started.input_psnr) if is_over else ""
    return Outcome(status, run.state, is_main, note, failure)


def describe_failure(state: RunState, decibels: float, input_psnr: float) -> str:
    """Return what to know if a network is no nearer to the target than the source; else nothing.

    Parameters
    ----------
    decibels, input_psnr
        Mean PSNR on the validation slices: of the network in the end, and of the source.
    """
    if not decibels <= input_psnr + LEAST_GAIN_DB:  # NaN without an epoch: nothing is known
        return ""
    return (
        f"the network ended no nearer to the target than the source: {decibels:.2f} dB on the "
        f"validation slices, the source has {input_psnr:.2f} dB. It has not learned yet, or its "
        f"units died on the way: the best checkpoint, {state.best}, has {state.best_psnr:.2f} dB. "
        "Train again with a lower optimizer.learning_rate, more steps or another training.seed"
    )


def train_epoch(run: Run, stop: Interrupt, log: RunLog, report: EventCallback) -> EpochProgress:
    """Train to the end of the epoch, or until the user or the clock stops it."""
    method, names = run.method, run.method.losses
    if not method.trains:
        return EpochProgress("finished")
    window = network_window(run.curriculum.window)
    earlier = [run.state.averages.get(name, 0.0) for name in names]
    sums = torch.tensor(earlier, device=run.fabric.device)
    status: Status = "finished"
    rate, started = 0.0, time.monotonic()
    rank = run.fabric.global_rank
    batches = TimedBatches(run.sampler.batches(run.state.epoch, run.state.step, rank))
    for batch in batches:
        status, progress, is_due = check_limits(run, stop)
        if status != "finished":
            break
        if is_due:
            save_within_epoch(run, mean_losses(run, sums))
        rate = method.set_rates(progress)
        losses = method.train_on(_to_device(batch, window, run.fabric.device))
        sums += losses
        run.state = replace(run.state, step=run.state.step + 1)
        if run.state.step % REPORT_EVERY == 0:
            values = dict(zip(names, losses.tolist(), strict=True))
            report(StepDone(run.state.epoch, run.state.step, values))
            log.scalars({f"train/{name}": value for name, value in values.items()}, run.step)
    waiting = batches.seconds / (time.monotonic() - started)
    return EpochProgress(status, mean_losses(run, sums), rate, waiting)


def check_limits(run: Run, stop: Interrupt) -> tuple[Status, float, bool]:
    """Return whether to stop and why, the progress, and whether a checkpoint is due.

    The same in all processes. ``finished`` means that nothing stops the training. The progress,
    in [0, 1], is that of the steps or of the clock, whichever is further on.
    """
    steps = run.epochs * run.sampler.steps_per_epoch
    progress, is_stopped, is_late, is_due = combine(
        run.fabric,
        "max",
        max(run.step / steps, run.elapsed / run.time_limit),
        stop.requested,
        run.elapsed > run.time_limit,
        run.elapsed - run.state.elapsed_seconds > CHECKPOINT_EVERY,
    )
    status: Status = "interrupted" if is_stopped else "out of time" if is_late else "finished"
    return status, progress, bool(is_due)


def mean_losses(run: Run, sums: Tensor) -> dict[str, float]:
    """Return the mean over all processes by name: all go on from one checkpoint."""
    means = combine(run.fabric, "mean", *sums.tolist())
    return dict(zip(run.method.losses, means, strict=True))


def save_within_epoch(run: Run, loss_sums: dict[str, float]) -> None:
    """Write a checkpoint from which the epoch goes on, unless a loss is not finite."""
    check_finite(run, loss_sums)
    run.save(replace(run.state, averages=loss_sums))


def finish_epoch(run: Run, progress: EpochProgress, log: RunLog, report: EventCallback) -> None:
    """Validate, choose the next window, log the epoch, save a checkpoint, and report.

    The log comes first: lines of an epoch that has no checkpoint are removed when the run is
    resumed, and none could be added for an epoch that has one.
    """
    check_finite(run, progress.loss_sums)
    losses = {name: value / run.state.step for name, value in progress.loss_sums.items()}
    scores = run.validator.scores()
    step, window = run.step, run.curriculum.window
    change = run.curriculum.advance(accuracy(run, scores), lambda: select_hu(run))
    is_best = not run.state.best or scores["validation_psnr"] > run.state.best_psnr
    state = replace(run.state, epoch=run.state.epoch + 1, step=0, averages={})
    if is_best:
        state = replace(state, best=state.name, best_psnr=scores["validation_psnr"])
    record: dict[str, Any] = {
        "epoch": state.epoch,
        "step": step,
        **losses,
        **scores,
        "window": [window.lower, window.upper],
        "learning_rate": progress.learning_rate,
        "waiting_for_data": round(progress.waiting, 4),
        "elapsed_minutes": round(run.elapsed / 60, 3),
    }
    log.epoch(record, step)
    if run.config.curriculum.schedule != "none":
        log.window({"epoch": state.epoch, **change})
    if run.validator.example:
        log.images(run.validator.example, run.hu_range, step)
    run.save(state)
    report(EpochDone(record, is_best))


def check_finite(run: Run, losses: dict[str, float]) -> None:
    """Refuse to go on, or to save a checkpoint, with a loss that is not finite.

    Raises
    ------
    TrainingError
        If there is one.
    """
    if not all(map(math.isfinite, losses.values())):
        raise TrainingError(
            f"a loss is no longer finite in epoch {run.state.epoch + 1}; start again with a "
            "lower optimizer.learning_rate"
        )


def accuracy(run: Run, scores: dict[str, float]) -> float:
    """Return the validation accuracy: in the window while it grows, else in the whole range."""
    if not run.curriculum.is_growing or run.curriculum.window == run.hu_range:
        return 1 - scores["validation_mae_hu"] / run.hu_range.width
    return run.validator.accuracy(run.curriculum.window)


def select_hu(run: Run) -> Selection:
    """Let the discriminator judge random subsets of the training data."""
    config = run.config.curriculum
    subsets = run.sampler.subsets(run.state.epoch, config.subsets, run.fabric.global_rank)
    return select(run.fabric, run.method, subsets, run.hu_range, config.th_fail)


def _to_device(batch: Batch, window: HUWindow, device: torch.device) -> TrainingCrops:
    """Return a batch in window units, on the device."""

    def convert(*images: NDArray[np.float32]) -> list[Tensor]:
        return [normalize(torch.from_numpy(hu).to(device), window) for hu in images]

    unpaired = None
    if batch.real:
        source, expected, target = convert(*batch.real[:3])
        unpaired = UnpairedCrops(
            source, expected, target, batch.pixel_spacing, batch.real.coarsest, window.width
        )
    spacing = torch.tensor([batch.pixel_spacing], device=device)
    real_a, real_b = convert(*batch.sample)
    return TrainingCrops(real_a, real_b, spacing, unpaired)


def _ignore(event: TrainingEvent) -> None:
    """Stand in for ``report`` in all processes but the first."""
