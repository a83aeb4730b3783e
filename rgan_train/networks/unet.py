"""A plain U-Net (Ronneberger et al. 2015), trained from scratch."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from rgan_train.networks.base import HarmonizationNetwork, Output
from rgan_train.networks.blocks import ConvReLU, UpBlock, initialize

SLOPE = 0.2
"""Slope of the activations below zero, as in pix2pix.

With a plain ReLU a strong discriminator drives all activations to zero.
"""


class UNet(HarmonizationNetwork):
    """Two convolutions per scale, max pooling down, skip connections up.

    Parameters
    ----------
    widths
        Channels of each scale, the finest first.
    output
        What the network returns: the ``residual``, or the output itself (``direct``).
    """

    def __init__(self, widths: tuple[int, ...], output: Output) -> None:
        super().__init__()
        self.output = output
        self.multiple = 2 ** (len(widths) - 1)
        self.encoder = nn.ModuleList(
            nn.Sequential(
                ConvReLU(before, width, first=before == 1, slope=SLOPE),
                ConvReLU(width, width, slope=SLOPE),
            )
            for before, width in zip((1, *widths), widths, strict=False)
        )
        self.decoder = nn.ModuleList(
            UpBlock(deep, fine, fine, slope=SLOPE)
            for deep, fine in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.last = nn.Conv2d(widths[0], 1, 3, padding=1)
        initialize(self)
        if output == "residual":
            nn.init.zeros_(self.last.weight)

    def encode(self, normalized: Tensor) -> list[Tensor]:
        """Return the features of each scale, the finest first; the last is the latent code."""
        features: list[Tensor] = []
        x = normalized
        for block in self.encoder:
            x = block(functional.max_pool2d(x, 2) if features else x)
            features.append(x)
        return features

    def predict(self, normalized: Tensor) -> Tensor:
        """Return the residual or the output for ``[N, 1, H, W]`` in window units; same shape."""
        *skips, x = self.encode(normalized)
        for block, skip in zip(self.decoder, reversed(skips), strict=True):
            x = block(x, skip)
        out: Tensor = self.last(x)
        return out
