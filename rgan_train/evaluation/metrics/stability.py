"""Which features agree with the target so surely that a study may use them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgan_train.evaluation.metrics.blocks import MIN_SLICES, Place, draw_slices
from rgan_train.evaluation.metrics.bootstrap import resample_ccc
from rgan_train.evaluation.metrics.concordance import ccc
from rgan_train.evaluation.metrics.moments import MIN_REGIONS
from rgan_train.evaluation.metrics.reproducibility import is_defined
from rgan_train.evaluation.results import TARGET, THRESHOLDS, FeatureTable


@dataclass(frozen=True)
class Stability:
    """How surely the features of one method agree with the target's, over one group of regions.

    Attributes
    ----------
    ccc
        ``[F]`` Lin's concordance; NaN where undefined on the target.
    limits
        ``[F, 2]`` 95 % limits of the CCC, from the bootstrap of differences between methods.
    slices, patients
        Number of slices that the regions lie on, and of patients.
    block
        Neighbouring slices that the bootstrap draws together; 0 where it draws whole patients.
    """

    group: str
    method: str
    ccc: NDArray[np.float64]
    limits: NDArray[np.float64]
    slices: int
    patients: int
    block: int

    @property
    def exploratory(self) -> bool:
        """Whether the limits hold for other slices of these patients only."""
        return self.block > 0

    @property
    def has_limits(self) -> bool:
        """Whether the group has slices or patients enough for limits."""
        return self.block == 0 or self.slices >= MIN_SLICES

    @property
    def stable(self) -> NDArray[np.bool_]:
        """``[F]`` whether the lower limit is above the threshold of the paper."""
        found: NDArray[np.bool_] = self.limits[:, 0] > THRESHOLDS[0]
        return found


def measure_stability(
    table: FeatureTable, places: Sequence[Place], methods: Sequence[str], *, seed: int = 0
) -> list[Stability]:
    """Return the CCC of each feature, with limits that hold for other slices or patients.

    They come from samples of whole patients where there are many, else of blocks of neighbouring
    slices, which resemble each other; see ``draw_slices``.

    Parameters
    ----------
    places
        Where each slice comes from.

    Returns
    -------
    list of Stability
        By group, then by method; groups with fewer than three regions are left out.
    """
    groups = [group for group in table.groups if len(table.rows(group)) >= MIN_REGIONS]
    return [one for group in groups for one in _measure_group(table, group, places, methods, seed)]


def describe_few_slices(stability: Sequence[Stability]) -> list[str]:
    """Return a remark on each group that has too few slices for limits."""
    few = {one.group: one.slices for one in stability if not one.has_limits}
    return [
        f"{group}: {slices} slice(s), too few for limits; it does not count where features must be "
        "stable in all groups"
        for group, slices in few.items()
    ]


def _measure_group(
    table: FeatureTable, group: str, places: Sequence[Place], methods: Sequence[str], seed: int
) -> list[Stability]:
    rows = table.rows(group)
    numbers = np.array([table.rois[row].slice_number for row in rows])
    here = [places[number] for number in np.unique(numbers)]
    patients = len({place.patient for place in here})
    drawn = draw_slices(here, seed=seed)
    reference = table.values[TARGET][rows]
    undefined = ~is_defined(reference)
    found = []
    for method in methods:
        other = table.values[method][rows]
        values = ccc(reference, other)
        samples = resample_ccc(reference, other, numbers, drawn.counts)
        values[undefined] = samples[:, undefined] = np.nan
        limits = np.clip(drawn.limits(values, samples), -1, 1)
        found.append(Stability(group, method, values, limits, len(here), patients, drawn.block))
    return found
