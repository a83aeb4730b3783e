"""Split slices into parts for training, validation and test."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rgan_sdk.errors import ConfigurationError, TrainingError
from rgan_train.config import FOLDS, DataConfig

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
    _require_slices(count)
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
    unique = _order_patients(patients)
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


def split_fold(fold: int, folds: int, count: int, gap: int) -> Split:
    """Split by position or by patient, so that each number is tested in exactly one of the folds.

    The folds are equal parts, one after the other. The next 7 % after the tested part, rounded up,
    validate, and the rest is for training. Numbers go on from the last to the first.

    Parameters
    ----------
    fold
        From 1 to ``folds``.
    count
        Number of slices or patients, ``folds`` or more.
    gap
        How many are left out on either side of the tested part: neighbouring slices are alike.

    Examples
    --------
    >>> split_fold(2, folds=5, count=30, gap=1).validation
    (13, 14, 15)
    """
    first, end = (count * number // folds for number in (fold - 1, fold))
    after = [number % count for number in range(end, first + count)]
    kept = after[gap : len(after) - gap]
    validation = -(-count * 7 // 100)
    return Split(
        tuple(sorted(kept[validation:])),
        tuple(sorted(kept[:validation])),
        tuple(range(first, end)),
    )


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
        Ranges of slices, the fold, or the kind of split.

    Raises
    ------
    ConfigurationError
        If the ranges do not fit the slices, or ``parts`` are given beside ranges, a fold, or a
        split by position.
    TrainingError
        If there are too few slices or patients, ``parts`` is not valid, or one patient is
        spelled in two ways.
    """
    _check_spelling(patients)
    if any(parts):
        _refuse_settings(config)
        _check_parts(patients, parts)
        return [_assign_all(part, count) for part, count in zip(parts, counts, strict=True)]
    if config.fold:
        return _split_by_fold(patients, counts, config.fold)
    if any(config.ranges):
        return [_split_by_ranges(config.ranges, count) for count in counts]
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
    if text and not numbers:
        raise ConfigurationError(
            f"slice ranges {text!r} name no slice: write FIRST-LAST, such as 0-17"
        )
    return tuple(numbers)


def describe_fold(patients: Sequence[str], fold: int) -> str:
    """Return a remark on what a fold tests."""
    names = set(patients)
    if len(names) < MIN_PATIENTS:
        return f"fold {fold} of {FOLDS}: each slice is tested in one fold"
    return f"fold {fold} of {min(FOLDS, len(names))}: each patient is tested in one fold"


def _refuse_settings(config: DataConfig) -> None:
    """Refuse settings that the column ``split`` of the list of pairs would override."""
    names = ("train_slices", "validation_slices", "test_slices")
    given = {f"data.{name}": getattr(config, name) for name in (*names, "fold")}
    given["data.split"] = config.split if config.split == "position" else ""
    for name, value in given.items():
        if value:
            raise ConfigurationError(
                f"{name} = {value}, but the list of pairs says in the column split which part "
                f"each pair is in; empty that column, or leave {name} out"
            )


def _split_by_fold(patients: Sequence[str], counts: Sequence[int], fold: int) -> list[Split]:
    order = _order_patients(patients)
    if len(order) < MIN_PATIENTS:
        for count in counts:
            _require_slices(count)
        return [split_fold(fold, FOLDS, count, gap=1) for count in counts]
    folds = min(FOLDS, len(order))
    if fold > folds:
        raise ConfigurationError(
            f"data.fold = {fold}, but {len(order)} patients make {folds} folds only"
        )
    split = split_fold(fold, folds, len(order), gap=0)
    part_of = {order[number]: part for part in PARTS for number in getattr(split, part)}
    return [_assign_all(part_of[name], count) for name, count in zip(patients, counts, strict=True)]


def _order_patients(patients: Sequence[str]) -> list[str]:
    """Return each patient once, in an order that depends on the pseudonyms alone."""
    return sorted(set(patients), key=lambda name: hashlib.sha256(name.encode()).digest())


def _require_slices(count: int) -> None:
    if count < MIN_SLICES:
        raise TrainingError(
            f"{count} slices are too few to split by position: at least {MIN_SLICES} are needed"
        )


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


def _check_spelling(patients: Sequence[str]) -> None:
    spellings: dict[str, str] = {}
    for patient in patients:
        other = spellings.setdefault(" ".join(patient.casefold().split()), patient)
        if other != patient:
            raise TrainingError(
                f"column patient: {other!r} and {patient!r} differ in case or blanks only; spell a "
                "patient alike in all rows, else it may be in two parts"
            )


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
