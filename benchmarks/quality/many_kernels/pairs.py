"""A few slices of a real pair: to go on training with, and to harmonize with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from short_training import Crops, random_crops

from many_kernels.conditions import Curve
from many_kernels.network import ConditionedGenerator
from many_kernels.simulate import MARGIN, make_crops
from rgan_sdk.slices import pad_to_multiple
from rgan_train.matching.linear import WINDOW
from rgan_train.networks.window import HANDOVER, network_window, normalize
from rgan_train.pairs.samples import PairedSample


@dataclass(frozen=True)
class RealPairs:
    """Draws crops of a few paired slices. A batch is a pure function of seed and step.

    Attributes
    ----------
    source, target
        What was measured of both kernels.
    size
        Edge of a crop in pixels, with its margin.
    """

    samples: Sequence[PairedSample]
    source: Curve
    target: Curve
    seed: int
    batch_size: int
    size: int

    def draw(self, step: int) -> Crops:
        """Return the batch of a step."""
        rng = np.random.default_rng((self.seed, step))
        images = random_crops(self.samples, self.batch_size, self.size, rng)
        return make_crops(*images, self.source, self.target)


@torch.no_grad()
def harmonize(
    network: ConditionedGenerator, hu: NDArray[np.float32], source: Curve, target: Curve
) -> NDArray[np.float32]:
    """Harmonize a slice ``[H, W]`` as an exported model would: HU outside the window stay."""
    window = network_window(WINDOW)
    wide = np.pad(pad_to_multiple(hu, network.multiple), MARGIN, mode="reflect")[None, None]
    crops = make_crops(wide, wide, source, target)
    normalized = normalize(torch.from_numpy(crops.source_hu), window)
    out = network(normalized, torch.from_numpy(crops.told)).numpy()[0, 0]
    inside = out[: hu.shape[0], : hu.shape[1]]
    ends = (hu - window.lower) / HANDOVER, (window.upper - hu) / HANDOVER
    weight = np.clip(ends[0], 0, 1) * np.clip(ends[1], 0, 1)
    clipped = hu.clip(window.lower, window.upper)
    harmonized: NDArray[np.float32] = hu + weight * (inside * window.width + window.lower - clipped)
    return harmonized.astype(np.float32)
