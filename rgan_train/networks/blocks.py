"""Building blocks that the networks share."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ConvReLU(nn.Sequential):
    """A convolution that keeps the size, and a ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2),
            nn.ReLU(inplace=True),
        )


class WithDetail(nn.Module):
    """Adds a channel with the slice's fine detail: its difference to the local mean.

    What a convolution kernel changes is a few thousandths of the window. The gain
    brings it to the size of the slice itself, so that the first layer need not learn
    to subtract neighbours that are almost equal.
    """

    size = 7
    gain = 20.0

    def forward(self, normalized: Tensor) -> Tensor:
        """Take ``[N, 1, H, W]`` to ``[N, 2, H, W]``."""
        mean = functional.avg_pool2d(
            normalized, self.size, stride=1, padding=self.size // 2, count_include_pad=False
        )
        return torch.cat([normalized, (normalized - mean) * self.gain], dim=1)


class UpBlock(nn.Module):
    """Doubles the size, joins the skip connection, and mixes both with one convolution."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.reduce = ConvReLU(in_channels, out_channels)
        self.mix = ConvReLU(out_channels + skip_channels, out_channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Take ``x [N, C, H, W]`` and ``skip [N, S, 2H, 2W]`` to ``[N, out, 2H, 2W]``."""
        enlarged = functional.interpolate(self.reduce(x), scale_factor=2.0, mode="nearest")
        mixed: Tensor = self.mix(torch.cat([enlarged, skip], dim=1))
        return mixed


def initialize(module: nn.Module) -> None:
    """He initialisation for each convolution of ``module`` that is trained."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d) and layer.weight.requires_grad:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
