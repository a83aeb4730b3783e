"""RadiomicGAN (Selim et al.): the project's own method.

The paper gives the generator (the first four groups of VGG-19, frozen; a trainable filter on
each skip connection; a U-Net decoder), a fully convolutional discriminator, an adversarial
loss with L1, and Dynamic Window-based Training (``rgan_train.training.curriculum``). We added
the stem at full resolution and the residual output. Both are off in the paper's configuration.
"""

from __future__ import annotations

from pathlib import Path

from rgan_train.config import Config, GeneratorConfig
from rgan_train.methods.base import SPACING_SETTINGS, Method, make_aware
from rgan_train.methods.conditional_gan import ConditionalGAN
from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.networks.blocks import initialize
from rgan_train.networks.generator import Generator
from rgan_train.networks.spacing import innermost
from rgan_train.networks.vgg import VGGEncoder
from rgan_train.networks.vgg_weights import ENCODERS, load_pretrained


class RadiomicGAN(ConditionalGAN):
    """A frozen VGG-19 encoder with trainable filters and decoder, against a discriminator."""

    settings = (*ConditionalGAN.settings, "generator", *SPACING_SETTINGS)

    @staticmethod
    def build_network(config: Config) -> HarmonizationNetwork:
        """Return the generator with random weights."""
        return make_aware(build_generator(config.generator), config.domain)

    @staticmethod
    def load_pretrained(
        network: HarmonizationNetwork, config: Config, vgg_weights: Path | None
    ) -> None:
        """Load the encoder's weights and freeze them, unless it is trained from scratch.

        Raises
        ------
        WeightsError
            If the weights cannot be loaded.
        """
        network = innermost(network)
        assert isinstance(network, Generator)
        if config.generator.encoder == "none":
            Method.load_pretrained(network, config, vgg_weights)
        else:
            load_pretrained(network.encoder, config.generator.encoder, vgg_weights)


def build_generator(config: GeneratorConfig) -> Generator:
    """Return a generator with random weights."""
    encoder = VGGEncoder(ENCODERS.get(config.encoder, config.widths))
    initialize(encoder)
    return Generator(
        encoder,
        stem_channels=config.stem_channels,
        stem_layers=config.stem_layers,
        output=config.output,
    )
