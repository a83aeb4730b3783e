"""A GAN that learns its L1 from simulated pairs, and its adversarial loss from real slices.

The discriminator compares what the generator makes of real source slices with real target slices
of other patients. Cases differ, so it is shown their texture alone, and the generator may not
change anatomy: below 1 lp/cm its results must stay near what the measured transfer gives.
"""

# ruff: noqa: N806 - names of losses and networks as in pix2pix

from __future__ import annotations

from typing import ClassVar, Final

import torch
from torch import Tensor

from rgan_train.config import Config
from rgan_train.methods.base import TrainingCrops, UnpairedCrops
from rgan_train.methods.conditional_gan import ConditionalGAN
from rgan_train.methods.physics_gan import PhysicsGAN
from rgan_train.methods.radiomicgan import RadiomicGAN
from rgan_train.methods.unpaired.bands import low_pass, texture
from rgan_train.networks.base import trim
from rgan_train.networks.discriminator import TextureDiscriminator
from rgan_train.networks.losses import adversarial_loss

FREE_HU: Final = 5.0
"""Results may deviate by so much below 1 lp/cm; it is what a match is checked for at its end."""

BOUND_WEIGHT: Final = 100.0
"""Weight of deviations beyond. It does not depend on settings, as patients' anatomy does not."""


class UnpairedGAN(ConditionalGAN):
    """Generator against a discriminator of texture, with an L1 loss on pairs.

    Another method builds the generator.
    """

    losses: ClassVar[tuple[str, ...]] = ("G_GAN", "G_L1", "G_low", "D_real", "D_fake")

    @staticmethod
    def build_discriminator(config: Config) -> TextureDiscriminator:
        """Return the discriminator, with random weights."""
        return TextureDiscriminator(
            config.discriminator.channels, config.discriminator.strided_layers
        )

    @staticmethod
    def judged(
        source: Tensor, candidate: Tensor, pixel_spacing: float, coarsest: float
    ) -> tuple[Tensor, ...]:
        """Return the candidate's texture, which is smaller by 15 pixels at each edge."""
        return (texture(candidate, pixel_spacing, coarsest),)

    def train_on(self, crops: TrainingCrops) -> Tensor:
        """Train the discriminator, then the generator.

        Where no real slices suit the pixel spacing of the pairs, the pairs stand in for them, and
        count for L1 alone. So all processes synchronize equally often.
        """
        pairs, weight = len(crops.real_a), float(crops.unpaired is not None)
        real = crops.unpaired or _as_unpaired(crops)
        # One forward pass for both, so that the processes synchronize only once.
        fakes = self._wrapped_g(torch.cat([crops.real_a, real.source]), crops.pixel_spacing)
        fake_b, fake = fakes.split([pairs, len(real.source)])
        size = fakes.shape[-2:]
        spacings = real.pixel_spacing, real.coarsest
        fake_texture = texture(fake, *spacings)
        target_texture = texture(trim(real.target, size), *spacings)
        logits = self._wrapped_d(torch.cat([target_texture, fake_texture.detach()]))
        D_real, D_fake = self.step_discriminator(logits, weight)
        with self.D.freeze_weights(), self.fabric.autocast():
            judged = self.D(fake_texture)
        G_GAN = weight * adversarial_loss(judged, True, self.config.loss.adversarial)
        expected, free = trim(real.expected, size), FREE_HU / real.width_hu
        G_low = weight * drift_loss(fake, expected, real.pixel_spacing, free)
        G_L1 = (fake_b - trim(crops.real_b, size)).abs().mean()
        loss = self.config.loss
        self.train_generator(
            loss.adversarial_weight * G_GAN + loss.l1_weight * G_L1 + BOUND_WEIGHT * G_low
        )
        return torch.stack([G_GAN, G_L1, G_low, D_real, D_fake]).detach()


class UnpairedRadiomicGAN(UnpairedGAN, RadiomicGAN):
    """RadiomicGAN's generator against a discriminator of texture."""


class UnpairedPhysicsGAN(UnpairedGAN, PhysicsGAN):
    """The filter and generator of ``physics+gan`` against a discriminator of texture."""


def drift_loss(result: Tensor, expected: Tensor, pixel_spacing: float, free: float) -> Tensor:
    """Return by how much results deviate below 1 lp/cm, beyond what they may: a mean.

    Parameters
    ----------
    result, expected
        ``[N, 1, H, W]`` in window units.
    pixel_spacing
        In mm.
    free
        What is no loss, in window units.
    """
    deviation = low_pass(result - expected, pixel_spacing).abs()
    loss: Tensor = (deviation - free).relu().mean()
    return loss


def _as_unpaired(crops: TrainingCrops) -> UnpairedCrops:
    """Return pairs in the place of real slices; of no loss that they have anything remains."""
    spacing = float(crops.pixel_spacing)
    return UnpairedCrops(crops.real_a, crops.real_b, crops.real_b, spacing, spacing, 1.0)
