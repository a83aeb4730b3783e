"""A small residual CNN for a CPU, trained with an L1 loss. This method is ours."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from rgan_train.config import Config
from rgan_train.methods.base import SPACING_SETTINGS, Method, make_aware
from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.networks.compact import CompactCNN


class Compact(Method):
    """A residual CNN with few channels, and the mean absolute error."""

    losses: ClassVar[tuple[str, ...]] = ("G_L1",)
    settings: ClassVar[tuple[str, ...]] = ("optimizer", "compact", *SPACING_SETTINGS)

    @staticmethod
    def build_network(config: Config) -> HarmonizationNetwork:
        """Return the network with random weights; the last layer starts at zero."""
        network = CompactCNN(config.compact.channels, config.compact.layers)
        return make_aware(network, config.domain)

    def step(self, real_a: Tensor, real_b: Tensor, pixel_spacing: Tensor) -> Tensor:
        """Train on one batch ``[N, 1, H, W]``."""
        loss = (self._wrapped_g(real_a, pixel_spacing) - real_b).abs().mean()
        self.train_generator(loss)
        return torch.stack([loss]).detach()
