"""The discriminators: fully convolutional PatchGANs.

Paper, section 2.1 ("a fully convolutional neural network"), after Isola et al. 2017.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from rgan_sdk.errors import ConfigurationError
from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.networks.blocks import initialize


class PatchDiscriminator(nn.Module):
    """The layers of a discriminator.

    Parameters
    ----------
    channels
        Channels of the first layer. Each further layer doubles them, up to eight times.
    strided_layers
        Layers that halve the size. With 3 of them a patch has 70x70 pixels as in pix2pix;
        fewer layers see finer texture.

    Attributes
    ----------
    in_channels
        Images that it sees at once.
    margin
        Pixels at each edge of a crop that it is not shown.
    """

    in_channels = 1
    margin = 0

    def __init__(self, channels: int, strided_layers: int) -> None:
        super().__init__()
        self.strided_layers = strided_layers
        layers: list[nn.Module] = []
        in_channels = self.in_channels
        for index in range(strided_layers + 1):
            out_channels = channels * min(2**index, 8)
            stride = 2 if index < strided_layers else 1
            layers.append(nn.Conv2d(in_channels, out_channels, 4, stride, padding=1))
            if index > 0:
                layers.append(nn.InstanceNorm2d(out_channels))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            in_channels = out_channels
        self.features = nn.Sequential(*layers)
        self.logits = nn.Conv2d(in_channels, 1, 4, 1, padding=1)
        initialize(self)

    def judge_images(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the logits for ``[N, in_channels, H, W]``, and the features of all layers."""
        features = []
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, nn.LeakyReLU):
                features.append(x)
        logits: Tensor = self.logits(x)
        return logits, features

    @contextmanager
    def freeze_weights(self) -> Iterator[None]:
        """Let gradients flow to the candidate but not to the weights, inside the block."""
        self.requires_grad_(False)
        try:
            yield
        finally:
            self.requires_grad_(True)

    def check_crop(self, network: HarmonizationNetwork, height: int, width: int) -> None:
        """Refuse crops with fewer than 2x2 patches.

        Parameters
        ----------
        network
            The generator, which may leave out a margin of a crop.
        height, width
            Multiples of the network's.

        Raises
        ------
        ConfigurationError
            If height or width is too small.
        """
        least = 2**self.strided_layers * 4 + 2 * self.margin
        trained = network.trained_size(height, width)
        if min(trained) < least:
            crop = -(-least // network.multiple) * network.multiple + height - trained[0]
            raise ConfigurationError(
                f"crops of {height}x{width} are too small for a discriminator of "
                f"{self.strided_layers} strided layers: set training.crop to {crop} or more, "
                "or discriminator.strided_layers lower"
            )


class Discriminator(PatchDiscriminator):
    """Judges patches of a candidate, given the slice it was made from.

    Notes
    -----
    The network sees the candidate as its difference to the source, in units of
    ``residual_scale``. The difference between two convolution kernels is a few per cent of
    the window, and the anatomy would hide it.
    """

    residual_scale = 0.02
    in_channels = 2

    def forward(self, source: Tensor, candidate: Tensor) -> Tensor:
        """Return logits ``[N, 1, h, w]``, high where the candidate looks like the target.

        Parameters
        ----------
        source, candidate
            ``[N, 1, H, W]`` in window units.
        """
        return self.judge(source, candidate)[0]

    def judge(self, source: Tensor, candidate: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the logits, and the features after each activation, finest first."""
        difference = (candidate - source) / self.residual_scale
        return self.judge_images(torch.cat([source, difference], dim=1))


class TextureDiscriminator(PatchDiscriminator):
    """Judges patches of texture alone: what ``rgan_train.methods.unpaired.bands`` leaves."""

    margin = 15

    def forward(self, texture: Tensor) -> Tensor:
        """Return logits ``[N, 1, h, w]`` for ``[N, 1, H, W]``, high for the target's texture."""
        return self.judge_images(texture)[0]
