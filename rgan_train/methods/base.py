"""The interface of a method, for the training loop and for export."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from rgan_sdk.errors import ConfigurationError, TrainingError
from rgan_train.config import Config, DomainConfig, OptimizerConfig
from rgan_train.networks.base import HarmonizationNetwork, trim
from rgan_train.networks.discriminator import PatchDiscriminator
from rgan_train.networks.losses import learning_rate_factor
from rgan_train.networks.spacing import SpacingAware
from rgan_train.networks.weights import (
    Tensors,
    load_optimizer_state,
    load_trainable_state,
    optimizer_state,
    trainable_state,
)

SPACING_SETTINGS = (
    "domain.spacing_aware",
    "domain.finest",
    "domain.coarsest",
    "domain.native_share",
)
"""Keys of the configuration that methods read whose networks know the pixel spacing."""


class UnpairedCrops(NamedTuple):
    """Crops of real slices of different patients, ``[N, 1, H, W]`` in window units.

    Attributes
    ----------
    source, expected, target
        Source slices, what the measured transfer makes of them, and target slices.
    pixel_spacing
        In mm.
    coarsest
        Pixel spacing of the coarsest slice that one of them was taken from, mm.
    width_hu
        Of the window, in HU.
    """

    source: Tensor
    expected: Tensor
    target: Tensor
    pixel_spacing: float
    coarsest: float
    width_hu: float


class TrainingCrops(NamedTuple):
    """A batch on the device: pairs ``[N, 1, H, W]`` in window units, and real slices without.

    Attributes
    ----------
    pixel_spacing
        Of all slices of the batch in mm, ``[1]``.
    unpaired
        None where there are none.
    """

    real_a: Tensor
    real_b: Tensor
    pixel_spacing: Tensor
    unpaired: UnpairedCrops | None = None


class Method:
    """One method: its networks, and one training step on them.

    A subclass names its ``losses``, builds its networks, and trains them in ``step``. A
    method with a closed form is fitted in the ``prepare`` of its network. It has no parameters
    to train, and the loop takes no steps.

    Parameters
    ----------
    generator, discriminator
        The networks; they are moved to the device, and frozen parameters stay frozen. The
        discriminator is None for a method without one.
    """

    losses: ClassVar[tuple[str, ...]] = ()
    """Names of the losses that ``step`` returns."""

    settings: ClassVar[tuple[str, ...]] = ()
    """Tables and dotted keys of the configuration that the method reads itself."""

    def __init__(
        self,
        fabric: Fabric,
        config: Config,
        generator: HarmonizationNetwork,
        discriminator: PatchDiscriminator | None,
    ) -> None:
        self.config, self.fabric = config, fabric
        self.G, self.D = generator, discriminator
        rates = config.optimizer
        self.optimizers: dict[str, torch.optim.Adam] = {}
        self._wrapped_g, self._optimizer_g = self._set_up("g", self.G, rates.learning_rate)
        self._wrapped_d, self._optimizer_d = self._set_up(
            "d", self.D, rates.discriminator_learning_rate
        )

    @staticmethod
    def build_network(config: Config) -> HarmonizationNetwork:
        """Return the network that is trained and exported, with random weights."""
        raise NotImplementedError

    @staticmethod
    def build_discriminator(config: Config) -> PatchDiscriminator | None:
        """Return the discriminator with random weights; None for a method without one."""
        return None

    @staticmethod
    def load_pretrained(
        network: HarmonizationNetwork, config: Config, vgg_weights: Path | None
    ) -> None:
        """Load and freeze the pretrained part of a new network.

        Raises
        ------
        ConfigurationError
            If weights are given to a method without a pretrained part.
        """
        if vgg_weights is not None:
            raise ConfigurationError(
                f"--vgg-weights: the method {config.method.name} has no pretrained encoder as "
                "configured; leave the option out, or set generator.encoder"
            )

    @property
    def trains(self) -> bool:
        """Whether the method is trained in steps."""
        return "g" in self.optimizers

    @staticmethod
    def judged(
        source: Tensor, candidate: Tensor, pixel_spacing: float, coarsest: float
    ) -> tuple[Tensor, ...]:
        """Return what the discriminator is called with to judge a candidate.

        Parameters
        ----------
        source, candidate
            ``[N, 1, H, W]`` in window units; the candidate may lack a margin.
        pixel_spacing
            In mm.
        coarsest
            Pixel spacing of the coarsest slice that the discriminator compares, mm.

        Returns
        -------
        tuple
            Images of one size. Where they are smaller, they are the middle of the candidate.
        """
        return trim(source, (candidate.shape[-2], candidate.shape[-1])), candidate

    def train_on(self, crops: TrainingCrops) -> Tensor:
        """Take the step of a batch; most methods use its pairs alone. Returns as ``step``."""
        return self.step(crops.real_a, crops.real_b, crops.pixel_spacing)

    def step(self, real_a: Tensor, real_b: Tensor, pixel_spacing: Tensor) -> Tensor:
        """Train on one batch ``[N, 1, H, W]`` of source and target in window units.

        Parameters
        ----------
        pixel_spacing
            Of all slices of the batch in mm, ``[1]``.

        Returns
        -------
        Tensor
            The losses, in the order of ``losses``.
        """
        raise NotImplementedError

    def set_rates(self, progress: float) -> float:
        """Set all learning rates for a progress in [0, 1]; return the generator's."""
        rates = self.config.optimizer
        factor = learning_rate_factor(progress, rates.schedule)
        starts = {"g": rates.learning_rate, "d": rates.discriminator_learning_rate}
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = starts[name] * factor
        return rates.learning_rate * factor

    def tensors(self) -> Tensors:
        """Return the tensors for a checkpoint."""
        tensors = {"generator": trainable_state(self.G)}
        if self.D is not None:
            tensors["discriminator"] = trainable_state(self.D)
        for name, optimizer in self.optimizers.items():
            tensors[f"optimizer_{name}"] = optimizer_state(optimizer, self._module(name))
        return tensors

    def load(self, tensors: Tensors) -> None:
        """Load what ``tensors`` returned.

        Raises
        ------
        TrainingError
            If a file is missing, or belongs to another network.
        """
        try:
            load_trainable_state(self.G, tensors["generator"])
            if self.D is not None:
                load_trainable_state(self.D, tensors["discriminator"])
            for name, optimizer in self.optimizers.items():
                load_optimizer_state(optimizer, self._module(name), tensors[f"optimizer_{name}"])
        except KeyError as exc:
            raise TrainingError(f"the checkpoint has no file {exc.args[0]}.safetensors") from exc

    def state_dict(self) -> dict[str, Any]:
        """Return further state for a checkpoint, as JSON values."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load what ``state_dict`` returned."""

    def train_generator(self, loss: Tensor) -> None:
        """Take one optimizer step of the generator."""
        self._optimizer_g.zero_grad()
        self.fabric.backward(loss)
        self._optimizer_g.step()

    def _module(self, name: str) -> nn.Module:
        """Return the generator (``g``) or the discriminator (``d``)."""
        module = self.G if name == "g" else self.D
        assert module is not None
        return module

    def _set_up(self, name: str, module: nn.Module | None, rate: float) -> tuple[Any, Any]:
        """Move a network to the device; return it and its optimizer, wrapped for all processes."""
        if module is None:
            return None, None
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        if not trained:
            module.to(self.fabric.device)
            return module, None
        self.optimizers[name] = _make_adam(trained, rate, self.config.optimizer)
        wrapped, optimizer = self.fabric.setup(module, self.optimizers[name])
        return wrapped, optimizer


def make_aware(network: HarmonizationNetwork, domain: DomainConfig) -> HarmonizationNetwork:
    """Make the weights of a network depend on the pixel spacing, if the settings ask for it."""
    return SpacingAware(network) if domain.spacing_aware else network


def _make_adam(
    trained: list[nn.Parameter], rate: float, config: OptimizerConfig
) -> torch.optim.Adam:
    return torch.optim.Adam(trained, lr=rate, betas=(config.beta1, config.beta2))
