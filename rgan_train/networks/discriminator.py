"""The discriminator: a conditional, fully convolutional PatchGAN.

Paper, section 2.1 ("a fully convolutional neural network"), after Isola et al. 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rgan_train.networks.blocks import initialize


class Discriminator(nn.Module):
    """Judges patches of a candidate, given the slice it was made from.

    Parameters
    ----------
    channels
        Width of the first layer; each further one doubles it, up to eight times.
    strided_layers
        Layers that halve the size. 3 see patches of 70x70 as in pix2pix; fewer see
        finer texture.

    Notes
    -----
    The candidate goes in as its difference to the source, in units of
    ``residual_scale``: what a convolution kernel changes is a few per cent of the
    window and would drown beside the anatomy.
    """

    residual_scale = 0.02

    def __init__(self, channels: int, strided_layers: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        in_channels = 2
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

    def forward(self, source: Tensor, candidate: Tensor) -> Tensor:
        """Return logits ``[N, 1, h, w]``, high where the candidate looks like the target.

        Parameters
        ----------
        source, candidate
            ``[N, 1, H, W]`` in window units.
        """
        difference = (candidate - source) / self.residual_scale
        logits: Tensor = self.logits(self.features(torch.cat([source, difference], dim=1)))
        return logits
