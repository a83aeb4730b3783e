"""The interface of all networks, so that one graph can export each of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from rgan_sdk.hu import HUWindow
from rgan_train.pairs.samples import PairedSample

Output = Literal["residual", "direct"]


class HarmonizationNetwork(nn.Module):
    """Maps a slice with the source kernel to one with the target kernel, in window units.

    In window units the lower end of the HU window is 0 and the upper end is 1. Pixel spacings are
    in mm, float32 ``[1]``: all slices of a batch have the same.

    Attributes
    ----------
    multiple
        Height and width must be multiples of this.
    output
        What ``predict`` returns: the ``residual``, which is added to the input, or the
        output itself (``direct``).
    """

    multiple: int = 1
    output: Output = "residual"

    def predict(self, normalized: Tensor) -> Tensor:
        """Return the residual or the output for ``[N, 1, H, W]`` in window units; same shape."""
        raise NotImplementedError

    def predict_at(self, normalized: Tensor, pixel_spacing: Tensor) -> Tensor:
        """Return what ``predict`` does for slices of a pixel spacing.

        It is the same at every pixel spacing, unless a network overrides this.
        """
        return self.predict(normalized)

    def polynomial_parameters(self) -> tuple[str, ...]:
        """Return the names of the parameters that may depend on the pixel spacing."""
        return tuple(name for name, _ in self.named_parameters())

    def spacing_limits(self) -> tuple[float, float]:
        """Return the smallest and the largest pixel spacing in mm that the network can tell."""
        return 0.0, math.inf

    def prepare(
        self, samples: Sequence[PairedSample], window: HUWindow, pixel_spacing: float
    ) -> None:
        """Fit what is measured once on the training slices, before the first step.

        Parameters
        ----------
        samples
            Whole training slices in HU; each is read when it is asked for.
        window
            Range of HU that the network sees.
        pixel_spacing
            That of the samples, in mm.
        """

    def use_float16(self) -> None:
        """Convert the weights to float16, in place."""
        self.half()

    def trained_size(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of the central part of a crop that is trained on."""
        return height, width

    def notes(self) -> tuple[str, ...]:
        """Return remarks for the user on how this network was made."""
        return ()

    def forward(self, normalized: Tensor, pixel_spacing: Tensor) -> Tensor:
        """Return the harmonized crop ``[N, 1, h, w]`` in window units, for training.

        At the edge of a crop the output may depend on pixels outside the crop. A network
        that has this problem leaves out a margin; ``trim`` cuts source and target alike.
        """
        out = self.predict_at(normalized, pixel_spacing)
        return normalized + out if self.output == "residual" else out


def trim(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the central part of ``[N, 1, H, W]`` with a given height and width."""
    height, width = size
    top, left = (image.shape[-2] - height) // 2, (image.shape[-1] - width) // 2
    return image[..., top : top + height, left : left + width]
