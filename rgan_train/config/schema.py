"""The configuration of a training run.

The defaults are those of the paper (section 3.1), and the simplest choice where the paper
says nothing. Recommended settings for a method are in its TOML file.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Final, Literal

from rgan_sdk.hu import HUWindow
from rgan_train.config.methods import (
    ChoeConfig,
    CompactConfig,
    CurriculumConfig,
    DistillationConfig,
    GANaiConfig,
    HistogramConfig,
    LinearConfig,
    MethodConfig,
    StanCTConfig,
    require,
)

FOLDS: Final = 5


@dataclass(frozen=True)
class DataConfig:
    """The images, and how they are split.

    Attributes
    ----------
    source_kernel, target_kernel
        The direction, needed because a pair can be used in both.
    window
        Range of HU that is harmonized (paper: -1024 to 1000). The network sees 8 HU more at
        both ends, where its output blends into the input.
    split
        ``patient``, ``position`` (along the slice normal, with a gap of one slice), or
        ``auto``: by patient if there are three or more.
    train_slices, validation_slices, test_slices
        Ranges such as ``0-10,25-29``, counted from 0 by ascending position in each pair.
        Give all three or none; they take precedence over ``split``.
    fold
        1 to 5: test this fifth of the slices, or of the patients if there are three or more
        (``pairs.splits.split_fold``). It replaces ``split`` and the ranges. 0: no folds.
    cache_mb
        Memory for decoded slices, in MB.
    name, licence, citation
        Of the training data, for the model card.
    """

    source_kernel: str = ""
    target_kernel: str = ""
    window: tuple[float, float] = (-1024.0, 1000.0)
    split: Literal["auto", "patient", "position"] = "auto"
    train_slices: str = ""
    validation_slices: str = ""
    test_slices: str = ""
    fold: int = 0
    cache_mb: int = 2048
    name: str = ""
    licence: str = ""
    citation: str = ""

    def __post_init__(self) -> None:
        require(len(self.window) == 2, "data.window", self.window, "two numbers")
        require(self.window[0] < self.window[1], "data.window", self.window, "lower below upper")
        require(self.cache_mb >= 0, "data.cache_mb", self.cache_mb, "0 or more")
        require(0 <= self.fold <= FOLDS, "data.fold", self.fold, f"1 to {FOLDS}, or 0 for none")
        other = self.split != "auto" or any(self.ranges)
        free = not (self.fold and other)
        require(free, "data.fold", self.fold, "0 where data.split or ranges of slices are given")

    @property
    def ranges(self) -> tuple[str, str, str]:
        """Ranges of slices for training, validation and test; empty if there are none."""
        return self.train_slices, self.validation_slices, self.test_slices

    @property
    def hu_range(self) -> HUWindow:
        """The HU that are harmonized: ``window`` as an interval."""
        return HUWindow(*self.window)

    @property
    def validation_name(self) -> str:
        """What the validation slices are called on a model card."""
        return f"validation slices of {self.name}" if self.name else "validation slices"


@dataclass(frozen=True)
class GeneratorConfig:
    """The generator of ``radiomicgan`` and ``physics+gan``.

    ``ganai`` and ``stan_ct`` use ``widths`` and ``output`` for their U-Net.

    Attributes
    ----------
    encoder
        ``vgg19`` (paper) and ``vgg19-compact`` are pretrained and frozen. ``none`` has
        the same form and is trained from scratch.
    widths
        Channels of the encoder's groups if ``encoder`` is ``none``.
    stem_channels, stem_layers
        Trainable convolutions at full resolution beside the encoder; 0 channels: no stem.
    output
        ``direct`` (paper), or ``residual``: the input plus the network's output.
    """

    encoder: Literal["vgg19", "vgg19-compact", "none"] = "vgg19"
    widths: tuple[int, ...] = (16, 32, 64, 128)
    stem_channels: int = 0
    stem_layers: int = 2
    output: Literal["residual", "direct"] = "direct"

    def __post_init__(self) -> None:
        widths_are_valid = 2 <= len(self.widths) <= 4 and min(self.widths) >= 2
        require(widths_are_valid, "generator.widths", self.widths, "2 to 4 numbers from 2 up")
        require(self.stem_channels >= 0, "generator.stem_channels", self.stem_channels, ">= 0")
        require(self.stem_layers >= 1, "generator.stem_layers", self.stem_layers, ">= 1")


@dataclass(frozen=True)
class DiscriminatorConfig:
    """The discriminator, a conditional PatchGAN.

    Attributes
    ----------
    channels
        Channels of the first layer.
    strided_layers
        Layers that halve the size. With 3 of them a patch has 70x70 pixels.
    """

    channels: int = 64
    strided_layers: int = 3

    def __post_init__(self) -> None:
        require(self.channels >= 1, "discriminator.channels", self.channels, ">= 1")
        require(
            0 <= self.strided_layers <= 5,
            "discriminator.strided_layers",
            self.strided_layers,
            "0 to 5",
        )


@dataclass(frozen=True)
class LossConfig:
    """The generator's loss: ``adversarial_weight * G_GAN + l1_weight * G_L1``.

    Attributes
    ----------
    l1_weight
        Weight of the mean absolute error in units of the window.
    adversarial_weight
        Weight of the adversarial loss; 0 trains without the discriminator.
    adversarial
        ``bce``: cross-entropy; ``lsgan``: least squares.
    """

    l1_weight: float = 100.0
    adversarial_weight: float = 1.0
    adversarial: Literal["bce", "lsgan"] = "bce"

    def __post_init__(self) -> None:
        weights = (self.l1_weight, self.adversarial_weight)
        require(
            min(weights) >= 0 and max(weights) > 0,
            "loss.l1_weight, loss.adversarial_weight",
            weights,
            "not negative, and not both 0",
        )


@dataclass(frozen=True)
class OptimizerConfig:
    """Adam, for generator and discriminator.

    Attributes
    ----------
    learning_rate, discriminator_learning_rate
        Learning rates at the start (paper: 1e-4).
    beta1, beta2
        Decay rates of the moments (paper: "momentum 0.5").
    schedule
        ``constant`` (paper), or ``cosine``: falls to a hundredth at the end.
    """

    learning_rate: float = 1e-4
    discriminator_learning_rate: float = 1e-4
    beta1: float = 0.5
    beta2: float = 0.999
    schedule: Literal["constant", "cosine"] = "constant"

    def __post_init__(self) -> None:
        for name in ("learning_rate", "discriminator_learning_rate"):
            require(getattr(self, name) > 0, f"optimizer.{name}", getattr(self, name), "> 0")
        for name in ("beta1", "beta2"):
            require(0 <= getattr(self, name) < 1, f"optimizer.{name}", getattr(self, name), "0..1")


@dataclass(frozen=True)
class TrainingConfig:
    """The training loop.

    Attributes
    ----------
    epochs
        Number of epochs (paper: at most 30).
    steps_per_epoch
        0: as many as it takes to use each training slice once.
    batch_size
        Crops per device and step.
    crop
        Edge length of the square crops in pixels; 0: whole slices (paper).
    flips
        Whether crops are mirrored at random, left-right and up-down.
    kernel_jitter
        Largest share by which the source's MTF is stretched or compressed at random, so
        that the model also sees similar kernels (``rgan_train.simulation.augmentation``);
        0: no augmentation.
    source_mtf
        Frequencies of 50 % and 10 % MTF of the source kernel in lp/cm, for
        ``kernel_jitter``; empty: the assumed values of a known kernel.
    seed
        Of initialization, order and crops.
    precision
        ``auto``: bf16-mixed or 16-mixed on a GPU that supports it, else 32-true.
    validate_on
        After each epoch so many validation slices are harmonized, the same ones each time, as
        many of each patient as far as they have them; 0: all.
    max_minutes
        Time limit, including validation; 0: no limit. With a limit the schedule of the
        learning rate follows the clock or the epochs, whichever is further on.
    """

    epochs: int = 30
    steps_per_epoch: int = 0
    batch_size: int = 1
    crop: int = 0
    flips: bool = False
    kernel_jitter: float = 0.0
    source_mtf: tuple[float, ...] = ()
    seed: int = 0
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = "auto"
    validate_on: int = 100
    max_minutes: float = 0.0

    def __post_init__(self) -> None:
        for name, least in (
            ("epochs", 1),
            ("steps_per_epoch", 0),
            ("batch_size", 1),
            ("crop", 0),
            ("seed", 0),
            ("validate_on", 0),
            ("max_minutes", 0),
        ):
            value = getattr(self, name)
            require(value >= least, f"training.{name}", value, f"{least} or more")
        jitter = self.kernel_jitter
        require(0 <= jitter < 0.5, "training.kernel_jitter", jitter, "0 or more, below 0.5")
        pair = len(self.source_mtf) in (0, 2)
        require(pair, "training.source_mtf", self.source_mtf, "two numbers, or empty")


@dataclass(frozen=True)
class DomainConfig:
    """The pixel spacings and the noise that a model is trained for.

    Attributes
    ----------
    spacing_aware
        Whether the weights depend on the pixel spacing, and crops come from slices that are
        resampled to other spacings. Otherwise the model holds for that of the training slices.
    finest, coarsest
        Smallest and largest pixel spacing of the crops, as factors of that of their slice.
    native_share
        Share of the batches that are not resampled.
    added_noise
        Largest standard deviation in HU of the noise that is added to the source, with the
        spectrum of its kernel; the target gets what the same noise is with its own kernel.
        Half of the crops get none, and low levels are more frequent. 0: no noise is added.
    """

    spacing_aware: bool = False
    finest: float = 0.75
    coarsest: float = 1.4
    native_share: float = 0.25
    added_noise: float = 0.0

    def __post_init__(self) -> None:
        require(0.25 <= self.finest <= 1, "domain.finest", self.finest, "from 0.25 to 1")
        require(1 < self.coarsest <= 4, "domain.coarsest", self.coarsest, "above 1, at most 4")
        share = self.native_share
        require(0 <= share <= 1, "domain.native_share", share, "from 0 to 1")
        require(self.added_noise >= 0, "domain.added_noise", self.added_noise, "0 or more")


@dataclass(frozen=True)
class Config:
    """All settings; each attribute is a TOML table."""

    method: MethodConfig = field(default_factory=MethodConfig)
    data: DataConfig = field(default_factory=DataConfig)
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    domain: DomainConfig = field(default_factory=DomainConfig)
    curriculum: CurriculumConfig = field(default_factory=CurriculumConfig)
    choe: ChoeConfig = field(default_factory=ChoeConfig)
    ganai: GANaiConfig = field(default_factory=GANaiConfig)
    stan_ct: StanCTConfig = field(default_factory=StanCTConfig)
    compact: CompactConfig = field(default_factory=CompactConfig)
    linear: LinearConfig = field(default_factory=LinearConfig)
    histogram: HistogramConfig = field(default_factory=HistogramConfig)
    distillation: DistillationConfig = field(default_factory=DistillationConfig)

    def to_json(self) -> str:
        """Return the configuration as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"
