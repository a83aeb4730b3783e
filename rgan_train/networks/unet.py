"""A plain U-Net (Ronneberger et al. 2015), all of it trained."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from rgan_train.networks.base import HarmonizationNetwork, Output
from rgan_train.networks.blocks import ConvReLU, UpBlock, initialize

SLOPE = 0.2
"""Of the activations below zero, as in pix2pix; with plain ReLU a strong discriminator kills it."""


class UNet(HarmonizationNetwork):
    """Two convolutions per scale, max pooling down, skip connections up.

    Parameters
    ----------
    widths
        Channels of each scale, finest first.
    output
        ``residual`` or ``direct``.
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
        """Return the features of each scale, finest first; the last are the latent ones."""
        features: list[Tensor] = []
        x = normalized
        for block in self.encoder:
            x = block(functional.max_pool2d(x, 2) if features else x)
            features.append(x)
        return features

    def predict(self, normalized: Tensor) -> Tensor:
        """Take ``[N, 1, H, W]``, the window mapped to [0, 1], to the same shape."""
        *skips, x = self.encode(normalized)
        for block, skip in zip(self.decoder, reversed(skips), strict=True):
            x = block(x, skip)
        out: Tensor = self.last(x)
        return out
