"""Compare the features of two groups, and of two halves of the target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgan_train.evaluation.cohorts.controls import CONTROLS
from rgan_train.evaluation.cohorts.distances import ENOUGH_PATIENTS, measure_distance, usable
from rgan_train.evaluation.cohorts.folds import halve, make_folds
from rgan_train.evaluation.cohorts.results import HALVES, GroupComparison
from rgan_train.evaluation.cohorts.separation import tell_apart
from rgan_train.evaluation.metrics.combat import combat
from rgan_train.evaluation.metrics.moments import MIN_REGIONS
from rgan_train.evaluation.results import COMBAT, TARGET

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Side:
    """The regions of one group, of one kind, and their features.

    Attributes
    ----------
    patients
        ``[S]`` patient of each slice.
    slices
        ``[R]`` slice of each region.
    values
        ``[R, F]`` by variant.
    """

    patients: NDArray[np.str_]
    slices: NDArray[np.int64]
    values: Mapping[str, Floats]

    def take(self, chosen: NDArray[np.bool_]) -> Side:
        """Return the regions of the chosen slices, which are numbered anew."""
        kept = chosen[self.slices]
        numbers = np.cumsum(chosen) - 1
        return Side(
            self.patients[chosen],
            numbers[self.slices[kept]],
            {name: values[kept] for name, values in self.values.items()},
        )


def tests_patients(first: NDArray[np.str_], second: NDArray[np.str_]) -> bool:
    """Return whether both groups have enough patients to take patients as what is independent."""
    return all(len(np.unique(side)) >= ENOUGH_PATIENTS for side in (first, second))


def compare_kind(
    kind: str, source: Side, target: Side, methods: Sequence[str]
) -> Iterator[GroupComparison]:
    """Compare regions of one kind, by each variant.

    Parameters
    ----------
    methods
        The input and the models. Each is also compared after ComBat, and controls follow.

    Notes
    -----
    Distances after ComBat are of the regions that it saw; no model sees the target's. There is no
    classifier for it: ComBat makes the means of both groups equal, which are all that a linear
    classifier sees.
    """
    by_patient = tests_patients(source.patients, target.patients)
    second = halve(target.patients)
    yield _compare(kind, HALVES, (target.take(~second), target.take(second)), TARGET, by_patient)
    both = source, target
    for name in methods:
        yield _compare(kind, name, both, TARGET, by_patient)
    for name in methods:
        yield _compare(kind, name + COMBAT, both, TARGET, by_patient)
    for name in CONTROLS:
        yield _compare(kind, name, both, name, by_patient)


def _compare(
    kind: str, name: str, sides: tuple[Side, Side], variant: str, by_patient: bool
) -> GroupComparison:
    """Compare one variant of the first side with another of the second."""
    first = sides[0].values[variant if name == HALVES else name.removesuffix(COMBAT)]
    second = sides[1].values[variant]
    counts = len(first), len(second)
    if min(counts) < MIN_REGIONS:
        return GroupComparison(kind, name, counts, None, None)
    columns = usable(first, second)
    if not columns.any():
        return GroupComparison(kind, name, counts, None, None)
    first, second = first[:, columns], second[:, columns]
    units = _units(sides[0], by_patient), _units(sides[1], by_patient)
    if name.endswith(COMBAT):
        adjusted = combat(first, second, empirical_bayes=False)
        distance = measure_distance(adjusted, second, units)
        return GroupComparison(kind, name, counts, distance, None)
    folds = make_folds(sides[0].patients, sides[1].patients)
    dealt = folds.first[sides[0].slices], folds.second[sides[1].slices]
    distance = measure_distance(first, second, units)
    return GroupComparison(kind, name, counts, distance, tell_apart(first, second, dealt))


def _units(side: Side, by_patient: bool) -> NDArray[np.str_]:
    """Return the patient or the slice of each region."""
    return side.patients[side.slices] if by_patient else side.slices.astype(np.str_)
