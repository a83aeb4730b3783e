"""The training run, from top to bottom: start or resume, epochs, validation, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from lightning_fabric import Fabric

from rgan_sdk.errors import ConfigurationError, TrainingError
from rgan_train.config import Config
from rgan_train.methods import METHODS
from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.networks.weights import frozen_state, load_frozen_state
from rgan_train.networks.window import network_window, normalize
from rgan_train.pairs.csv import read_pairs, write_pairs
from rgan_train.pairs.dataset import Dataset
from rgan_train.pairs.samples import SliceReader, WholeSlices
from rgan_train.processes import Interrupt, combine, in_main_process, leave_the_others, make_fabric
from rgan_train.simulation.augmentation import kernel_jitter
from rgan_train.training.curriculum import Curriculum, Selection
from rgan_train.training.reports import EpochReport, Report, StartReport, StepReport
from rgan_train.training.run_folder import RunFolder, State
from rgan_train.training.runlog import RunLog, describe_run
from rgan_train.training.sampler import Waiting, make_sampler
from rgan_train.training.selection import select
from rgan_train.training.validation import Validator

REPORT_EVERY = 10  # steps: reading a loss makes the CPU wait for a GPU

Status = Literal["finished", "out of time", "interrupted"]


@dataclass(frozen=True)
class Job:
    """What is to be trained.

    Attributes
    ----------
    pairs_csv
        Where ``dataset`` is listed; its hash is recorded.
    resume
        Go on with the run in ``run``.
    """

    config: Config
    dataset: Dataset
    pairs_csv: Path
    run: RunFolder
    resume: bool = False
    devices: int = 1
    vgg_weights: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes
    ----------
    status
        ``finished`` (all epochs), ``out of time`` (``max_minutes``) or ``interrupted``.
    state
        A checkpoint of it is on disk.
    is_main
        False in all processes but the first.
    """

    status: Status
    state: State
    is_main: bool


def fit(job: Job, report: Callable[[Report], None]) -> Outcome:
    """Train the configured method, or fit it where it has a closed form.

    Parameters
    ----------
    report
        Called in the main process with what happens.

    Raises
    ------
    TrainingError
        If the folder holds another run, a loss is no longer finite, or a checkpoint
        can't be used.
    """
    check_folder(job)
    fabric = make_fabric(job.devices, job.config.training.precision)
    fabric.launch()
    run = _Run(fabric, job, report)
    with run.log, Interrupt() as interrupt:
        run.tell_start()
        status = run.train(interrupt)
    leave_the_others(fabric)
    return Outcome(status, run.state, fabric.is_global_zero)


