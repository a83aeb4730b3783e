"""The generator: a VGG encoder, trainable filters, a U-Net decoder and a stem.

Paper, section 2.1 and figure 1. The stem is ours: the frozen encoder was trained to
name things in photographs and drops the fine noise texture in which kernels differ;
a few trainable convolutions at full resolution carry it past the encoder.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from rgan_train.networks.blocks import ConvReLU, UpBlock, WithDetail, initialize
from rgan_train.networks.vgg import VGGEncoder

Output = Literal["residual", "direct"]


class Generator(nn.Module):
    """Maps a slice of the source kernel to one of the target kernel, in window units.

    Parameters
    ----------
    encoder
        Frozen with pretrained weights, or trainable from scratch.
    stem_channels
        Channels of the full-resolution stem; 0 leaves it out, as in the paper.
    stem_layers
        Convolutions of the stem: one 5x5, then 3x3.
    output
        ``residual`` adds the network's output to the input, ``direct`` returns it.
    """

    def __init__(
        self,
        encoder: VGGEncoder,
        *,
        stem_channels: int,
        stem_layers: int,
        output: Output,
    ) -> None:
        super().__init__()
        self.output = output
        self.encoder = encoder
        widths = [channels // 2 for channels in encoder.channels]
        self.filters = nn.ModuleList(
            ConvReLU(channels, width)
            for channels, width in zip(encoder.channels, widths, strict=True)
        )
        self.decoder = nn.ModuleList(
            UpBlock(deep, fine, fine)
            for deep, fine in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.stem = _stem(stem_channels, stem_layers)
        head_channels = max(widths[0] + stem_channels, 32)
        last = nn.Conv2d(head_channels, 1, 3, padding=1)
        self.head = nn.Sequential(ConvReLU(widths[0] + stem_channels, head_channels), last)
        for part in (self.filters, self.decoder, self.stem, self.head):
            initialize(part)
        if output == "residual":
            nn.init.zeros_(last.weight)

    @property
    def multiple(self) -> int:
        """Height and width must be multiples of this.

        The coarsest features then have two pixels or more, which reflection needs.
        """
        return int(2 ** len(self.encoder.channels))

    def forward(self, normalized: Tensor) -> Tensor:
        """Take ``[N, 1, H, W]``, the window mapped to [0, 1], to the same shape."""
        features = [
            layer(feature)
            for layer, feature in zip(self.filters, self.encoder(normalized), strict=True)
        ]
        x = features.pop()
        for block in self.decoder:
            x = block(x, features.pop())
        if len(self.stem):
            x = torch.cat([x, self.stem(normalized)], dim=1)
        out: Tensor = self.head(x)
        return normalized + out if self.output == "residual" else out


def _stem(channels: int, layers: int) -> nn.Sequential:
    if channels == 0:
        return nn.Sequential()
    first = ConvReLU(2, channels, kernel_size=5)
    return nn.Sequential(
        WithDetail(), first, *(ConvReLU(channels, channels) for _ in range(layers - 1))
    )
