"""The training run, from top to bottom: start or resume, epochs, validation, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from lightning_fabric import Fabric

from rgan_sdk.errors import TrainingError
from rgan_sdk.hu import HUWindow
from rgan_train.checkpoint import RunFolder, State, frozen_state, load_frozen_state
from rgan_train.config import Config
from rgan_train.data import Dataset
from rgan_train.gan import GAN, LOSSES, check_crop
from rgan_train.graph import normalize
from rgan_train.networks import build_discriminator, build_generator
from rgan_train.networks.generator import Generator
from rgan_train.pairs_csv import read_pairs, write_pairs
from rgan_train.processes import Interrupt, combine, in_main_process, make_fabric
from rgan_train.reports import EpochReport, Report, StartReport, StepReport
from rgan_train.runlog import RunLog, describe_run
from rgan_train.sampling import Sampler, SliceReader, make_sampler
from rgan_train.validation import Validator

CALIBRATION_SLICES = 4
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
    """Train a generator against a discriminator.

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
    _check_folder(job)
    fabric = make_fabric(job.devices, job.config.training.precision)
    fabric.launch()
    run = _Run(fabric, job, report)
    with run.log, Interrupt() as interrupt:
        run.tell_start()
        status = run.train(interrupt)
    return Outcome(status, run.state, fabric.is_global_zero)


class _Run:
    """A run in one process: everything that the loop works on, and the loop."""

    def __init__(self, fabric: Fabric, job: Job, report: Callable[[Report], None]) -> None:
        config = job.config
        self.fabric, self.folder = fabric, job.run
        self.settings = config.training
        self.window = HUWindow(*config.data.window)
        self.report = report if fabric.is_global_zero else _ignore

        torch.manual_seed(self.settings.seed)
        generator = build_generator(config.generator, job.vgg_weights, pretrained=not job.resume)
        discriminator = build_discriminator(config.discriminator)
        reader = SliceReader(config.data.cache_mb)
        self.sampler = make_sampler(
            job.dataset.train, reader, self.settings, generator.multiple, fabric.world_size
        )
        check_crop(discriminator, self.sampler.height, self.sampler.width)
        if job.resume:
            load_frozen_state(generator, job.run.encoder())
        if config.generator.encoder != "none":
            # Also for a run that was stopped before its first checkpoint, which holds the gains.
            generator.encoder.calibrate(_calibration(job.dataset, self.sampler, self.window))
        in_main_process(fabric, lambda: _record_start(job, generator))

        self.gan = GAN(fabric, config, generator, discriminator)
        self.state = job.run.state("last") or State()
        if self.state != State():
            self.gan.load(job.run.load(self.state), self.state.scaler)
        self.validator = Validator(fabric, job.dataset.validation, reader, self.window, generator)
        self.log = RunLog(job.run.path, self.state.epoch, self.step, fabric.is_global_zero)
        self.started = time.monotonic() - self.state.elapsed_seconds
        self.limit = self.settings.max_minutes * 60 or math.inf
        self.rate = 0.0

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
                device=str(self.fabric.device),
                processes=self.fabric.world_size,
                trained_parameters=sum(p.numel() for p in _trained(self.gan.G)),
                epoch=self.state.epoch,
                epochs=self.settings.epochs,
                steps_per_epoch=self.sampler.steps_per_epoch,
                input_psnr=self.validator.input_psnr(),
            )
        )

    def train(self, interrupt: Interrupt) -> Status:
        """Train until all epochs are done, time is up, or the user interrupts."""
        while self.state.epoch < self.settings.epochs:
            averages, status = self._train_epoch(interrupt)
            if status == "interrupted":
                self._save(replace(self.state, averages=averages))
                return status
            if self.state.step == 0:  # time was up before the first step
                return status
            self._finish_epoch(averages)
            if status == "out of time":
                return status
        return "finished"

    def _train_epoch(self, interrupt: Interrupt) -> tuple[dict[str, float], Status]:
        """Train to the end of the epoch, or as far as it goes; return the sums of losses."""
        epoch, total = self.state.epoch, self.settings.epochs * self.sampler.steps_per_epoch
        sums = torch.tensor(
            [self.state.averages.get(name, 0.0) for name in LOSSES], device=self.fabric.device
        )
        status: Status = "finished"
        for batch in self.sampler.batches(epoch, self.state.step, self.fabric.global_rank):
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
            self.rate = self.gan.set_rates(progress)
            real_a, real_b = (
                normalize(torch.from_numpy(hu).to(self.fabric.device), self.window) for hu in batch
            )
            losses = self.gan.step(real_a, real_b)
            sums += losses
            self.state = replace(self.state, step=self.state.step + 1)
            if self.state.step % REPORT_EVERY == 0:
                values = dict(zip(LOSSES, losses.tolist(), strict=True))
                self.report(StepReport(epoch, self.state.step, values))
                self.log.scalars({f"train/{k}": v for k, v in values.items()}, self.step)
        return dict(zip(LOSSES, sums.tolist(), strict=True)), status

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
        done, step = self.state.epoch + 1, self.step
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
            "learning_rate": self.rate,
            "elapsed_minutes": round(self.elapsed / 60, 3),
        }
        self.log.epoch(record, step)
        self.log.images(*self.validator.sample(), self.window, step)
        self.report(EpochReport(record, is_best))

    def _save(self, state: State) -> None:
        self.state = replace(state, elapsed_seconds=self.elapsed, scaler=self.gan.scaler())
        in_main_process(self.fabric, lambda: self.folder.save(self.state, self.gan.tensors()))


def _check_folder(job: Job) -> None:
    """Refuse a folder that is not what it should be, before any process is started."""
    if job.resume:
        job.run.check_resumable(job.config, job.dataset.sha256())
    elif job.run.exists():
        raise TrainingError(
            f"{job.run.path}: holds a run already; go on with --resume, or choose another folder"
        )


def _calibration(dataset: Dataset, sampler: Sampler, window: HUWindow) -> torch.Tensor:
    """Return a few training slices from all over the scans, in units of the window."""
    count = min(CALIBRATION_SLICES, len(dataset.train))
    numbers = np.linspace(0, len(dataset.train) - 1, count).round().astype(int)
    rows = min(item.rows for item in dataset.train) // sampler.multiple * sampler.multiple
    columns = min(item.columns for item in dataset.train) // sampler.multiple * sampler.multiple
    hu = [sampler.reader.read(dataset.train[n]).source_hu[:rows, :columns] for n in numbers]
    return normalize(torch.from_numpy(np.stack(hu)[:, None]), window)


def _record_start(job: Job, generator: Generator) -> None:
    """Write what is fixed from now on; for a resumed run only its new limits."""
    if job.resume:
        job.run.update_config(job.config)
        return
    provenance = describe_run(job.dataset, job.pairs_csv, job.vgg_weights)
    write_pairs(read_pairs(job.pairs_csv), job.run.pairs_csv)
    job.run.create(job.config, provenance, frozen_state(generator))


def _trained(module: torch.nn.Module) -> list[torch.nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def _ignore(report: Report) -> None:
    """Stand in for the report in all processes but the first."""