class _Run:
    """A run in one process: everything that the loop works on, and the loop."""

    def __init__(self, fabric: Fabric, job: Job, report: Callable[[Report], None]) -> None:
        config = job.config
        self.fabric, self.folder = fabric, job.run
        self.settings = config.training
        self.hu_range = config.data.hu_range
        self.report = report if fabric.is_global_zero else _ignore
        self.state = job.run.state("last") or State()
        reader = SliceReader(config.data.cache_mb)

        torch.manual_seed(self.settings.seed)
        method = METHODS[config.method.name]
        network, discriminator = method.build_network(config), method.build_discriminator(config)
        _check_curriculum(config, discriminator is not None)
        self.sampler = make_sampler(
            job.dataset.train,
            reader,
            self.settings,
            network.multiple,
            fabric.world_size,
            kernel_jitter(config),
        )
        if discriminator is not None:
            size = network.trained_size(self.sampler.height, self.sampler.width)
            discriminator.check_crop(*size)
        if job.resume:
            load_frozen_state(network, job.run.encoder())
        else:
            method.load_pretrained(network, config, job.vgg_weights)
        if self.state == State():
            slices = WholeSlices(job.dataset.train, reader)
            network.prepare(slices, network_window(self.hu_range))
        in_main_process(fabric, lambda: _record_start(job, network))

        self.method = method(fabric, config, network, discriminator)
        self.curriculum = Curriculum(config.curriculum, self.hu_range)
        if self.state != State():
            self._restore(job.run)
        self.validator = Validator(fabric, job.dataset.validation, reader, self.hu_range, network)
        self.log = RunLog(job.run.path, self.state.epoch, self.step, fabric.is_global_zero)
        self.started = time.monotonic() - self.state.elapsed_seconds
        self.limit = self.settings.max_minutes * 60 or math.inf
        self.rate = self.waited = 0.0

    @property
    def epochs(self) -> int:
        """Epochs of the whole run; one without steps where there is nothing to train."""
        return self.settings.epochs if self.method.trains else 1

    @property
    def step(self) -> int:
        """Steps done since the start of the run."""
        return self.state.epoch * self.sampler.steps_per_epoch + self.state.step

    @property
    def elapsed(self) -> float:
        """Seconds of training so far, in all sessions of the run."""
        return time.monotonic() - self.started

    def tell_start(self) -> None:
        """Report what the run works with."""
        self.report(
            StartReport(
                method=self.method.config.method.name,
                device=str(self.fabric.device),
                processes=self.fabric.world_size,
                trained_parameters=sum(p.numel() for p in _trained(self.method.G)),
                epoch=self.state.epoch,
                epochs=self.epochs,
                steps_per_epoch=self.sampler.steps_per_epoch if self.method.trains else 0,
                input_psnr=self.validator.input_psnr(),
                notes=self.method.G.notes(),
            )
        )

    def train(self, interrupt: Interrupt) -> Status:
        """Train until all epochs are done, time is up, or the user interrupts."""
        while self.state.epoch < self.epochs:
            averages, status = self._train_epoch(interrupt)
            if status == "interrupted":
                self._save(replace(self.state, averages=averages))
                return status
            if status == "out of time" and self.state.step == 0:
                return status
            self._finish_epoch(averages)
            if status == "out of time":
                return status
        return "finished"

    def _train_epoch(self, interrupt: Interrupt) -> tuple[dict[str, float], Status]:
        """Train to the end of the epoch, or as far as it goes; return the sums of losses."""
        epoch, total = self.state.epoch, self.epochs * self.sampler.steps_per_epoch
        names, window = self.method.losses, network_window(self.curriculum.window)
        sums = torch.tensor(
            [self.state.averages.get(name, 0.0) for name in names], device=self.fabric.device
        )
        if not self.method.trains:
            return {}, "finished"
        status: Status = "finished"
        started = time.monotonic()
        batches = Waiting(self.sampler.batches(epoch, self.state.step, self.fabric.global_rank))
        for batch in batches:
            progress, stop, late = combine(
                self.fabric,
                "max",
                max(self.step / total, self.elapsed / self.limit),
                interrupt.requested,
                self.elapsed > self.limit,
            )
            if stop or late:
                status = "interrupted" if stop else "out of time"
                break
            self.rate = self.method.set_rates(progress)
            real_a, real_b = (
                normalize(torch.from_numpy(hu).to(self.fabric.device), window) for hu in batch
            )
            losses = self.method.step(real_a, real_b)
            sums += losses
            self.state = replace(self.state, step=self.state.step + 1)
            if self.state.step % REPORT_EVERY == 0:
                values = dict(zip(names, losses.tolist(), strict=True))
                self.report(StepReport(epoch, self.state.step, values))
                self.log.scalars({f"train/{k}": v for k, v in values.items()}, self.step)
        self.waited = batches.seconds / (time.monotonic() - started)
        return dict(zip(names, sums.tolist(), strict=True)), status

    def _finish_epoch(self, sums: dict[str, float]) -> None:
        """Validate, save, and report."""
        names = list(sums)
        losses = combine(self.fabric, "mean", *(sums[name] / self.state.step for name in names))
        if not all(map(math.isfinite, losses)):
            raise TrainingError(
                f"a loss is no longer finite in epoch {self.state.epoch + 1}; start again with a "
                "lower optimizer.learning_rate, or go on from the last checkpoint with --resume"
            )
        scores = self.validator.scores()
        done, step, window = self.state.epoch + 1, self.step, self.curriculum.window
        change = self.curriculum.advance(self._accuracy(scores), self._select)
        is_best = not self.state.best or scores["validation_psnr"] > self.state.best_psnr
        state = replace(self.state, epoch=done, step=0, averages={})
        if is_best:
            state = replace(state, best=state.name, best_psnr=scores["validation_psnr"])
        self._save(state)
        record = {
            "epoch": done,
            "step": step,
            **dict(zip(names, losses, strict=True)),
            **scores,
            "window": [window.lower, window.upper],
            "learning_rate": self.rate,
            "waiting_for_data": round(self.waited, 4),
            "elapsed_minutes": round(self.elapsed / 60, 3),
        }
        self.log.epoch(record, step)
        if self.curriculum.config.schedule != "none":
            self.log.window({"epoch": done, **change})
        if self.validator.sample:
            self.log.images(*self.validator.sample, self.hu_range, step)
        self.report(EpochReport(record, is_best))

    def _accuracy(self, scores: dict[str, float]) -> float:
        """Return the validation accuracy: in the window while it grows, else in the whole range."""
        if not self.curriculum.is_growing or self.curriculum.window == self.hu_range:
            return 1 - scores["validation_mae_hu"] / self.hu_range.width
        return self.validator.accuracy(self.curriculum.window)

    def _select(self) -> Selection:
        """Let the discriminator judge random subsets of the training data."""
        config = self.curriculum.config
        subsets = self.sampler.subsets(self.state.epoch, config.subsets, self.fabric.global_rank)
        return select(self.fabric, self.method, subsets, self.hu_range, config.th_fail)

    def _save(self, state: State) -> None:
        self.state = replace(
            state,
            elapsed_seconds=self.elapsed,
            scaler=dict(self.fabric.strategy.precision.state_dict()),
            curriculum=self.curriculum.state_dict(),
            method=self.method.state_dict(),
        )
        in_main_process(self.fabric, lambda: self.folder.save(self.state, self.method.tensors()))

    def _restore(self, run: RunFolder) -> None:
        self.method.load(run.load(self.state))
        self.method.load_state_dict(self.state.method)
        self.curriculum.load_state_dict(self.state.curriculum)
        if self.state.scaler:
            self.fabric.strategy.precision.load_state_dict(self.state.scaler)


