"""Which slices a classifier learns from, and on which it is tested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MOST_FOLDS: Final = 8
"""Eight folds have 128 arrangements of the labels, which is enough for limits; six have too few."""

Patients = NDArray[np.str_]
"""``[S]`` patient of each slice."""

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Folds:
    """The fold in which each slice is tested.

    Attributes
    ----------
    count
        Number of folds. Each has slices of both groups.
    first, second
        ``[S]`` fold of each slice of either group.
    by_patient
        Whether no patient is in several folds.
    """

    count: int
    first: Numbers
    second: Numbers
    by_patient: bool


def make_folds(first: Patients, second: Patients) -> Folds:
    """Deal out the patients of both groups, or the slices of a group that has one patient.

    A patient of both groups is in the same fold in both: otherwise the classifier could know the
    patient. Slices of a single patient are divided by position into parts of the same length.

    Parameters
    ----------
    first, second
        Two slices or more.
    """
    both = np.intersect1d(first, second)
    several = [len(np.unique(patients)) > 1 for patients in (first, second)]
    parts = [
        len(np.unique(patients)) if dealt else len(patients)
        for patients, dealt in zip((first, second), several, strict=True)
    ]
    count = min(MOST_FOLDS, *parts)
    dealt = [
        _by_patient(patients, both, count) if is_several else _by_position(len(patients), count)
        for patients, is_several in zip((first, second), several, strict=True)
    ]
    return Folds(count, dealt[0], dealt[1], all(several))


def halve(patients: Patients) -> NDArray[np.bool_]:
    """Return which slices of a group are in its second half: every other patient.

    Of a single patient, it is every other of up to eight parts by position.
    """
    names = np.unique(patients)
    if len(names) > 1:
        return np.isin(patients, names[1::2])
    part = _by_position(len(patients), min(MOST_FOLDS, len(patients)))
    odd: NDArray[np.bool_] = part % 2 == 1
    return odd


def _by_patient(patients: Patients, first: Patients, count: int) -> Numbers:
    """Deal out patients, those of both groups first."""
    names = np.unique(patients)
    order = [*names[np.isin(names, first)], *names[~np.isin(names, first)]]
    fold = {name: number % count for number, name in enumerate(order)}
    return np.array([fold[name] for name in patients], np.int64)


def _by_position(slices: int, count: int) -> Numbers:
    return np.arange(slices) * count // slices
