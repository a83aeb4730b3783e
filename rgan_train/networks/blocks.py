"""Building blocks that the networks share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional


def compute_in_float32(convolve: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply a convolution to the slice itself in float32, even in mixed precision.

    In half of the window neighbouring bfloat16 values are 8 HU apart. The differences
    between convolution kernels would be lost before the first layer.
    """
    if not torch.is_autocast_enabled(x.device.type):
        return convolve(x)
    with torch.autocast(x.device.type, enabled=False):
        return convolve(x.float())


class InputConv(nn.Conv2d):
    """A first layer, computed in float32 even in mixed precision."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Return ``[N, out_channels, H, W]`` for ``[N, C, H, W]``."""
        return compute_in_float32(super().forward, input)


class ConvReLU(nn.Sequential):
    """A convolution that keeps the size, and a ReLU.

    Parameters
    ----------
    first
        Whether its input is the slice itself.
    slope
        Slope of the ReLU below zero.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        *,
        first: bool = False,
        slope: float = 0.0,
    ) -> None:
        kind = InputConv if first else nn.Conv2d
        super().__init__(
            kind(in_channels, out_channels, kernel_size, padding=kernel_size // 2),
            nn.LeakyReLU(slope, inplace=True) if slope else nn.ReLU(inplace=True),
        )


class WithDetail(nn.Module):
    """Adds channels with the fine detail of the slice: its differences to local means.

    The difference between two convolution kernels is a few thousandths of the window and
    extends over about ten pixels. The gain scales it to the size of the slice itself, so the
    first layer need not learn to subtract neighbours that are almost equal. Means of several
    sizes let it see far with few weights.
    """

    sizes = (3, 7, 15)
    gain = 20.0
    channels = 1 + len(sizes)

    def forward(self, normalized: Tensor) -> Tensor:
        """Return ``[N, 4, H, W]`` for ``[N, 1, H, W]``."""
        details = [(normalized - self._mean(normalized, size)) * self.gain for size in self.sizes]
        return torch.cat([normalized, *details], dim=1)

    def _mean(self, normalized: Tensor, size: int) -> Tensor:
        # Along rows, then along columns: the same mean with far fewer additions.
        for kernel in ((1, size), (size, 1)):
            margin = (kernel[0] // 2, kernel[1] // 2)
            normalized = functional.avg_pool2d(
                normalized, kernel, stride=1, padding=margin, count_include_pad=False
            )
        return normalized


class UpBlock(nn.Module):
    """Doubles the size, joins the skip connection, and mixes both with one convolution."""

    def __init__(
        self, in_channels: int, skip_channels: int, out_channels: int, *, slope: float = 0.0
    ) -> None:
        super().__init__()
        self.reduce = ConvReLU(in_channels, out_channels, slope=slope)
        self.mix = ConvReLU(out_channels + skip_channels, out_channels, slope=slope)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Return ``[N, out, 2H, 2W]`` for ``x [N, C, H, W]`` and ``skip [N, S, 2H, 2W]``."""
        enlarged = functional.interpolate(self.reduce(x), scale_factor=2.0, mode="nearest")
        mixed: Tensor = self.mix(torch.cat([enlarged, skip], dim=1))
        return mixed


def initialize(module: nn.Module) -> None:
    """Initialize each trained convolution of a module (He et al. 2015)."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d) and layer.weight.requires_grad:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
