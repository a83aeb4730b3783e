"""One step of the conditional GAN with L1 (paper, section 2.1), and what it works on.

Names follow pix2pix: ``real_a`` is the source, ``real_b`` the target, ``fake_b`` what
the generator makes of the source; all in units of the HU window.
"""

# ruff: noqa: N806 - pix2pix's names of losses and networks

from __future__ import annotations

from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from rgan_sdk.errors import ConfigurationError, TrainingError
from rgan_train.checkpoint import (
    Tensors,
    load_optimizer_state,
    load_trainable_state,
    optimizer_state,
    trainable_state,
)
from rgan_train.config import Config, OptimizerConfig
from rgan_train.losses import adversarial_loss, rate_factor
from rgan_train.networks.discriminator import Discriminator
from rgan_train.networks.generator import Generator

LOSSES = ("G_GAN", "G_L1", "D_real", "D_fake")


class GAN:
    """Generator, discriminator and their optimizers on the devices of a run.

    Parameters
    ----------
    generator, discriminator
        Moved to the device; frozen parameters stay as they are.
    """

    def __init__(
        self, fabric: Fabric, config: Config, generator: Generator, discriminator: Discriminator
    ) -> None:
        self.config = config
        self.fabric = fabric
        self.G, self.D = generator, discriminator
        rates = config.optimizer
        self.optimizer_g = _adam(self.G, rates.learning_rate, rates)
        self.optimizer_d = _adam(self.D, rates.discriminator_learning_rate, rates)
        self._wrapped_g, self._step_g = fabric.setup(self.G, self.optimizer_g)
        self._wrapped_d, self._step_d = fabric.setup(self.D, self.optimizer_d)

    def set_rates(self, progress: float) -> float:
        """Set both learning rates for ``progress`` in [0, 1]; return the generator's."""
        rates = self.config.optimizer
        factor = rate_factor(progress, rates.schedule)
        for optimizer, rate in (
            (self.optimizer_g, rates.learning_rate),
            (self.optimizer_d, rates.discriminator_learning_rate),
        ):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
        return rates.learning_rate * factor

    def step(self, real_a: Tensor, real_b: Tensor) -> Tensor:
        """Train the discriminator, then the generator, on one batch ``[N, 1, H, W]``.

        Returns
        -------
        Tensor
            The losses named in ``LOSSES``.
        """
        fake_b = self._wrapped_g(real_a)
        D_real, D_fake, G_GAN = real_a.new_zeros(3)
        if self.config.loss.adversarial_weight > 0:
            D_real, D_fake = self._step_discriminator(real_a, fake_b.detach(), real_b)
            G_GAN = self._judge(real_a, fake_b)
        G_L1 = (fake_b - real_b).abs().mean()
        self._step_g.zero_grad()
        loss = self.config.loss
        self.fabric.backward(loss.adversarial_weight * G_GAN + loss.l1_weight * G_L1)
        self._step_g.step()
        return torch.stack([G_GAN, G_L1, D_real, D_fake]).detach()

    def _step_discriminator(
        self, real_a: Tensor, fake_b: Tensor, real_b: Tensor
    ) -> tuple[Tensor, Tensor]:
        kind = self.config.loss.adversarial
        # Real and fake in one forward pass, so that all processes synchronise once.
        logits = self._wrapped_d(torch.cat([real_a, real_a]), torch.cat([real_b, fake_b]))
        judged_real, judged_fake = logits.chunk(2)
        D_real = adversarial_loss(judged_real, True, kind)
        D_fake = adversarial_loss(judged_fake, False, kind)
        self._step_d.zero_grad()
        self.fabric.backward(0.5 * (D_real + D_fake))
        self._step_d.step()
        return D_real, D_fake

    def _judge(self, real_a: Tensor, fake_b: Tensor) -> Tensor:
        """Return the generator's adversarial loss, without gradients for the discriminator.

        The bare discriminator is called: its wrapper would wait for gradients that
        never come.
        """
        self.D.requires_grad_(False)
        with self.fabric.autocast():
            loss = adversarial_loss(self.D(real_a, fake_b), True, self.config.loss.adversarial)
        self.D.requires_grad_(True)
        return loss

    def tensors(self) -> Tensors:
        """Return what a checkpoint holds."""
        return {
            "generator": trainable_state(self.G),
            "discriminator": trainable_state(self.D),
            "optimizer_g": optimizer_state(self.optimizer_g, self.G),
            "optimizer_d": optimizer_state(self.optimizer_d, self.D),
        }

    def load(self, tensors: Tensors, scaler: dict[str, Any]) -> None:
        """Put back what ``tensors`` and ``scaler`` returned."""
        try:
            load_trainable_state(self.G, tensors["generator"])
            load_trainable_state(self.D, tensors["discriminator"])
            load_optimizer_state(self.optimizer_g, self.G, tensors["optimizer_g"])
            load_optimizer_state(self.optimizer_d, self.D, tensors["optimizer_d"])
        except KeyError as exc:
            raise TrainingError(f"the checkpoint has no file {exc.args[0]}.safetensors") from exc
        if scaler:
            self.fabric.strategy.precision.load_state_dict(scaler)

    def scaler(self) -> dict[str, Any]:
        """Return the state of the gradient scaler; empty but for 16-mixed precision."""
        return dict(self.fabric.strategy.precision.state_dict())


def check_crop(discriminator: Discriminator, height: int, width: int) -> None:
    """Refuse crops too small for the discriminator.

    Raises
    ------
    ConfigurationError
        If fewer than 2x2 patches would be judged.
    """
    strided = sum(
        isinstance(layer, torch.nn.Conv2d) and layer.stride[0] == 2
        for layer in discriminator.features
    )
    least = 2**strided * 4
    if min(height, width) < least:
        raise ConfigurationError(
            f"crops of {height}x{width} are too small for a discriminator of {strided} strided "
            f"layers: set training.crop to {least} or more, or discriminator.strided_layers lower"
        )


def _adam(module: torch.nn.Module, rate: float, config: OptimizerConfig) -> torch.optim.Adam:
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return torch.optim.Adam(trained, lr=rate, betas=(config.beta1, config.beta2))
