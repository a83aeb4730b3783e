"""A generator whose weights depend on two kernels, behind the linear filter between them.

Each weight is a sum: its mean, and a few directions times numbers that a small network computes
from the condition. For one pair of kernels these numbers are constants, so an exported file is an
ordinary model for that pair, and no runtime has to know of conditions.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.func import functional_call

from many_kernels.conditions import CYCLES
from rgan_train.config import Config
from rgan_train.methods.conditional_gan import ConditionalGAN
from rgan_train.methods.radiomicgan import build_generator
from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.networks.generator import Generator

RANK: Final = 4
HIDDEN: Final = 32


class ConditionedGenerator(HarmonizationNetwork):
    """A residual generator behind a linear filter, for the kernels that a condition tells.

    What other networks take as the pixel spacing is the condition here, float32 ``[24]``. The crop
    is filtered already (``simulate.make_crops``), so the generator sees what the filter made of it.

    Parameters
    ----------
    generator
        Its own weights are those in the middle of all kernels. An encoder keeps its own.
    """

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator
        self.multiple = generator.multiple
        self.numbers = nn.Sequential(
            nn.Linear(2 * len(CYCLES), HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, RANK)
        )
        self._names = generator.polynomial_parameters()
        self.directions = nn.ParameterDict(
            {
                name.replace(".", "/"): torch.zeros(RANK, generator.get_parameter(name).numel())
                for name in self._names
            }
        )

    def weights_for(self, condition: Tensor) -> dict[str, Tensor]:
        """Return the weights for a condition, by name."""
        numbers = self.numbers(condition)
        weights = {}
        for name in self._names:
            mean = self.generator.get_parameter(name)
            change = numbers @ self.directions[name.replace(".", "/")]
            weights[name] = mean + change.reshape(mean.shape)
        return weights

    def predict_at(self, normalized: Tensor, condition: Tensor) -> Tensor:
        """Return the difference to a filtered slice, ``[N, 1, H, W]`` in window units."""
        weights = self.weights_for(condition)
        out: Tensor = functional_call(_Prediction(self.generator), _inside(weights), (normalized,))
        return out

    def polynomial_parameters(self) -> tuple[str, ...]:
        """Return none: what depends on the pixels is in the condition."""
        return ()


class _Prediction(nn.Module):
    """Calls ``predict`` where PyTorch calls ``forward``."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, normalized: Tensor) -> Tensor:
        return self.generator.predict(normalized)


def _inside(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"generator.{name}": weight for name, weight in weights.items()}


class ConditionedGAN(ConditionalGAN):
    """A RadiomicGAN whose weights depend on two kernels."""

    @staticmethod
    def build_network(config: Config) -> HarmonizationNetwork:
        """Return the network with random weights."""
        return ConditionedGenerator(build_generator(config.generator))
