"""The main pair as two scans would show it: source and target have noise of their own.

Both kernels of the pair were made from the same projections, so their noise is the same noise
behind two filters, and a network may learn to carry it over. Here each image gets further noise,
with the spectrum of its kernel, that the other does not have: as much as a second acquisition at a
lower dose has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from short_training import Crops, random_crops

from rgan_train.pairs.noise import PairNoise
from rgan_train.pairs.samples import PairedSample


def add_independent_noise(
    samples: Sequence[PairedSample], noise: PairNoise, spacing: float, level_hu: float, seed: int
) -> list[PairedSample]:
    """Return the slices with noise of their own on both sides, in whole HU as files hold them.

    Parameters
    ----------
    level_hu
        Standard deviation of the noise that the source gets. The target gets the noise that its
        kernel would have made of as much.
    """
    noisy = []
    for number, sample in enumerate(samples):
        images = []
        for side, hu in enumerate(sample):
            rng = np.random.default_rng((seed, number, side))
            drawn = noise.draw(hu.shape, spacing, rng)
            scale = level_hu / drawn.source_hu.std()
            images.append(np.rint(np.maximum(hu + scale * drawn[side], -1024)).astype(np.float32))
        noisy.append(PairedSample(*images))
    return noisy


@dataclass(frozen=True)
class NoisyPairs:
    """Draws crops of paired slices. A batch is a pure function of seed and step.

    Attributes
    ----------
    spacing
        Of the pixels, mm.
    size
        Edge of a crop in pixels.
    """

    samples: Sequence[PairedSample]
    spacing: float
    seed: int
    batch_size: int
    size: int

    def draw(self, step: int) -> Crops:
        """Return the batch of a step."""
        rng = np.random.default_rng((self.seed, step))
        images = random_crops(self.samples, self.batch_size, self.size, rng)
        return Crops(*images, np.array([self.spacing], np.float32))
