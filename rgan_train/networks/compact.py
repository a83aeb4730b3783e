"""A small residual CNN that a CPU runs fast."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.networks.blocks import ConvReLU, InputConv, initialize

GAIN = 20.0
"""Of the first filters at the start: brings what they see to the size of the slice itself."""


class CompactCNN(HarmonizationNetwork):
    """One convolution of 5x5 pixels, then of 3x3; the output is the difference to the input.

    All of it is at full resolution, where the noise texture is, in which kernels differ. The
    first filters start as differences between neighbours, since what a kernel changes is a
    few thousandths of the window.

    Parameters
    ----------
    channels
        Of each convolution; sixteen fill a vector register.
    layers
        Convolutions in all.
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
