"""STAN-CT (Selim et al., AMIA 2020): a GAN with a latent-space and a feature-space loss.

The source gives: a U-Net generator and a convolutional discriminator on patches. The encoder
of the generator must give candidate and target the same latent code, and the layers of the
discriminator must see the same features in both. We had to choose: both distances are mean
absolute differences, over the last scale of the encoder and over all layers of the
discriminator, each divided by the mean magnitude of the target's features. We also chose their
weights (``[stan_ct]``), an additional L1 loss, widths and residual output (``stan_ct.toml``).
With the weights that train stably on our pairs the L1 loss is by far the largest.
"""

# ruff: noqa: N806 - names of losses and networks as in pix2pix

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from rgan_train.config import Config
from rgan_train.methods.conditional_gan import ConditionalGAN, check_adversarial
from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.networks.discriminator import Discriminator
from rgan_train.networks.losses import adversarial_loss
from rgan_train.networks.unet import UNet


class StanCT(ConditionalGAN):
    """A U-Net whose candidate resembles the target in latent code and features."""

    losses: ClassVar[tuple[str, ...]] = (
        "G_GAN",
        "G_L1",
        "G_latent",
        "G_feature",
        "D_real",
        "D_fake",
    )
    settings = (*ConditionalGAN.settings, "generator.widths", "generator.output", "stan_ct")
    G: UNet
    D: Discriminator

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
        """Train the discriminator, then the generator, on one batch ``[N, 1, H, W]``."""
        fake_b = self._wrapped_g(real_a, pixel_spacing)
        D_real, D_fake = self.train_discriminator(real_a, fake_b.detach(), real_b)
        G_L1 = (fake_b - real_b).abs().mean()
        with self.fabric.autocast():
            G_latent = self._latent_distance(fake_b, real_b)
            G_GAN, G_feature = self._judge_features(real_a, fake_b, real_b)
        loss, weights = self.config.loss, self.config.stan_ct
        self.train_generator(
            loss.adversarial_weight * G_GAN
            + loss.l1_weight * G_L1
            + weights.latent_weight * G_latent
            + weights.feature_weight * G_feature
        )
        return torch.stack([G_GAN, G_L1, G_latent, G_feature, D_real, D_fake]).detach()

    def _latent_distance(self, fake_b: Tensor, real_b: Tensor) -> Tensor:
        """Return the distance between the two latent codes.

        The target's code gets no gradients. Otherwise the encoder could make both codes the
        same by ignoring its input.
        """
        with torch.no_grad():
            wanted = self.G.encode(real_b)[-1]
        return _distance(self.G.encode(fake_b)[-1], wanted)

    def _judge_features(
        self, real_a: Tensor, fake_b: Tensor, real_b: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the adversarial loss, and the distance between the discriminator's features."""
        with self.D.freeze_weights():
            fake_logits, fake_features = self.D.judge(real_a, fake_b)
            _, real_features = self.D.judge(real_a, real_b)
            distances = [
                _distance(*pair) for pair in zip(fake_features, real_features, strict=True)
            ]
            G_GAN = adversarial_loss(fake_logits, True, self.config.loss.adversarial)
        return G_GAN, torch.stack(distances).mean()


def _distance(features: Tensor, wanted: Tensor) -> Tensor:
    """Return the mean absolute difference, relative to the magnitude of ``wanted``."""
    scale = wanted.float().abs().mean().clamp_min(1e-6)
    return (features.float() - wanted.float()).abs().mean() / scale
