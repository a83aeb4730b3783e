"""The tables of the configuration for one method or one schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from rgan_sdk.errors import ConfigurationError

MethodName = Literal[
    "radiomicgan", "physics+gan", "choe", "ganai", "stan_ct", "compact", "linear", "histogram"
]


@dataclass(frozen=True)
class MethodConfig:
    """The method that is trained.

    Attributes
    ----------
    name
        A key of ``rgan_train.methods.METHODS``.
    """

    name: MethodName = "radiomicgan"


@dataclass(frozen=True)
class CurriculumConfig:
    """Dynamic Window-based Training (paper, section 2.2).

    Attributes
    ----------
    schedule
        ``growing`` (the paper's RadiomicGAN^1), ``selection`` (^2), both in turn
        (RadiomicGAN), or ``none``: always the whole HU range.
    step
        HU by which the window grows at its upper end, and its width at the start.
    th_acc, th_eta
        A growing stage ends when the validation accuracy exceeds ``th_acc``, and at the
        latest after ``th_eta`` epochs. The accuracy is 1 minus the mean absolute error in
        units of the window.
    th_fail
        Pixels with a class activation above this are hot.
    subsets
        Number of random batches of training data that the discriminator judges after each
        epoch of selection.
    min_width
        Smallest width of a selected window, in HU.
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
        Filters of each convolution, and number of convolutions. The source has 64 and 6.
    """

    channels: int = 64
    layers: int = 6

    def __post_init__(self) -> None:
        require(self.channels >= 1, "choe.channels", self.channels, "1 or more")
        require(self.layers >= 2, "choe.layers", self.layers, "2 or more")


@dataclass(frozen=True)
class GANaiConfig:
    """When GANai switches between training the generator and the discriminator.

    Attributes
    ----------
    discriminator_accuracy
        The discriminator is trained until it judges this share of patches correctly.
    generator_accuracy
        The generator is trained until the discriminator judges at most this share of its
        patches correctly.
    phase_steps
        Longest phase, in steps.
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
    """The weights of the two losses of STAN-CT.

    Attributes
    ----------
    latent_weight
        Weight of the distance between the encodings of candidate and target.
    feature_weight
        Weight of the distance between the discriminator's features of both.
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
        Filters of each convolution, and number of convolutions: the first has 5x5 pixels,
        the others 3x3.
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
        ``radial``: the transfer function depends on the frequency; ``2d``: on its direction,
        too.
    taps
        Edge length of the convolution kernel in pixels, odd.
    ridge
        Regularization, as a share of the mean power of the source.
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
        Number of straight segments of the curve over the window.
    """

    segments: int = 64

    def __post_init__(self) -> None:
        require(self.segments >= 1, "histogram.segments", self.segments, "1 or more")


@dataclass(frozen=True)
class DistillationConfig:
    """The training target of a student (``rgan-train distill``).

    Attributes
    ----------
    teacher_weight
        Share of the teacher's output in the target of the training slices. The rest is the
        real target.
    """

    teacher_weight: float = 0.5

    def __post_init__(self) -> None:
        weight = self.teacher_weight
        require(0 <= weight <= 1, "distillation.teacher_weight", weight, "from 0 to 1")


def require(condition: bool, name: str, value: Any, expected: str) -> None:
    """Raise ConfigurationError unless the condition for the value of a key holds."""
    if not condition:
        raise ConfigurationError(f"{name} = {value!r}: must be {expected}")
