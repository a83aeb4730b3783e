"""The residual CNN of Choe et al., Radiology 292(2), 2019, trained with an L2 loss.

The sources (Choe et al. 2019, and Lee et al., Korean J Radiol 20(2), 2019, by the same group)
give: six convolutions of 64 filters of 3x3 pixels, which learn the difference between the two
kernels, and the mean squared error. We had to choose: ReLU, padding with zeros, crops, batch
size, and the learning rate with its schedule (``choe.toml``).
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from rgan_train.config import Config
from rgan_train.methods.base import Method
from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.networks.blocks import ConvReLU, initialize


class ResidualCNN(HarmonizationNetwork):
    """Plain convolutions at full resolution; the output is the difference to the input."""

    def __init__(self, channels: int, layers: int) -> None:
        super().__init__()
        last = nn.Conv2d(channels, 1, 3, padding=1)
        self.layers = nn.Sequential(
            ConvReLU(1, channels, first=True),
            *(ConvReLU(channels, channels) for _ in range(layers - 2)),
            last,
        )
        initialize(self)
        nn.init.zeros_(last.weight)

    def predict(self, normalized: Tensor) -> Tensor:
        """Return the difference to the input, ``[N, 1, H, W]`` in window units."""
        difference: Tensor = self.layers(normalized)
        return difference


class Choe(Method):
    """A residual CNN and a mean squared error."""

    losses: ClassVar[tuple[str, ...]] = ("G_L2",)
    settings: ClassVar[tuple[str, ...]] = ("optimizer", "choe")

    @staticmethod
    def build_network(config: Config) -> HarmonizationNetwork:
        """Return the network with random weights; the last layer starts at zero."""
        return ResidualCNN(config.choe.channels, config.choe.layers)

    def step(self, real_a: Tensor, real_b: Tensor, pixel_spacing: Tensor) -> Tensor:
        """Train on one batch ``[N, 1, H, W]``."""
        loss = functional.mse_loss(self._wrapped_g(real_a, pixel_spacing), real_b)
        self.train_generator(loss)
        return torch.stack([loss]).detach()