def check_folder(job: Job) -> None:
    """Refuse a folder that is not what it should be, before any process is started.

    Raises
    ------
    TrainingError
        If it holds another run, or none to resume.
    """
    if job.resume:
        job.run.check_resumable(job.config, job.dataset.sha256())
    elif job.run.exists():
        raise TrainingError(
            f"{job.run.path}: holds a run already; go on with --resume, or choose another folder"
        )


def _check_curriculum(config: Config, has_discriminator: bool) -> None:
    """Refuse a schedule that asks a discriminator where there is none."""
    schedule = config.curriculum.schedule
    judged = has_discriminator and config.loss.adversarial_weight > 0
    if "selection" in schedule and not judged:
        raise ConfigurationError(
            f"curriculum.schedule = {schedule!r} needs a discriminator, and the method "
            f"{config.method.name} trains none as configured: set it to 'growing' or 'none'"
        )


def _record_start(job: Job, network: HarmonizationNetwork) -> None:
    """Write what is fixed from now on; for a resumed run only its new limits."""
    if job.resume:
        job.run.update_config(job.config)
        return
    provenance = describe_run(job.dataset, job.pairs_csv, job.vgg_weights)
    write_pairs(read_pairs(job.pairs_csv), job.run.pairs_csv)
    job.run.create(job.config, provenance, frozen_state(network))


def _trained(module: torch.nn.Module) -> list[torch.nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def _ignore(report: Report) -> None:
    """Stand in for the report in all processes but the first."""
