"""The generator: a VGG encoder, trainable filters, a U-Net decoder and a stem.

Paper, section 2.1 and figure 1. The stem is ours. The frozen encoder was trained to classify
photographs and drops the fine noise texture in which kernels differ. A few trainable
convolutions at full resolution carry this texture past the encoder.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from rgan_sdk.hu import HUWindow
from rgan_sdk.slices import spread_indices
from rgan_train.networks.base import HarmonizationNetwork, Output
from rgan_train.networks.blocks import ConvReLU, UpBlock, WithDetail, initialize
from rgan_train.networks.vgg import VGGEncoder
from rgan_train.networks.window import normalize
from rgan_train.pairs.samples import PairedSample

CALIBRATION_SLICES = 4
"""Slices on which the gains of a pretrained encoder are measured."""


class Generator(HarmonizationNetwork):
    """Maps a slice with the source kernel to one with the target kernel, in window units.

    Parameters
    ----------
    encoder
        Frozen with pretrained weights, or trainable from scratch.
    stem_channels
        Channels of the full-resolution stem; 0: no stem, as in the paper.
    stem_layers
        Convolutions of the stem: one 5x5, then 3x3.
    output
        ``residual`` adds the network's output to the input, ``direct`` returns it.
    """

    def __init__(
        self,
        encoder: VGGEncoder,
        *,
        stem_channels: int,
        stem_layers: int,
        output: Output,
    ) -> None:
        super().__init__()
        self.output = output
        self.encoder = encoder
        widths = [channels // 2 for channels in encoder.channels]
        self.filters = nn.ModuleList(
            ConvReLU(channels, width)
            for channels, width in zip(encoder.channels, widths, strict=True)
        )
        self.decoder = nn.ModuleList(
            UpBlock(deep, fine, fine)
            for deep, fine in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.stem = _make_stem(stem_channels, stem_layers)
        head_channels = max(widths[0] + stem_channels, 32)
        last = nn.Conv2d(head_channels, 1, 3, padding=1)
        self.head = nn.Sequential(ConvReLU(widths[0] + stem_channels, head_channels), last)
        for part in (self.filters, self.decoder, self.stem, self.head):
            initialize(part)
        if output == "residual":
            nn.init.zeros_(last.weight)

        # Padding by reflection needs two pixels or more in the coarsest features.
        self.multiple = 2 ** len(encoder.channels)

    def polynomial_parameters(self) -> tuple[str, ...]:
        """Return the names of all parameters but the encoder's, which may be frozen."""
        names = super().polynomial_parameters()
        return tuple(name for name in names if not name.startswith("encoder."))

    def prepare(
        self,
        samples: Sequence[PairedSample],
        window: HUWindow,
        pixel_spacing: float,
    ) -> None:
        """Measure the gains of a pretrained encoder on a few training slices."""
        self.calibrate(typical_slices(samples, window, self.multiple))

    def calibrate(self, normalized: Tensor) -> None:
        """Measure the gains of a pretrained encoder on ``[N, 1, H, W]`` in window units.

        An encoder that is trained from scratch keeps gains of 1.
        """
        if not all(parameter.requires_grad for parameter in self.encoder.parameters()):
            self.encoder.calibrate(normalized.to(self.encoder.gain.device))

    def notes(self) -> tuple[str, ...]:
        """Return which layers of the encoder are pretrained, if not all of them are."""
        missing = self.encoder.convolutions_from_scratch()
        names = list(self.encoder.convolutions())
        if not missing or len(missing) == len(names):
            return ()
        return (
            f"encoder: {names[0]} to {names[-len(missing) - 1]} pretrained and frozen; the weight "
            f"file ends there, so {missing[0]} to {names[-1]} are trained from scratch",
        )

    def predict(self, normalized: Tensor) -> Tensor:
        """Return the residual or the output for ``[N, 1, H, W]`` in window units; same shape."""
        features = [
            layer(feature)
            for layer, feature in zip(self.filters, self.encoder(normalized), strict=True)
        ]
        x = features.pop()
        for block in self.decoder:
            x = block(x, features.pop())
        if len(self.stem):
            x = torch.cat([x, self.stem(normalized)], dim=1)
        out: Tensor = self.head(x)
        return out


def typical_slices(samples: Sequence[PairedSample], window: HUWindow, multiple: int) -> Tensor:
    """Return a few source slices, evenly spread, as ``[N, 1, H, W]`` in window units.

    They are cut to multiples of ``multiple``, and to the size of the smallest of them.
    """
    chosen = spread_indices(len(samples), CALIBRATION_SLICES)
    images = [samples[index].source_hu for index in chosen]
    rows, columns = (
        min(sizes) // multiple * multiple
        for sizes in zip(*(image.shape for image in images), strict=True)
    )
    hu = np.stack([image[:rows, :columns] for image in images])[:, None]
    return normalize(torch.from_numpy(hu), window)


def _make_stem(channels: int, layers: int) -> nn.Sequential:
    if channels == 0:
        return nn.Sequential()
    first = ConvReLU(WithDetail.channels, channels, kernel_size=5, first=True)
    further = (ConvReLU(channels, channels) for _ in range(layers - 1))
    return nn.Sequential(WithDetail(), first, *further)
