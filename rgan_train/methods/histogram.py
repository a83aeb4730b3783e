"""HU histogram matching, the classical baseline (Gonzalez and Woods, Digital Image Processing).

One monotone look-up curve maps the distribution of HU in all source slices for training to
that of the target slices. It is fitted on all pairs together and not image by image, so the
mapping does not depend on the content of a slice. We had to choose a curve of straight
segments of equal width over the window (``[histogram]``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from rgan_sdk.hu import HUWindow
from rgan_train.config import Config
from rgan_train.methods.base import Method
from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.pairs.samples import PairedSample

BINS_PER_SEGMENT = 64
"""Histogram bins per segment of the curve."""


class LookUpCurve(HarmonizationNetwork):
    """A piecewise linear curve from HU to HU, as two convolutions of one pixel.

    The first convolution gives the position of each pixel in each segment (0 before it, 1
    beyond it). The second adds up the increments of the segments.
    """

    scale: Tensor
    starts: Tensor
    increments: Tensor
    offset: Tensor

    def __init__(self, segments: int) -> None:
        super().__init__()
        self.register_buffer("scale", torch.full((segments, 1, 1, 1), float(segments)))
        self.register_buffer("starts", torch.arange(segments, dtype=torch.float32))
        self.register_buffer("increments", torch.zeros(1, segments, 1, 1))
        self.register_buffer("offset", torch.zeros(1))

    def prepare(
        self,
        samples: Sequence[PairedSample],
        window: HUWindow,
        pixel_spacing: float,
    ) -> None:
        """Fit the curve on the training slices."""
        knots = np.linspace(window.lower, window.upper, len(self.starts) + 1)
        change = (match_histograms(samples, window, knots) - knots) / window.width
        self.increments.copy_(torch.from_numpy(np.diff(change)).view_as(self.increments))
        self.offset.fill_(float(change[0]))

    def predict(self, normalized: Tensor) -> Tensor:
        """Return the difference to the input, ``[N, 1, H, W]`` in window units."""
        pieces = functional.conv2d(normalized, self.scale, -self.starts).clamp(0, 1)
        return functional.conv2d(pieces, self.increments, self.offset)


class Histogram(Method):
    """A look-up curve, which is fitted and not trained in steps."""

    settings = ("histogram",)

    @staticmethod
    def build_network(config: Config) -> HarmonizationNetwork:
        """Return a curve that changes nothing before it is fitted."""
        return LookUpCurve(config.histogram.segments)


def match_histograms(
    samples: Iterable[PairedSample], window: HUWindow, knots: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the HU that each knot must be mapped to so that the distributions agree.

    Parameters
    ----------
    knots
        HU in ascending order.
    window
        The distributions are compared inside this range.
    """
    edges = np.linspace(window.lower, window.upper, (len(knots) - 1) * BINS_PER_SEGMENT + 1)
    counts = np.zeros((2, len(edges) - 1))
    for sample in samples:
        for count, hu in zip(counts, sample, strict=True):
            image = hu[~sample.padding]
            count += np.histogram(np.clip(image, window.lower, window.upper), edges)[0]
    (source_edges, source_shares), (target_edges, target_shares) = (
        _distribution(count, edges) for count in counts
    )
    change = np.interp(source_shares, target_shares, target_edges) - source_edges
    # The change is interpolated between HU that occur, and constant beyond them.
    return np.clip(knots + np.interp(knots, source_edges, change), window.lower, window.upper)


def _distribution(
    count: NDArray[np.float64], edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return HU in ascending order, and the share of pixels below each of them."""
    filled = np.flatnonzero(count)
    ends = np.concatenate([filled[:1], filled + 1])
    return edges[ends], np.concatenate([[0.0], np.cumsum(count[filled])]) / count.sum()
