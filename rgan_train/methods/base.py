"""The contract of a method: what the training loop drives, and what an export rebuilds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from rgan_sdk.errors import ConfigurationError, TrainingError
from rgan_train.config import Config, OptimizerConfig
from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.networks.discriminator import Discriminator
from rgan_train.networks.losses import learning_rate_factor
from rgan_train.networks.weights import (
    Tensors,
    load_optimizer_state,
    load_trainable_state,
    optimizer_state,
    trainable_state,
)


class Method:
    """One compared method: its networks, and one training step on them.

    A subclass names its ``losses``, builds its networks, and trains them in ``step``.
    One that is fitted in closed form does so in its network's ``prepare`` and has no
    parameters to train; the loop then takes no steps.

    Parameters
    ----------
    generator, discriminator
        Moved to the device; frozen parameters stay as they are. The discriminator is
        None for a method without one.
    """

    losses: ClassVar[tuple[str, ...]] = ()
    settings: ClassVar[tuple[str, ...]] = ()
    """Tables and dotted keys of the configuration that it reads beside the loop's own."""

    def __init__(
        self,
        fabric: Fabric,
        config: Config,
        generator: HarmonizationNetwork,
        discriminator: Discriminator | None,
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
    def build_discriminator(config: Config) -> Discriminator | None:
        """Return the discriminator; None where there is none."""
        return None

    @staticmethod
    def load_pretrained(
        network: HarmonizationNetwork, config: Config, vgg_weights: Path | None
    ) -> None:
        """Load and freeze the pretrained part of a new network.

        Raises
        ------
        ConfigurationError
            If weights are given to a method that has no pretrained part.
        """
        if vgg_weights is not None:
            raise ConfigurationError(
                f"--vgg-weights: the method {config.method.name} has no pretrained encoder as "
                "configured; leave the option out, or set generator.encoder"
            )

    @property
    def trains(self) -> bool:
        """Whether there is anything to train in steps."""
        return "g" in self.optimizers

    def step(self, real_a: Tensor, real_b: Tensor) -> Tensor:
        """Train on one batch ``[N, 1, H, W]`` of source and target in window units.

        Returns
        -------
        Tensor
            The losses named in ``losses``.
        """
        raise NotImplementedError

    def set_rates(self, progress: float) -> float:
        """Set all learning rates for ``progress`` in [0, 1]; return the generator's."""
        rates = self.config.optimizer
        factor = learning_rate_factor(progress, rates.schedule)
        starts = {"g": rates.learning_rate, "d": rates.discriminator_learning_rate}
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = starts[name] * factor
        return rates.learning_rate * factor

    def tensors(self) -> Tensors:
        """Return what a checkpoint holds."""
        tensors = {"generator": trainable_state(self.G)}
        if self.D is not None:
            tensors["discriminator"] = trainable_state(self.D)
        for name, optimizer in self.optimizers.items():
            tensors[f"optimizer_{name}"] = optimizer_state(optimizer, self._module(name))
        return tensors

    def load(self, tensors: Tensors) -> None:
        """Put back what ``tensors`` returned."""
        try:
            load_trainable_state(self.G, tensors["generator"])
            if self.D is not None:
                load_trainable_state(self.D, tensors["discriminator"])
            for name, optimizer in self.optimizers.items():
                load_optimizer_state(optimizer, self._module(name), tensors[f"optimizer_{name}"])
        except KeyError as exc:
            raise TrainingError(f"the checkpoint has no file {exc.args[0]}.safetensors") from exc

    def state_dict(self) -> dict[str, Any]:
        """Return what else a resumed run needs, as JSON values."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what ``state_dict`` returned."""

    def train_generator(self, loss: Tensor) -> None:
        """Take one optimizer step of the generator."""
        self._optimizer_g.zero_grad()
        self.fabric.backward(loss)
        self._optimizer_g.step()

    def _module(self, name: str) -> nn.Module:
        module = self.G if name == "g" else self.D
        assert module is not None
        return module

    def _set_up(self, name: str, module: nn.Module | None, rate: float) -> tuple[Any, Any]:
        """Move a network to the device; give it an optimizer if it is trained."""
        if module is None:
            return None, None
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        if not trained:
            module.to(self.fabric.device)
            return module, None
        self.optimizers[name] = _adam(trained, rate, self.config.optimizer)
        wrapped, step = self.fabric.setup(module, self.optimizers[name])
        return wrapped, step


def _adam(trained: list[nn.Parameter], rate: float, config: OptimizerConfig) -> torch.optim.Adam:
    return torch.optim.Adam(trained, lr=rate, betas=(config.beta1, config.beta2))
