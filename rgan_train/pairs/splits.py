"""Split slices into parts for training, validation and test."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rgan_sdk.errors import ConfigurationError, TrainingError
from rgan_train.config import DataConfig

PARTS = ("train", "validation", "test")
MIN_SLICES = 10
"""Slices that a split by position needs."""

MIN_PATIENTS = 3
"""Patients that a split by patient needs."""

SEVERAL_PATIENTS = (
    "If different patients were given the same PatientID, write a name of its own for each patient "
    "into the column patient of the list of pairs"
)
"""What to do where a de-identification has made one patient of several."""


@dataclass(frozen=True)
class Split:
    """Slice numbers of one pair, counted by ascending position from 0."""

    train: tuple[int, ...] = ()
    validation: tuple[int, ...] = ()
    test: tuple[int, ...] = ()


def split_positions(count: int) -> Split:
    """Split one scan by position: 60 % for training, 10 % for validation, the rest for the test.

    One slice before the test slices is left out, because neighbouring slices are alike.

    Raises
    ------
    TrainingError
        If there are fewer than ``MIN_SLICES`` slices.
    """
    if count < MIN_SLICES:
        raise TrainingError(
            f"{count} slices are too few to split by position: at least {MIN_SLICES} are needed"
        )
    train = count * 6 // 10
    validation = train + count // 10
    return Split(
        tuple(range(train)), tuple(range(train, validation)), tuple(range(validation + 1, count))
    )


def split_patients(patients: Sequence[str]) -> dict[str, str]:
    """Assign each patient to one part: 60 % training, 10 % validation, the rest test.

    Patients are sorted by a hash of their pseudonyms, so the result depends neither on the
    order of the files nor on a seed.

    Raises
    ------
    TrainingError
        If there are fewer than ``MIN_PATIENTS`` patients.
    """
    unique = sorted(set(patients), key=lambda name: hashlib.sha256(name.encode()).digest())
    if len(unique) < MIN_PATIENTS:
        raise TrainingError(
            f"{len(unique)} patients cannot be split into {len(PARTS)} parts; "
            f"use --set data.split=position. {SEVERAL_PATIENTS}"
        )
    train = max(1, len(unique) * 6 // 10)
    validation = train + max(1, len(unique) // 10)
    return {
        name: PARTS[(index >= train) + (index >= validation)] for index, name in enumerate(unique)
    }


def make_splits(
    patients: Sequence[str], counts: Sequence[int], parts: Sequence[str], config: DataConfig
) -> list[Split]:
    """Return the split of each pair of a training set.

    Parameters
    ----------
    patients, counts
        The patient's pseudonym and the number of slices of each pair.
    parts
        The part of each pair if the list of pairs gives it, else empty; for all pairs or
        for none.
    config
        Ranges of slices, or the kind of split.

    Raises
    ------
    ConfigurationError
        If the ranges do not fit the slices.
    TrainingError
        If there are too few slices or patients, or ``parts`` is not valid.
    """
    ranges = (config.train_slices, config.validation_slices, config.test_slices)
    if any(parts):
        _check_parts(patients, parts)
        return [_assign_all(part, count) for part, count in zip(parts, counts, strict=True)]
    if any(ranges):
        return [_split_by_ranges(ranges, count) for count in counts]
    by_patient = config.split == "patient" or (
        config.split == "auto" and len(set(patients)) >= MIN_PATIENTS
    )
    if by_patient:
        part_of = split_patients(patients)
        return [
            _assign_all(part_of[name], count) for name, count in zip(patients, counts, strict=True)
        ]
    return [split_positions(count) for count in counts]


def parse_ranges(text: str) -> tuple[int, ...]:
    """Return the slice numbers of a text such as ``0-10,25``; both ends are included."""
    numbers: list[int] = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", item)
        if match is None or int(match[1]) > int(match[2] or match[1]):
            raise ConfigurationError(f"slice range {item!r}: write FIRST-LAST, such as 0-17")
        numbers += range(int(match[1]), int(match[2] or match[1]) + 1)
    return tuple(numbers)


def _split_by_ranges(ranges: tuple[str, str, str], count: int) -> Split:
    split = Split(*(parse_ranges(text) for text in ranges))
    numbers = [*split.train, *split.validation, *split.test]
    repeated = sorted({number for number in numbers if numbers.count(number) > 1})
    if repeated:
        raise ConfigurationError(
            f"data.train_slices, validation_slices and test_slices share slices {repeated}"
        )
    if max(numbers) >= count:
        raise ConfigurationError(
            f"slice {max(numbers)} is asked for, but a pair has only slices 0 to {count - 1}"
        )
    return split


def _assign_all(part: str, count: int) -> Split:
    """Return a split with all slices of a pair in one part."""
    return Split(**{part: tuple(range(count))})


def _check_parts(patients: Sequence[str], parts: Sequence[str]) -> None:
    seen: dict[str, str] = {}
    for patient, part in zip(patients, parts, strict=True):
        if part not in PARTS:
            raise TrainingError(
                f"column split: {part!r} is not one of {', '.join(PARTS)}; fill it in all "
                "rows, or in none"
            )
        if seen.setdefault(patient, part) != part:
            raise TrainingError(
                f"patient {patient} is in both {seen[patient]} and {part}: a patient must be in "
                "one part only, else the test says nothing about other patients. "
                f"{SEVERAL_PATIENTS}"
            )
