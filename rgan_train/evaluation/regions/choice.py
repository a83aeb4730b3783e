"""Choose the regions of an evaluation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
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
    target_hu: NDArray[np.float32],
    padding: NDArray[np.bool_],
    given: Sequence[Roi],
    regions: int,
) -> tuple[list[Roi], list[str]]:
    """Choose whole slices and random regions in the patient, and drop regions without texture.

    No region has padding: it is taken out of whole slices and of given regions.

    Parameters
    ----------
    target_hu
        ``[N, H, W]`` HU, with padding set to PADDING_HU.
    padding
        ``[N, H, W]``, true for padding.
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
    notes: list[str] = []
    rois = list(_usable(whole_slices(padding), padding, notes))
    rois += choose_random_regions(target_hu, padding, regions, notes)
    rois += _usable(given, padding, notes)
    return rois, notes


def choose_random_regions(
    hu: NDArray[np.float32],
    padding: NDArray[np.bool_],
    regions: int,
    notes: list[str],
    repeats: int = REPEATS,
) -> list[Roi]:
    """Choose random regions in the patient, and note where there are fewer than wanted.

    Parameters
    ----------
    hu
        ``[N, H, W]`` HU that they are chosen on.
    padding
        ``[N, H, W]``, true for padding, where no region is.
    regions
        Smallest number of them in each HU range, over ``REPEATS`` repeats.
    repeats
        How many of these to draw.
    """
    per_slice = math.ceil(regions * SURPLUS / (REPEATS * len(hu)))
    wanted = math.ceil(regions * repeats / REPEATS)
    patient = body_mask(hu) & ~padding
    rois = []
    for hu_range in HU_RANGES:
        found = random_rois(hu, hu_range, seeds=range(repeats), per_slice=per_slice, within=patient)
        if len(found) < wanted:
            notes.append(
                f"[{hu_range.lower:g}, {hu_range.upper:g}] HU: {len(found)} regions instead of "
                f"{wanted}; the slices have no room for more"
            )
        rois += found
    return rois


def _usable(rois: Sequence[Roi], padding: NDArray[np.bool_], notes: list[str]) -> Iterator[Roi]:
    """Yield regions without their padding; note what is left out."""
    for roi in rois:
        where = f"{roi.group}, slice {roi.slice_number}"
        image = replace(roi, mask=roi.mask & ~padding[roi.slice_number])
        if image.pixels < roi.pixels:
            notes.append(f"{where}: {roi.pixels - image.pixels} pixel(s) of padding left out")
        if problem := region_problem(image.mask):
            notes.append(f"{where}: left out, {problem}")
        else:
            yield image
