"""A training step of a conditional GAN with L1 (Isola et al. 2017), shared by several methods.

Names follow pix2pix: ``real_a`` is the source, ``real_b`` the target, and ``fake_b`` the
generator's output for the source; all in window units.
"""

# ruff: noqa: N806 - names of losses and networks as in pix2pix

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from rgan_sdk.errors import ConfigurationError
from rgan_train.config import Config
from rgan_train.methods.base import Method
from rgan_train.networks.base import trim
from rgan_train.networks.discriminator import Discriminator, PatchDiscriminator
from rgan_train.networks.losses import adversarial_loss


class ConditionalGAN(Method):
    """Generator against a conditional patch discriminator, with an L1 loss.

    A subclass builds the generator.
    """

    losses: ClassVar[tuple[str, ...]] = ("G_GAN", "G_L1", "D_real", "D_fake")
    settings: ClassVar[tuple[str, ...]] = ("optimizer", "discriminator", "loss")
    D: PatchDiscriminator

    @staticmethod
    def build_discriminator(config: Config) -> PatchDiscriminator:
        """Return the discriminator, with random weights."""
        return Discriminator(config.discriminator.channels, config.discriminator.strided_layers)

    def step(self, real_a: Tensor, real_b: Tensor, pixel_spacing: Tensor) -> Tensor:
        """Train the discriminator, then the generator, on one batch ``[N, 1, H, W]``."""
        fake_b = self._wrapped_g(real_a, pixel_spacing)
        real_a, real_b = (trim(image, fake_b.shape[-2:]) for image in (real_a, real_b))
        D_real, D_fake, G_GAN = real_a.new_zeros(3)
        if self.config.loss.adversarial_weight > 0:
            D_real, D_fake = self.train_discriminator(real_a, fake_b.detach(), real_b)
            G_GAN = self.generator_adversarial_loss(real_a, fake_b)
        G_L1 = (fake_b - real_b).abs().mean()
        loss = self.config.loss
        self.train_generator(loss.adversarial_weight * G_GAN + loss.l1_weight * G_L1)
        return torch.stack([G_GAN, G_L1, D_real, D_fake]).detach()

    def train_discriminator(
        self, real_a: Tensor, fake_b: Tensor, real_b: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Take one optimizer step of the discriminator; return its losses."""
        # One forward pass for real and fake, so that the processes synchronize only once.
        logits = self._wrapped_d(torch.cat([real_a, real_a]), torch.cat([real_b, fake_b]))
        return self.step_discriminator(logits)

    def step_discriminator(self, logits: Tensor, weight: float = 1.0) -> tuple[Tensor, Tensor]:
        """Take one optimizer step for the logits of targets, followed by as many of fakes."""
        kind = self.config.loss.adversarial
        judged_real, judged_fake = logits.chunk(2)
        D_real = weight * adversarial_loss(judged_real, True, kind)
        D_fake = weight * adversarial_loss(judged_fake, False, kind)
        self._optimizer_d.zero_grad()
        self.fabric.backward(0.5 * (D_real + D_fake))
        self._optimizer_d.step()
        return D_real, D_fake

    def generator_adversarial_loss(self, real_a: Tensor, fake_b: Tensor) -> Tensor:
        """Return the generator's adversarial loss, without gradients for the discriminator.

        This calls the discriminator without its wrapper, which would wait for gradients that
        never come.
        """
        with self.D.freeze_weights(), self.fabric.autocast():
            return adversarial_loss(self.D(real_a, fake_b), True, self.config.loss.adversarial)


def check_adversarial(config: Config) -> None:
    """Refuse to train a method without the discriminator that it needs.

    Raises
    ------
    ConfigurationError
        If the weight of the adversarial loss is 0.
    """
    if config.loss.adversarial_weight == 0:
        raise ConfigurationError(
            f"loss.adversarial_weight = 0: the method {config.method.name} needs its "
            "discriminator; set the weight above 0"
        )
