"""The paper's loss, and two more that a target with noise of its own may call for."""

# ruff: noqa: N806 - names of losses and networks as in pix2pix

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from rgan_train.methods.radiomicgan import RadiomicGAN
from rgan_train.networks.discriminator import Discriminator
from rgan_train.networks.losses import adversarial_loss

MATCHING_WEIGHT: Final = 1.0
TEXTURE_WEIGHT: Final = 100.0
"""As that of L1: both are in units of the window."""

SCALES: Final = (1, 2, 4)
"""Pixels over which the finer of two means is taken. The coarser one is over twice as many; for
1 it is over 3."""

CELL: Final = 16
"""Edge in pixels of the squares in which the strength of details is compared."""


class MatchingGAN(RadiomicGAN):
    """RadiomicGAN with a feature matching loss (Wang et al. 2018, pix2pixHD, section 3.2).

    The generator's slices shall make the features in the discriminator that the target makes.
    """

    D: Discriminator

    def step(self, real_a: Tensor, real_b: Tensor, pixel_spacing: Tensor) -> Tensor:
        """Train the discriminator, then the generator, on one batch ``[N, 1, H, W]``."""
        fake_b = self._wrapped_g(real_a, pixel_spacing)
        D_real, D_fake = self.train_discriminator(real_a, fake_b.detach(), real_b)
        with self.D.freeze_weights():
            logits, found = self.D.judge(real_a, fake_b)
            with torch.no_grad():
                _, wanted = self.D.judge(real_a, real_b)
        G_GAN = adversarial_loss(logits, True, self.config.loss.adversarial)
        matching = [(f - w).abs().mean() for f, w in zip(found, wanted, strict=True)]
        G_L1 = (fake_b - real_b).abs().mean()
        loss = self.config.loss
        total = loss.adversarial_weight * (G_GAN + MATCHING_WEIGHT * torch.stack(matching).mean())
        self.train_generator(total + loss.l1_weight * G_L1)
        return torch.stack([G_GAN, G_L1, D_real, D_fake]).detach()


class TextureGAN(RadiomicGAN):
    """RadiomicGAN without its discriminator, but with a loss on the strength of details.

    On each scale the root mean square of the details in each square shall be the target's. It does
    not matter which pixel is bright, as in noise it never does.
    """

    def step(self, real_a: Tensor, real_b: Tensor, pixel_spacing: Tensor) -> Tensor:
        """Train the generator on one batch ``[N, 1, H, W]``."""
        fake_b = self._wrapped_g(real_a, pixel_spacing)
        G_L1 = (fake_b - real_b).abs().mean()
        texture = texture_loss(fake_b, real_b)
        self.train_generator(self.config.loss.l1_weight * G_L1 + TEXTURE_WEIGHT * texture)
        none = torch.zeros(())
        return torch.stack([texture, G_L1, none, none]).detach()


def texture_loss(image: Tensor, target: Tensor) -> Tensor:
    """Return how far the strength of details is from the target's, in window units.

    Parameters
    ----------
    image, target
        ``[N, 1, H, W]`` in window units.
    """
    strengths = zip(detail_strengths(image), detail_strengths(target), strict=True)
    return torch.stack([(one - two).abs().mean() for one, two in strengths]).mean()


def detail_strengths(image: Tensor) -> list[Tensor]:
    """Return the root mean square of the details of each scale, in overlapping squares.

    Details are the difference of two means around one centre, so that a slope has none.
    """
    strengths = []
    for scale in SCALES:
        smooth = functional.avg_pool2d(image, scale, stride=1) if scale > 1 else image
        smoother = functional.avg_pool2d(image, 2 * scale + scale % 2, stride=1)
        edge = (smooth.shape[-1] - smoother.shape[-1]) // 2
        rows, columns = smoother.shape[-2:]
        detail = smooth[..., edge : edge + rows, edge : edge + columns] - smoother
        power = functional.avg_pool2d(detail.square(), CELL, stride=CELL // 2)
        strengths.append((power + 1e-12).sqrt())
    return strengths
