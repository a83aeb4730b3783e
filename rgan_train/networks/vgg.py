"""The first four groups of VGG-19 as an encoder of one-channel CT slices."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from rgan_sdk.errors import WeightsError
from rgan_train.networks.blocks import InputConv

CONVOLUTIONS_PER_GROUP = (2, 2, 4, 4)
FULL_CHANNELS = (64, 128, 256, 512)
COMPACT_CHANNELS = (16, 32, 64, 128)


class VGGEncoder(nn.Module):
    """Four groups of 3x3 convolutions with max pooling between them.

    Parameters
    ----------
    channels
        Channels of the groups: ``FULL_CHANNELS`` or ``COMPACT_CHANNELS`` for pretrained
        weights, any two to four numbers for training from scratch.

    Notes
    -----
    Paper, section 2.1: "only the first four groups of convolutional layers of a
    pre-trained VGG-19 network are adopted".
    """

    gain: Tensor

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.channels = channels
        self.groups = nn.ModuleList()
        in_channels = 1
        for width, count in zip(channels, CONVOLUTIONS_PER_GROUP, strict=False):
            layers: list[nn.Module] = []
            for _ in range(count):
                kind = InputConv if in_channels == 1 else nn.Conv2d
                layers += [
                    kind(in_channels, width, 3, padding=1, padding_mode="reflect"),
                    nn.ReLU(inplace=True),
                ]
                in_channels = width
            self.groups.append(nn.Sequential(*layers))
        self.pool = nn.MaxPool2d(2)
        self.register_buffer("gain", torch.ones(len(channels)))

    def forward(self, normalized: Tensor) -> list[Tensor]:
        """Return the features of each group before pooling, the finest first.

        Parameters
        ----------
        normalized
            ``[N, 1, H, W]`` in window units; H and W divisible by ``2 ** (groups - 1)``.
        """
        features = []
        x = normalized
        for index, group in enumerate(self.groups):
            x = group(x if index == 0 else self.pool(x))
            features.append(x * self.gain[index])
        return features

    @torch.no_grad()
    def calibrate(self, normalized: Tensor) -> None:
        """Set the gain of each group so that its features have a root mean square of 1.

        The scale of pretrained activations differs by orders of magnitude between groups and
        between weight files. The gain is measured once on training slices and is constant
        afterwards, so the output for a slice does not depend on the other slices of a batch.
        """
        self.gain.fill_(1.0)
        for index, feature in enumerate(self(normalized)):
            self.gain[index] = feature.square().mean().clamp_min(1e-12).rsqrt()

    def convolutions(self) -> dict[str, nn.Conv2d]:
        """Return all convolutions by name in forward order, ``conv1_1`` to ``conv4_4``."""
        layers = [layer for layer in self.modules() if isinstance(layer, nn.Conv2d)]
        return dict(zip(convolution_names(), layers, strict=False))

    def convolutions_from_scratch(self) -> tuple[str, ...]:
        """Return the names of the convolutions without pretrained weights."""
        return tuple(
            name for name, layer in self.convolutions().items() if layer.weight.requires_grad
        )

    @torch.no_grad()
    def load_convolutions(self, weights: Mapping[str, Tensor]) -> None:
        """Load and freeze ``conv1_1.weight`` and so on, up to the last layer that is given.

        Parameters
        ----------
        weights
            By name; conv1_1 has one input channel.

        Raises
        ------
        WeightsError
            If a layer has another shape, or is missing while a later one is given.
        """
        missing = ""
        for name, layer in self.convolutions().items():
            if f"{name}.weight" not in weights:
                missing = missing or name
                continue
            if missing:
                raise WeightsError(
                    f"the VGG-19 weights have {name} but not {missing} before it; the file is "
                    "incomplete"
                )
            for kind in ("weight", "bias"):
                _copy_weight(weights, f"{name}.{kind}", getattr(layer, kind))
            layer.requires_grad_(False)


def convolution_names() -> list[str]:
    """Return ``conv1_1`` to ``conv4_4``, in forward order."""
    return [
        f"conv{group}_{index}"
        for group, count in enumerate(CONVOLUTIONS_PER_GROUP, start=1)
        for index in range(1, count + 1)
    ]


def _copy_weight(weights: Mapping[str, Tensor], key: str, parameter: Tensor) -> None:
    if key not in weights:
        raise WeightsError(f"the VGG-19 weights have no {key}; the file is incomplete")
    if weights[key].shape != parameter.shape:
        raise WeightsError(
            f"VGG-19 layer {key} has shape {tuple(weights[key].shape)}, expected "
            f"{tuple(parameter.shape)}: is this the file for the configured encoder?"
        )
    parameter.copy_(weights[key])
