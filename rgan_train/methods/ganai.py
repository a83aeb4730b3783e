"""GANai (Liang et al., IEEE ICHI 2019): a conditional GAN with alternating training.

The source gives: a conditional GAN of a U-Net and a convolutional discriminator on patches.
The two are trained in turn, each until it has reached its goal ("alternative improvement").
We had to choose: the goals (shares of patches that the discriminator judges correctly), the
longest phase (``[ganai]``), widths, residual output and loss weights (``ganai.toml``). We left
out the ensemble of generators and discriminators from which the source picks its final pair:
one pair gets the whole budget.
"""

# ruff: noqa: N806 - names of losses and networks as in pix2pix

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from rgan_train.config import Config
from rgan_train.methods.conditional_gan import ConditionalGAN, check_adversarial
from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.networks.unet import UNet
from rgan_train.processes import combine

Turn = Literal["discriminator", "generator"]


class GANai(ConditionalGAN):
    """A U-Net and a discriminator that take turns.

    Attributes
    ----------
    phase, phase_steps
        The network that is trained now, and the steps of its phase so far.
    """

    losses: ClassVar[tuple[str, ...]] = ("G_GAN", "G_L1", "D_real", "D_fake", "D_accuracy")
    settings = (*ConditionalGAN.settings, "generator.widths", "generator.output", "ganai")
    phase: Turn = "discriminator"
    phase_steps = 0

    @staticmethod
    def build_network(config: Config) -> HarmonizationNetwork:
        """Return the U-Net with random weights.

        Raises
        ------
        ConfigurationError
            If the weight of the adversarial loss is 0.
        """
        check_adversarial(config)
        return UNet(config.generator.widths, config.generator.output)

    def step(self, real_a: Tensor, real_b: Tensor, pixel_spacing: Tensor) -> Tensor:
        """Train one of the two networks on one batch ``[N, 1, H, W]``."""
        if self.phase == "discriminator":
            with torch.no_grad(), self.fabric.autocast():
                fake_b = self.G(real_a, pixel_spacing)
            D_real, D_fake = self.train_discriminator(real_a, fake_b, real_b)
            G_GAN, G_L1 = real_a.new_zeros(()), (fake_b - real_b).abs().mean()
        else:
            fake_b = self._wrapped_g(real_a, pixel_spacing)
            D_real, D_fake = real_a.new_zeros(2)
            G_GAN, G_L1 = (
                self.generator_adversarial_loss(real_a, fake_b),
                (fake_b - real_b).abs().mean(),
            )
            loss = self.config.loss
            self.train_generator(loss.adversarial_weight * G_GAN + loss.l1_weight * G_L1)
        accuracy = self._accuracy(real_a, fake_b.detach(), real_b)
        self._take_turns(accuracy)
        losses = torch.stack([G_GAN, G_L1, D_real, D_fake]).detach()
        return torch.cat([losses, losses.new_tensor([accuracy])])

    @torch.no_grad()
    def _accuracy(self, real_a: Tensor, fake_b: Tensor, real_b: Tensor) -> float:
        """Return the share of patches that the discriminator judges correctly.

        Counts all patches in the discriminator's phase, else the generator's patches.
        """
        middle = 0.0 if self.config.loss.adversarial == "bce" else 0.5
        with self.fabric.autocast():
            right = (self.D(real_a, fake_b) < middle).float().mean()
            if self.phase == "discriminator":
                right = 0.5 * (right + (self.D(real_a, real_b) > middle).float().mean())
        (accuracy,) = combine(self.fabric, "mean", float(right))
        return accuracy

    def _take_turns(self, accuracy: float) -> None:
        """Switch to the other network if the goal or the longest phase is reached."""
        goals, self.phase_steps = self.config.ganai, self.phase_steps + 1
        reached = (
            accuracy >= goals.discriminator_accuracy
            if self.phase == "discriminator"
            else accuracy <= goals.generator_accuracy
        )
        if reached or self.phase_steps >= goals.phase_steps:
            self.phase = "generator" if self.phase == "discriminator" else "discriminator"
            self.phase_steps = 0

    def state_dict(self) -> dict[str, Any]:
        """Return which network is trained, and for how many steps so far."""
        return {"phase": self.phase, "phase_steps": self.phase_steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load what ``state_dict`` returned."""
        self.phase, self.phase_steps = state["phase"], state["phase_steps"]
