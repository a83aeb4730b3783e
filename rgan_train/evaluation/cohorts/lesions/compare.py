"""Lesions in both groups: what methods leave of them, and what the target shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.kernels import KernelSpectra
from rgan_train.evaluation.cohorts.cohort import Cohort, Images
from rgan_train.evaluation.cohorts.lesions.places import surroundings
from rgan_train.evaluation.cohorts.lesions.plant import (
    Planted,
    Round,
    Seen,
    common_thickness,
    look,
    measure_mtfs,
    plant,
)
from rgan_train.evaluation.cohorts.lesions.render import LESIONS, MTF, Lesion
from rgan_train.evaluation.cohorts.variants import Methods
from rgan_train.evaluation.results import INPUT, TARGET

EXAMPLES: Final = (Lesion("nodule", 6.0, 100.0), Lesion("hole", 10.0, -1000.0))
EXAMPLE_MM: Final = 15.0
"""Around the centre of a lesion that the report shows."""

Counter = Callable[[int], Callable[[], None]]


@dataclass(frozen=True)
class LesionComparison:
    """Lesions of all kinds on all variants.

    Attributes
    ----------
    thickness
        Slice thickness for which they were drawn, mm.
    mtfs
        Of the source and of the target.
    seen
        What is seen of each lesion, by variant: the target, the input, models, controls. Source
        variants have the same lesions at the same places.
    examples
        For each of ``EXAMPLES``, ``[H, W]`` HU around one lesion by variant; the target's is at a
        place of the target.
    """

    thickness: float
    mtfs: tuple[MTF, MTF]
    seen: Mapping[str, Sequence[Seen]]
    examples: Sequence[Mapping[str, NDArray[np.float32]]]

    def mean(
        self, variant: str, measure: Callable[[Seen], float], wanted: Callable[[Lesion], bool]
    ) -> float:
        """Return the mean of a measure over the kinds of lesions that are wanted.

        Each kind counts alike, as groups have different numbers of them.
        """
        return float(np.mean([np.mean(values) for values in self._kinds(variant, measure, wanted)]))

    def error(
        self, variant: str, measure: Callable[[Seen], float], wanted: Callable[[Lesion], bool]
    ) -> float:
        """Return the standard error of ``mean``; NaN if a kind has a single lesion."""
        kinds = self._kinds(variant, measure, wanted)
        if min(map(len, kinds)) < 2:
            return math.nan
        return math.sqrt(sum(np.var(v, ddof=1) / len(v) for v in kinds)) / len(kinds)

    def _kinds(
        self, variant: str, measure: Callable[[Seen], float], wanted: Callable[[Lesion], bool]
    ) -> list[list[float]]:
        kinds = [
            [measure(seen) for seen in self.seen[variant] if seen.lesion == lesion]
            for lesion in LESIONS
            if wanted(lesion)
        ]
        return [values for values in kinds if values]


def compare_lesions(
    source: Cohort,
    target: Cohort,
    spectra: tuple[KernelSpectra, KernelSpectra],
    methods: Methods,
    plain: Mapping[str, Images],
    counter: Counter,
) -> LesionComparison:
    """Put the same kinds of lesions into both groups, and harmonize those of the source.

    Parameters
    ----------
    spectra
        Of both groups.
    plain
        The source's slices without lesions, by variant.
    counter
        Takes the number of steps, and returns what is called after each.

    Raises
    ------
    MeasurementError
        If a group shows no lung, or can't tell its kernel.
    """
    mtfs = measure_mtfs(*spectra)
    thickness = common_thickness(source, target)
    ours, theirs = (
        plant(cohort, mtf, thickness) for cohort, mtf in zip((source, target), mtfs, strict=True)
    )
    count = counter(len(ours) * len(source.scans) * len(methods.methods))
    seen: dict[str, list[Seen]] = {TARGET: [], INPUT: []}
    for one in theirs:
        seen[TARGET] += look(one.planted, target.scans, target.images, one.images)
    examples: list[dict[str, NDArray[np.float32]]] = [{} for _ in EXAMPLES]
    for one in theirs:
        _cut(examples, one, TARGET, target, one.images)
    for one in ours:
        variants = {INPUT: one.images} | {
            name: methods.apply(name, source, one.images, count) for name in methods.methods
        }
        for name, images in variants.items():
            without = source.images if name == INPUT else plain[name]
            seen.setdefault(name, []).extend(look(one.planted, source.scans, without, images))
            _cut(examples, one, name, source, images)
    return LesionComparison(thickness, mtfs, seen, examples)


def _cut(
    examples: Sequence[dict[str, NDArray[np.float32]]],
    one: Round,
    name: str,
    cohort: Cohort,
    images: Images,
) -> None:
    """Add what is around the first lesion of each kind that is shown."""
    for lesion, parts in zip(EXAMPLES, examples, strict=True):
        planted = next((each for each in one.planted if each.lesion == lesion), None)
        if planted is not None and name not in parts:
            parts[name] = _part(planted, cohort, images)


def _part(planted: Planted, cohort: Cohort, images: Images) -> NDArray[np.float32]:
    scan = cohort.scans[planted.scan]
    distance = surroundings(planted.centre, scan.hu.shape[1:], scan.pixel_spacing)
    rows, columns = (
        slice(int(places.min()), int(places.max()) + 1)
        for places in np.nonzero(distance <= EXAMPLE_MM)
    )
    part: NDArray[np.float32] = images[planted.scan][planted.number][rows, columns]
    return part
