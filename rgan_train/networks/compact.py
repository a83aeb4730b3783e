"""A small residual CNN that is fast on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.networks.blocks import ConvReLU, InputConv, initialize

GAIN = 20.0
"""Gain of the first filters at the start; their output is then as large as the slice itself."""


class CompactCNN(HarmonizationNetwork):
    """A 5x5 convolution, then 3x3 convolutions; the output is the difference to the input.

    All layers are at full resolution, because kernels differ in the noise texture. The first
    filters start as differences between neighbours, because two kernels differ by only a few
    thousandths of the window.

    Parameters
    ----------
    channels
        Channels of each convolution; 16 fill a vector register.
    layers
        Number of convolutions.
    """

    def __init__(self, channels: int, layers: int) -> None:
        super().__init__()
        first = InputConv(1, channels, 5, padding=2)
        last = nn.Conv2d(channels, 1, 3, padding=1)
        middle = (ConvReLU(channels, channels) for _ in range(layers - 2))
        self.layers = nn.Sequential(first, nn.ReLU(inplace=True), *middle, last)
        initialize(self)
        with torch.no_grad():
            first.weight -= first.weight.mean((2, 3), keepdim=True)
            first.weight *= GAIN
        nn.init.zeros_(last.weight)

    def predict(self, normalized: Tensor) -> Tensor:
        """Return the difference to the input, ``[N, 1, H, W]`` in window units."""
        difference: Tensor = self.layers(normalized)
        return difference
