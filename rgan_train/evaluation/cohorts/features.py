"""Features of both groups, in regions of the same kinds as those of a paired evaluation.

There is no common target on which regions could be chosen. They are chosen on the slices of either
group after a Gaussian blur, so that the noise of a kernel hardly shapes them, and each method has
the regions of its group.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.read.padding import fill_padding
from rgan_train.evaluation.cohorts.cohort import Cohort, Images, Scan
from rgan_train.evaluation.features.cache import SliceRegions, extract_all
from rgan_train.evaluation.features.extractor import FeatureExtractor, region_problem
from rgan_train.evaluation.regions.body import body_mask
from rgan_train.evaluation.regions.choice import REPEATS, SURPLUS
from rgan_train.evaluation.regions.rois import HU_RANGES, Roi, random_rois, whole_slices
from rgan_train.evaluation.regions.smooth import SMOOTHING_MM, blur_slices

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Regions:
    """The regions of one group.

    Attributes
    ----------
    masks
        For each of the S slices, one mask ``[H, W]`` for each of its regions.
    kinds
        ``[R]`` kind of each region, such as ``whole slice``; slice after slice.
    slices
        ``[R]`` number of its slice, 0 to S - 1.
    """

    masks: tuple[tuple[NDArray[np.bool_], ...], ...]
    kinds: NDArray[np.str_]
    slices: NDArray[np.int64]


def choose_regions(cohort: Cohort, regions: int) -> tuple[Regions, list[str]]:
    """Choose whole slices, and random regions in the patient.

    Parameters
    ----------
    regions
        Smallest number of random regions in each HU range, over all slices.

    Returns
    -------
    regions : Regions
    notes : list of str
        Where there are fewer.
    """
    per_slice = math.ceil(regions * SURPLUS / (REPEATS * len(cohort.patients)))
    chosen = [rois for scan in cohort.scans for rois in _choose(scan, per_slice)]
    kinds = np.array([roi.group for rois in chosen for roi in rois], np.str_)
    slices = np.repeat(np.arange(len(chosen)), [len(rois) for rois in chosen])
    notes = []
    for hu_range in HU_RANGES:
        kind = f"[{hu_range.lower:g}, {hu_range.upper:g}] HU"
        if (count := int(np.count_nonzero(kinds == kind))) < regions:
            notes.append(
                f"{kind}: {count} regions of the {cohort.name} instead of {regions}; the slices "
                "have no room for more"
            )
    return Regions(tuple(tuple(roi.mask for roi in rois) for rois in chosen), kinds, slices), notes


def _choose(scan: Scan, per_slice: int) -> Iterator[list[Roi]]:
    """Yield the regions of each slice of a scan."""
    smooth = blur_slices(scan.hu, scan.padding, scan.pixel_spacing, SMOOTHING_MM)
    patient = body_mask(smooth) & ~scan.padding
    found = whole_slices(scan.padding)
    for hu_range in HU_RANGES:
        found += random_rois(
            smooth, hu_range, seeds=range(REPEATS), per_slice=per_slice, within=patient
        )
    for number in range(len(scan.hu)):
        yield [roi for roi in found if roi.slice_number == number and not region_problem(roi.mask)]


def compute_features(
    sides: Sequence[tuple[Cohort, Regions, Mapping[str, Images]]],
    extractor: FeatureExtractor,
    cache: Path,
    *,
    parameters: Path | None,
    workers: int,
    counter: Callable[[int], Callable[[], None]],
) -> list[dict[str, Floats]]:
    """Compute the features of all regions on all variants of both groups.

    Parameters
    ----------
    sides
        Of either group: itself, its regions, and its slices by variant.
    cache, parameters, workers
        As ``extract_all`` takes them.
    counter
        Takes the number of slices, and returns what is called after each.

    Returns
    -------
    list of dict
        For either group ``[R, F]`` by variant.
    """
    tasks = [
        SliceRegions(fill_padding(hu, padding), scan.pixel_spacing, masks)
        for cohort, regions, variants in sides
        for images in variants.values()
        for (scan, hu, padding), masks in zip(_slices(cohort, images), regions.masks, strict=True)
    ]
    found = iter(
        extract_all(
            tasks,
            extractor,
            cache,
            parameters=parameters,
            workers=workers,
            on_done=counter(len(tasks)),
        )
    )
    return [
        {name: np.concatenate([next(found) for _ in regions.masks]) for name in variants}
        for _, regions, variants in sides
    ]


def _slices(
    cohort: Cohort, images: Images
) -> Iterator[tuple[Scan, NDArray[np.float32], NDArray[np.bool_]]]:
    for scan, stack in zip(cohort.scans, images, strict=True):
        for hu, padding in zip(stack, scan.padding, strict=True):
            yield scan, hu, padding
