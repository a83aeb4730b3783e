"""A network whose weights depend on the pixel spacing.

A convolution kernel acts in line pairs per centimetre, and a network in pixels. So each weight is
a polynomial of second degree in the logarithm of the pixel spacing. The weights are the same for
all pixels of a slice, so a runtime that knows the spacing computes them once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from rgan_sdk.hu import HUWindow
from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.pairs.samples import PairedSample


class SpacingAware(HarmonizationNetwork):
    """Makes the weights of another network polynomials of the pixel spacing.

    Parameters
    ----------
    network
        Its own weights are those at the reference spacing, at which training slices were
        reconstructed.
    """

    reference: Tensor

    def __init__(self, network: HarmonizationNetwork) -> None:
        super().__init__()
        self.network = network
        self.multiple, self.output = network.multiple, network.output
        weights = {name: network.get_parameter(name) for name in network.polynomial_parameters()}
        self.slopes, self.curvatures = (
            nn.ParameterDict({_key(name): torch.zeros_like(w) for name, w in weights.items()})
            for _ in range(2)
        )
        self._names = tuple(weights)
        self.register_buffer("reference", torch.ones(1))

    def weights_at(self, pixel_spacing: Tensor) -> dict[str, Tensor]:
        """Return the weights for a pixel spacing in mm, float32 ``[1]``, by name."""
        # Adam moves all coefficients alike. Where this was scaled to reach 1, the weights of pixels
        # far from the reference moved three times as fast as those at it, and networks died.
        place = torch.log(pixel_spacing / self.reference)
        weights = {}
        for name in self._names:
            slope, curvature = self.slopes[_key(name)], self.curvatures[_key(name)]
            weights[name] = self.network.get_parameter(name) + place * (slope + place * curvature)
        return weights

    def forward(self, normalized: Tensor, pixel_spacing: Tensor) -> Tensor:
        """Return the harmonized crop ``[N, 1, h, w]`` in window units, for training."""
        weights = self.weights_at(pixel_spacing)
        harmonized: Tensor = functional_call(self.network, weights, (normalized, pixel_spacing))
        return harmonized

    def predict_at(self, normalized: Tensor, pixel_spacing: Tensor) -> Tensor:
        """Return the residual or the output for ``[N, 1, H, W]`` in window units; same shape."""
        weights = {
            f"network.{name}": weight.to(normalized.dtype)
            for name, weight in self.weights_at(pixel_spacing).items()
        }
        call = (normalized, pixel_spacing)
        out: Tensor = functional_call(_Prediction(self.network), weights, call)
        return out

    def prepare(
        self, samples: Sequence[PairedSample], window: HUWindow, pixel_spacing: float
    ) -> None:
        """Take the pixel spacing of the samples as the reference, and prepare the network."""
        self.reference.fill_(pixel_spacing)
        self.network.prepare(samples, window, pixel_spacing)

    def spacing_limits(self) -> tuple[float, float]:
        """Return the network's limits."""
        return self.network.spacing_limits()

    def trained_size(self, height: int, width: int) -> tuple[int, int]:
        """Return what the network returns."""
        return self.network.trained_size(height, width)

    def notes(self) -> tuple[str, ...]:
        """Return the network's notes."""
        return self.network.notes()

    def use_float16(self) -> None:
        """Convert the other weights to float16; polynomials are computed in float32."""
        kept = {name: self.network.get_parameter(name).data for name in self._names}
        self.network.use_float16()
        for name, weight in kept.items():
            self.network.get_parameter(name).data = weight


class _Prediction(nn.Module):
    """Calls ``predict_at`` where PyTorch calls ``forward``."""

    def __init__(self, network: HarmonizationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, normalized: Tensor, pixel_spacing: Tensor) -> Tensor:
        return self.network.predict_at(normalized, pixel_spacing)


def innermost(network: HarmonizationNetwork) -> HarmonizationNetwork:
    """Return the network whose weights are polynomials, or the network itself."""
    return network.network if isinstance(network, SpacingAware) else network


def _key(name: str) -> str:
    """Return a name without dots, which PyTorch keeps for modules."""
    return name.replace(".", "/")
