"""The networks, and how they are built from a configuration."""

from __future__ import annotations

from pathlib import Path

from rgan_sdk.errors import WeightsError
from rgan_train.config import DiscriminatorConfig, GeneratorConfig
from rgan_train.networks.blocks import initialize
from rgan_train.networks.discriminator import Discriminator
from rgan_train.networks.generator import Generator
from rgan_train.networks.vgg import (
    COMPACT_CHANNELS,
    FULL_CHANNELS,
    VGGEncoder,
    load_compact,
    load_torchvision,
)


def build_generator(
    config: GeneratorConfig, vgg_weights: Path | None = None, *, pretrained: bool = True
) -> Generator:
    """Build a generator, its pretrained encoder loaded and frozen.

    Parameters
    ----------
    config
        What to build.
    vgg_weights
        File with the encoder's weights. ``vgg19`` without one downloads torchvision's.
    pretrained
        False leaves the frozen encoder's weights to be loaded from a run folder.

    Raises
    ------
    WeightsError
        If the encoder's weights cannot be loaded.
    """
    encoder = VGGEncoder(_widths(config))
    if config.encoder == "none":
        initialize(encoder)
    else:
        if pretrained:
            _load_encoder(encoder, config, vgg_weights)
        encoder.freeze()
    return Generator(
        encoder,
        stem_channels=config.stem_channels,
        stem_layers=config.stem_layers,
        output=config.output,
    )


def build_discriminator(config: DiscriminatorConfig) -> Discriminator:
    """Build a discriminator with random weights."""
    return Discriminator(config.channels, config.strided_layers)


def _widths(config: GeneratorConfig) -> tuple[int, ...]:
    if config.encoder == "none":
        return config.widths
    return FULL_CHANNELS if config.encoder == "vgg19" else COMPACT_CHANNELS


def _load_encoder(encoder: VGGEncoder, config: GeneratorConfig, vgg_weights: Path | None) -> None:
    if config.encoder == "vgg19":
        encoder.load_convolutions(load_torchvision(vgg_weights))
        return
    if vgg_weights is None:
        raise WeightsError(
            "the encoder vgg19-compact needs its weights: pass the NumPy archive with "
            "--vgg-weights FILE.npz, or train from scratch with --set generator.encoder=none"
        )
    encoder.load_convolutions(load_compact(vgg_weights))
