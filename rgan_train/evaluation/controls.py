"""Controls of a paired evaluation: what would be reproducible anyway, and what the masks do.

*Random pixels* stand in the same masks, one draw for the source and another for the target. What
is reproducible on them needs no tissue: the mask alone makes it so.

*Masks on neither kernel* are chosen on the mean of source and target after a Gaussian, where the
noise and the edges of neither are left. All other random regions are chosen on the target.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from rgan_train.evaluation.features.regions import VariantStacks
from rgan_train.evaluation.random_pixels import RANDOM, random_pixels
from rgan_train.evaluation.regions.choice import choose_random_regions
from rgan_train.evaluation.regions.rois import WHOLE, Roi
from rgan_train.evaluation.regions.smooth import SMOOTHING_MM, blur_slices
from rgan_train.evaluation.results import INPUT, NEUTRAL, TARGET, FeatureTable
from rgan_train.evaluation.stacks import TestStack

CONTROL_REPEATS: Final = 3
"""Repeats of random regions that controls have: fewer than others, which saves time."""

Compute = Callable[[VariantStacks, Sequence[Roi]], FeatureTable]
"""Computes the features of regions on variants of the slices."""


def randomize(stack: TestStack, rois: Sequence[Roi], compute: Compute) -> FeatureTable:
    """Return the features of random pixels in regions; whole slices, which are alike, are none."""
    images = {TARGET: random_pixels(stack.target_hu), RANDOM: random_pixels(stack.source_hu)}
    return compute(
        images, [roi for roi in rois if roi.group != WHOLE and roi.repeat < CONTROL_REPEATS]
    )


def choose_neutrally(
    images: VariantStacks, stack: TestStack, regions: int, compute: Compute
) -> tuple[FeatureTable, list[str]]:
    """Return the features of all images in random regions that neither kernel has shaped.

    Parameters
    ----------
    images
        With the target and the input.
    regions
        Smallest number of random regions in each HU range, over all repeats of an evaluation.

    Returns
    -------
    table : FeatureTable
    notes : list of str
        Where there are fewer regions.
    """
    mean = (images[TARGET] + images[INPUT]) / np.float32(2)
    smooth = blur_slices(mean, stack.padding, stack.pixel_spacing, SMOOTHING_MM)
    notes: list[str] = []
    rois = choose_random_regions(smooth, stack.padding, regions, notes, CONTROL_REPEATS)
    return compute(images, rois), [f"{NEUTRAL}: {note}" for note in notes]
