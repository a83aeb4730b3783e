"""A training run in memory: how it is prepared, where it stands, and how it is saved."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from lightning_fabric import Fabric

from rgan_sdk.errors import ConfigurationError
from rgan_sdk.hu import HUWindow
from rgan_sdk.kernels.noise import soft_tissue_noise
from rgan_train.config import Config
from rgan_train.methods import METHODS, find_method
from rgan_train.methods.base import Method
from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.networks.weights import frozen_state, load_frozen_state
from rgan_train.networks.window import network_window
from rgan_train.pairs import (
    PairedFiles,
    SliceReader,
    WholeSlices,
    reference_spacing,
    spread_over_patients,
    write_pairs,
)
from rgan_train.pairs.noise import PairNoise
from rgan_train.processes import run_in_main_process
from rgan_train.simulation.augmentation import kernel_jitter
from rgan_train.training.curriculum import Curriculum
from rgan_train.training.events import TrainingStarted
from rgan_train.training.job import UNPAIRED, Job
from rgan_train.training.run_folder import RunFolder, RunState
from rgan_train.training.runlog import collect_provenance
from rgan_train.training.sampler import Sampler, make_sampler
from rgan_train.training.unpaired import make_real_sampler
from rgan_train.training.validation import Validator

NOISE_SLICES = 12
"""Slices in which the noise of both kernels is measured."""


FITTED_SLICES = 1000
"""Training slices that a filter or a look-up curve is fitted to, at most."""


@dataclass
class Run:
    """Everything that the training loop works on, in one process.

    Attributes
    ----------
    state
        Where the run stands. The loop counts its steps here; ``save`` writes it to disk.
    started
        ``time.monotonic()`` at the start, moved back by the time of earlier sessions.
    notes
        Remarks on the slices.
    """

    fabric: Fabric
    config: Config
    folder: RunFolder
    method: Method
    sampler: Sampler
    curriculum: Curriculum
    validator: Validator
    state: RunState
    started: float
    notes: tuple[str, ...] = ()

    @property
    def hu_range(self) -> HUWindow:
        """The HU that the model is made for."""
        return self.config.data.hu_range

    @property
    def epochs(self) -> int:
        """Epochs of the whole run; 1 for a method that is fitted without steps."""
        return self.config.training.epochs if self.method.trains else 1

    @property
    def step(self) -> int:
        """Steps done since the start of the run."""
        return self.state.epoch * self.sampler.steps_per_epoch + self.state.step

    @property
    def elapsed(self) -> float:
        """Seconds of training so far, in all sessions of the run."""
        return time.monotonic() - self.started

    @property
    def time_limit(self) -> float:
        """Seconds after which the run stops; infinite without a limit."""
        return self.config.training.max_minutes * 60 or math.inf

    def describe_start(self) -> TrainingStarted:
        """Return what the run works with."""
        return TrainingStarted(
            method=self.config.method.name,
            device=str(self.fabric.device),
            processes=self.fabric.world_size,
            trained_parameters=_count_trained(self.method.G),
            epoch=self.state.epoch,
            epochs=self.epochs,
            steps_per_epoch=self.sampler.steps_per_epoch if self.method.trains else 0,
            input_psnr=self.validator.input_psnr(),
            seconds_left=self.time_limit - self.elapsed,
            notes=(*self.notes, *self.method.G.notes()),
        )

    def save(self, state: RunState) -> None:
        """Continue with ``state``, and write a checkpoint of it."""
        self.state = replace(
            state,
            elapsed_seconds=self.elapsed,
            scaler=dict(self.fabric.strategy.precision.state_dict()),
            curriculum=self.curriculum.state_dict(),
            method=self.method.state_dict(),
        )
        run_in_main_process(
            self.fabric, lambda: self.folder.save(self.state, self.method.tensors())
        )


def prepare_run(fabric: Fabric, job: Job) -> Run:
    """Build what a job needs in this process, and record the start in its folder.

    Parameters
    ----------
    fabric
        Launched.

    Raises
    ------
    ConfigurationError
        If the settings do not fit each other, the slices or the pretrained weights.
    TrainingError
        If a checkpoint cannot be used.
    WeightsError
        If pretrained weights cannot be loaded.
    """
    config, state = job.config, job.folder.state("last") or RunState()
    reader = SliceReader(config.data.cache_mb)
    torch.manual_seed(config.training.seed)
    method_class = find_method(config, unpaired=job.unpaired is not None)
    network = method_class.build_network(config)
    discriminator = method_class.build_discriminator(config)
    _check_curriculum(config, discriminator is not None)
    _check_crop(config)
    reference = reference_spacing(job.dataset.train)
    samples = WholeSlices(job.dataset.train, reader, reference)
    noise, without_noise = _measure_noise(config, samples, reference)
    sampler = make_sampler(
        job.dataset.train,
        reader,
        config,
        network.multiple,
        fabric.world_size,
        kernel_jitter(config),
        noise,
    )
    if job.unpaired:
        size = sampler.height, sampler.width
        real = make_real_sampler(job.unpaired, job.dataset.train, reader, config, size)
        sampler = replace(sampler, real=real)
    if discriminator is not None:
        discriminator.check_crop(network, sampler.height, sampler.width)
    _load_frozen(network, job)
    if state == RunState():
        fitted = spread_over_patients(job.dataset.train, FITTED_SLICES)
        network.prepare(
            WholeSlices(fitted, reader, reference), network_window(config.data.hu_range), reference
        )
    run_in_main_process(fabric, lambda: _record_start(job, network, samples, noise))

    method = method_class(fabric, config, network, discriminator)
    curriculum = Curriculum(config.curriculum, config.data.hu_range)
    if state != RunState():
        method.load(job.folder.load(state))
        method.load_state_dict(state.method)
        curriculum.load_state_dict(state.curriculum)
        if state.scaler:
            fabric.strategy.precision.load_state_dict(state.scaler)
    validated = spread_over_patients(job.dataset.validation, config.training.validate_on)
    validator = Validator(
        fabric,
        validated,
        reader,
        config.data.hu_range,
        network,
        config.domain.coarsest if config.domain.spacing_aware else 1.0,
    )
    started = time.monotonic() - state.elapsed_seconds
    return Run(
        fabric,
        config,
        job.folder,
        method,
        sampler,
        curriculum,
        validator,
        state,
        started,
        (
            *job.dataset.notes,
            *filter(None, (without_noise, _describe_validated(validated, job.dataset.validation))),
        ),
    )


def _describe_validated(validated: Sequence[PairedFiles], slices: Sequence[PairedFiles]) -> str:
    """Return how many of the validation slices are used; empty if all are."""
    if len(validated) == len(slices):
        return ""
    patients = len({item.patient for item in validated})
    return (
        f"validation after each epoch: {len(validated)} of {len(slices)} slices, of {patients} "
        "patient(s) (training.validate_on)"
    )


def _check_curriculum(config: Config, has_discriminator: bool) -> None:
    """Refuse a schedule that needs a discriminator where none is trained."""
    schedule = config.curriculum.schedule
    is_judged = has_discriminator and config.loss.adversarial_weight > 0
    if "selection" in schedule and not is_judged:
        raise ConfigurationError(
            f"curriculum.schedule = {schedule!r} needs a discriminator, but the method "
            f"{config.method.name} trains none with these settings: set it to 'growing' or 'none'"
        )


def _check_crop(config: Config) -> None:
    """Refuse whole slices where crops are resampled to one size."""
    trains = bool(METHODS[config.method.name].losses)
    if config.domain.spacing_aware and config.training.crop == 0 and trains:
        raise ConfigurationError(
            "training.crop = 0: whole slices can't be resampled to other pixel spacings; set "
            "training.crop to a number of pixels, or domain.spacing_aware = false"
        )


def _load_frozen(network: HarmonizationNetwork, job: Job) -> None:
    """Load pretrained weights."""
    if job.resume:
        load_frozen_state(network, job.folder.encoder())
    else:
        METHODS[job.config.method.name].load_pretrained(network, job.config, job.vgg_weights)


def _measure_noise(
    config: Config, samples: WholeSlices, pixel_spacing: float
) -> tuple[PairNoise | None, str]:
    """Return the noise to add in training, and why there is none although it was asked for."""
    if config.domain.added_noise == 0 or not METHODS[config.method.name].losses:
        return None, ""
    noise = PairNoise.measure(samples.spread(NOISE_SLICES), pixel_spacing)
    if noise is not None:
        return noise, ""
    return None, (
        "no noise is added in training (domain.added_noise): the slices show too little even soft "
        "tissue to measure the noise of both kernels in"
    )


def _source_noise(samples: WholeSlices) -> list[float]:
    """Return the noise of some source slices in soft tissue, in HU; none where it can't be told."""
    spacing = samples.spacing(0)
    levels = (
        soft_tissue_noise(sample.source_hu, spacing) for sample in samples.spread(NOISE_SLICES)
    )
    return [round(level, 2) for level in levels if level is not None]


def _record_start(
    job: Job, network: HarmonizationNetwork, samples: WholeSlices, noise: PairNoise | None
) -> None:
    """Record pairs, settings, provenance and frozen weights; if resumed, only new limits."""
    if job.resume:
        job.folder.update_config(job.config)
        return
    provenance = collect_provenance(job.dataset, job.pairs, job.vgg_weights, _source_noise(samples))
    if job.unpaired:
        provenance[UNPAIRED] = job.unpaired.sha256
    provenance["added_noise_hu"] = job.config.domain.added_noise if noise else 0.0
    write_pairs(job.pairs, job.folder.pairs_csv)
    job.folder.create(job.config, provenance, frozen_state(network))


def _count_trained(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
