"""A fitted linear filter first, then a RadiomicGAN generator for the rest.

This method is ours. The filter of ``rgan_train.methods.linear`` is the first layer; it is fitted
before the first step and then frozen. The generator sees the filtered slice and adds what a
linear filter cannot: it corrects the clipping at the ends of the stored range, and adds noise
at frequencies that the source's kernel has suppressed. Its last layer starts at zero, so
training starts with the output of the filter.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from rgan_sdk.errors import ConfigurationError
from rgan_sdk.hu import HUWindow
from rgan_train.config import Config
from rgan_train.methods.base import make_aware
from rgan_train.methods.conditional_gan import ConditionalGAN
from rgan_train.methods.linear import LinearFilter
from rgan_train.methods.radiomicgan import RadiomicGAN, build_generator
from rgan_train.networks.base import HarmonizationNetwork, trim
from rgan_train.networks.generator import Generator, typical_slices
from rgan_train.networks.spacing import innermost
from rgan_train.pairs.samples import PairedSample


class FilteredGenerator(HarmonizationNetwork):
    """A linear filter, followed by a residual generator."""

    def __init__(self, front: LinearFilter, generator: Generator) -> None:
        super().__init__()
        self.multiple = generator.multiple
        self.front, self.generator = front, generator

    def prepare(
        self, samples: Sequence[PairedSample], window: HUWindow, pixel_spacing: float
    ) -> None:
        """Fit the filter; measure the gains of a pretrained encoder."""
        self.front.prepare(samples, window, pixel_spacing)
        typical = typical_slices(samples, window, self.multiple)
        with torch.no_grad():
            filtered = self.front(typical, torch.tensor([pixel_spacing]))
        self.generator.calibrate(filtered)

    def spacing_limits(self) -> tuple[float, float]:
        """Return those of the filter."""
        return self.front.spacing_limits()

    def notes(self) -> tuple[str, ...]:
        """Return the generator's notes."""
        return self.generator.notes()

    def polynomial_parameters(self) -> tuple[str, ...]:
        """Return those of the generator."""
        return tuple(f"generator.{name}" for name in self.generator.polynomial_parameters())

    def predict_at(self, normalized: Tensor, pixel_spacing: Tensor) -> Tensor:
        """Return the difference to the input, ``[N, 1, H, W]`` in window units."""
        difference = self.front.predict_at(normalized, pixel_spacing)
        return difference + self.generator.predict(normalized + difference)

    def use_float16(self) -> None:
        """Convert the generator to float16; the taps of the filter are computed in float32."""
        self.generator.use_float16()

    def forward(self, normalized: Tensor, pixel_spacing: Tensor) -> Tensor:
        """Return the harmonized crop without the margin where the filter sees the padding."""
        size = self.trained_size(*normalized.shape[-2:])
        filtered = trim(self.front(normalized, pixel_spacing), size)
        harmonized: Tensor = self.generator(filtered, pixel_spacing)
        return harmonized

    def trained_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the size of a crop without the margin where the filter sees the padding.

        Raises
        ------
        ConfigurationError
            If nothing of the crop remains.
        """
        margin, multiple = self.front.margin, self.multiple
        inside = [(size - 2 * margin) // multiple * multiple for size in (height, width)]
        if min(inside) <= 0:
            least = -(-2 * margin // multiple) * multiple + multiple
            raise ConfigurationError(
                f"crops of {height}x{width} are too small for a filter of "
                f"{self.front.config.taps} taps: set training.crop to {least} or more, or "
                "linear.taps lower"
            )
        return inside[0], inside[1]


class PhysicsGAN(ConditionalGAN):
    """A linear filter and a RadiomicGAN generator, trained against a discriminator."""

    settings = (*RadiomicGAN.settings, "linear")

    @staticmethod
    def build_network(config: Config) -> HarmonizationNetwork:
        """Return the network with random weights, before its filter is fitted.

        Raises
        ------
        ConfigurationError
            If ``generator.output`` is not ``residual``.
        """
        if config.generator.output != "residual":
            raise ConfigurationError(
                "physics+gan learns the difference to the filtered slice: set generator.output = "
                "'residual'"
            )
        front = LinearFilter(config.linear, config.domain)
        network = FilteredGenerator(front, build_generator(config.generator))
        return make_aware(network, config.domain)

    @staticmethod
    def load_pretrained(
        network: HarmonizationNetwork, config: Config, vgg_weights: Path | None
    ) -> None:
        """Load the encoder's weights and freeze them, unless it is trained from scratch."""
        network = innermost(network)
        assert isinstance(network, FilteredGenerator)
        RadiomicGAN.load_pretrained(network.generator, config, vgg_weights)
