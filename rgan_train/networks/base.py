"""What every network of this package offers, so that one graph exports them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from rgan_sdk.hu import HUWindow
from rgan_train.pairs.samples import PairedSample

Output = Literal["residual", "direct"]


class HarmonizationNetwork(nn.Module):
    """Maps a slice of the source kernel to one of the target kernel, in window units.

    Attributes
    ----------
    multiple
        Height and width must be multiples of this.
    output
        What ``predict`` returns: the ``residual`` that is added to the input, or the
        output itself (``direct``).
    """

    multiple: int = 1
    output: Output = "residual"

    def predict(self, normalized: Tensor) -> Tensor:
        """Take ``[N, 1, H, W]``, the window mapped to [0, 1], to the same shape."""
        raise NotImplementedError

    def prepare(self, samples: Sequence[PairedSample], window: HUWindow) -> None:
        """Fit what is measured once, on the training slices, before the first step.

        Parameters
        ----------
        samples
            Whole training slices in HU; each is read when it is asked for.
        window
            HU that the network sees.
        """

    def trained_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the part of a crop, in its middle, that is trained on."""
        return height, width

    def notes(self) -> tuple[str, ...]:
        """Return what a user should know of how this network was made."""
        return ()

    def forward(self, normalized: Tensor) -> Tensor:
        """Return what is trained: the harmonized crop ``[N, 1, h, w]`` in window units.

        A network whose output at the edge of a crop depends on what lies beyond it leaves
        out a margin there; ``trim`` cuts source and target to the same part.
        """
        out = self.predict(normalized)
        return normalized + out if self.output == "residual" else out


def trim(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Cut the middle of ``[N, 1, H, W]`` to a height and width."""
    height, width = size
    top, left = (image.shape[-2] - height) // 2, (image.shape[-1] - width) // 2
    return image[..., top : top + height, left : left + width]
