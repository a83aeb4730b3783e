"""The tables of the configuration that belong to one method or one schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from rgan_sdk.errors import ConfigurationError

MethodName = Literal[
    "radiomicgan", "physics+gan", "choe", "ganai", "stan_ct", "compact", "linear", "histogram"
]


@dataclass(frozen=True)
class MethodConfig:
    """What is trained.

    Attributes
    ----------
    name
        A module of ``rgan_train.methods``.
    """

    name: MethodName = "radiomicgan"


@dataclass(frozen=True)
class CurriculumConfig:
    """Dynamic Window-based Training (paper, section 2.2).

    Attributes
    ----------
    schedule
        ``growing`` (the paper's RadiomicGAN^1), ``selection`` (^2), both in turn
        (RadiomicGAN), or ``none``: the whole HU range throughout.
    step
        HU by which the window grows at its upper end, and its width at the start.
    th_acc, th_eta
        A growing stage ends when validation accuracy passes ``th_acc``, at the latest
        after ``th_eta`` epochs. Accuracy is 1 minus the mean absolute error in units of
        the window.
    th_fail
        Pixels whose class activation is above it are hot.
    subsets
        Random subsets of the training data that are judged after each epoch of
        selection; each is one batch as it is drawn for training.
    min_width
        Of a selected window in HU.
    """

    schedule: Literal["none", "growing", "selection", "growing+selection"] = "growing+selection"
    step: float = 256.0
    th_acc: float = 0.99
    th_eta: int = 1
    th_fail: float = 0.5
    subsets: int = 4
    min_width: float = 256.0

    def __post_init__(self) -> None:
        require(self.step >= 2, "curriculum.step", self.step, "2 or more")
        require(0 < self.th_acc <= 1, "curriculum.th_acc", self.th_acc, "above 0, at most 1")
        require(self.th_eta >= 1, "curriculum.th_eta", self.th_eta, "1 or more")
        require(0 <= self.th_fail < 1, "curriculum.th_fail", self.th_fail, "0 or more, below 1")
        require(self.subsets >= 1, "curriculum.subsets", self.subsets, "1 or more")
        require(self.min_width >= 2, "curriculum.min_width", self.min_width, "2 or more")


@dataclass(frozen=True)
class ChoeConfig:
    """The residual CNN of Choe et al.

    Attributes
    ----------
    channels, layers
        Six convolutions of 64 filters in the source.
    """

    channels: int = 64
    layers: int = 6

    def __post_init__(self) -> None:
        require(self.channels >= 1, "choe.channels", self.channels, "1 or more")
        require(self.layers >= 2, "choe.layers", self.layers, "2 or more")


@dataclass(frozen=True)
class GANaiConfig:
    """When the alternating training of GANai changes sides.

    Attributes
    ----------
    discriminator_accuracy
        The discriminator is trained until it judges this share of patches right.
    generator_accuracy
        The generator is trained until the discriminator judges no more than this share
        of its patches right.
    phase_steps
        The longest phase.
    """

    discriminator_accuracy: float = 0.8
    generator_accuracy: float = 0.5
    phase_steps: int = 10

    def __post_init__(self) -> None:
        for name in ("discriminator_accuracy", "generator_accuracy"):
            value = getattr(self, name)
            require(0 < value < 1, f"ganai.{name}", value, "between 0 and 1")
        require(self.phase_steps >= 1, "ganai.phase_steps", self.phase_steps, "1 or more")


@dataclass(frozen=True)
class StanCTConfig:
    """The two losses of STAN-CT.

    Attributes
    ----------
    latent_weight
        Of the distance between the encodings of candidate and target.
    feature_weight
        Of the distance between the discriminator's features of candidate and target.
    """

    latent_weight: float = 1.0
    feature_weight: float = 10.0

    def __post_init__(self) -> None:
        for name in ("latent_weight", "feature_weight"):
            require(getattr(self, name) >= 0, f"stan_ct.{name}", getattr(self, name), ">= 0")


@dataclass(frozen=True)
class CompactConfig:
    """The small residual CNN for a CPU.

    Attributes
    ----------
    channels, layers
        Convolutions at full resolution: one of 5x5 pixels, then of 3x3.
    """

    channels: int = 16
    layers: int = 7

    def __post_init__(self) -> None:
        require(self.channels >= 1, "compact.channels", self.channels, "1 or more")
        require(self.layers >= 2, "compact.layers", self.layers, "2 or more")


@dataclass(frozen=True)
class LinearConfig:
    """The linear filter.

    Attributes
    ----------
    kind
        ``radial``: a transfer function of the frequency; ``2d``: of its direction, too.
    taps
        Edge of the convolution in pixels, odd.
    ridge
        Regularisation, as a share of the source's mean power.
    """

    kind: Literal["radial", "2d"] = "radial"
    taps: int = 63
    ridge: float = 1e-6

    def __post_init__(self) -> None:
        require(self.taps >= 3 and self.taps % 2 == 1, "linear.taps", self.taps, "odd, 3 or more")
        require(self.ridge >= 0, "linear.ridge", self.ridge, "0 or more")


@dataclass(frozen=True)
class HistogramConfig:
    """The look-up curve.

    Attributes
    ----------
    segments
        Straight pieces of the curve over the window.
    """

    segments: int = 64

    def __post_init__(self) -> None:
        require(self.segments >= 1, "histogram.segments", self.segments, "1 or more")


@dataclass(frozen=True)
class DistillationConfig:
    """What a student of ``rgan-train distill`` learns from.

    Attributes
    ----------
    teacher_weight
        Share of the teacher's output in the target of the training slices; the rest is the
        real target.
    """

    teacher_weight: float = 0.5

    def __post_init__(self) -> None:
        weight = self.teacher_weight
        require(0 <= weight <= 1, "distillation.teacher_weight", weight, "from 0 to 1")


def require(condition: bool, name: str, value: Any, expected: str) -> None:
    """Raise ConfigurationError unless ``condition`` holds for the value of a key."""
    if not condition:
        raise ConfigurationError(f"{name} = {value!r}: must be {expected}")
