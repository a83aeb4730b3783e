"""Choose the regions of an evaluation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_train.evaluation.features.extractor import region_problem
from rgan_train.evaluation.regions.body import body_mask
from rgan_train.evaluation.regions.rois import HU_RANGES, Roi, random_rois, whole_slices

REPEATS: Final = 5
SURPLUS: Final = 1.2
"""Factor by which more random regions are drawn than needed: not every slice has bone."""


def choose_regions(
    target_hu: NDArray[np.float32], given: Sequence[Roi], regions: int
) -> tuple[list[Roi], list[str]]:
    """Choose whole slices and random regions in the patient, and drop regions without texture.

    Parameters
    ----------
    target_hu
        ``[N, H, W]`` HU.
    given
        More regions.
    regions
        Smallest number of random regions in each HU range.

    Returns
    -------
    rois : list of Roi
        All regions.
    notes : list of str
        What the reader of the report must know about missing regions.
    """
    per_slice = math.ceil(regions * SURPLUS / (REPEATS * len(target_hu)))
    rois, notes = whole_slices(target_hu.shape), []
    patient = body_mask(target_hu)
    for hu_range in HU_RANGES:
        found = random_rois(
            target_hu, hu_range, seeds=range(REPEATS), per_slice=per_slice, within=patient
        )
        if len(found) < regions:
            notes.append(
                f"[{hu_range.lower:g}, {hu_range.upper:g}] HU: {len(found)} regions instead of "
                f"{regions}; the slices have no room for more"
            )
        rois += found
    for roi in given:
        if problem := region_problem(roi.mask):
            notes.append(f"{roi.group}, slice {roi.slice_number}: left out, {problem}")
        else:
            rois.append(roi)
    return rois, notes
