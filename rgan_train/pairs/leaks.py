"""No slice of one part is in another, or overlaps one of another: the test would be known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from rgan_sdk.errors import TrainingError
from rgan_train.pairs.splits import PARTS, SEVERAL_PATIENTS, Split

if TYPE_CHECKING:
    from rgan_train.pairs.dataset import PairedFiles

    Parts = Mapping[str, Sequence[PairedFiles]]

TOLERANCE: Final = 0.05
"""Slices may overlap by so much, in mm, because their positions are rounded."""


class _Reach(NamedTuple):
    """What a slice covers along its normal, in mm."""

    start: float
    end: float
    part: str
    position: float


def refuse_shared(parts: Parts) -> None:
    """Refuse a file, or a position in a scan, that is in two parts.

    Raises
    ------
    TrainingError
        If there is one.
    """
    seen: dict[Hashable, str] = {}
    for part, items in parts.items():
        for item in items:
            place = (item.patient, item.frame, item.position)
            for key in (place, item.source_uid, item.target_uid):
                if seen.setdefault(key, part) != part:
                    why = SEVERAL_PATIENTS if key == place else "It is listed for two patients"
                    raise TrainingError(
                        f"the slice at {item.position} mm of frame of reference {item.frame} "
                        f"(SOPInstanceUID {item.source_uid}) is in both {seen[key]} and {part}; "
                        f"give the ranges with data.train_slices and so on, or remove a pair. {why}"
                    )


def refuse_overlaps(slices: Sequence[Sequence[PairedFiles]], splits: Sequence[Split]) -> None:
    """Refuse slices of two parts that show the same millimetres of a patient.

    A slice reaches half as far as the nearest slice of its own series is away, on either side,
    whatever its SliceThickness. So the parts of one series never overlap.

    Parameters
    ----------
    slices
        All slices of each pair, by ascending position.
    splits
        Of each pair.

    Raises
    ------
    TrainingError
        If there are such slices.
    """
    scans: dict[tuple[str, str], list[_Reach]] = defaultdict(list)
    for items, split in zip(slices, splits, strict=True):
        scans[items[0].patient, items[0].frame] += _reaches(items, split)
    for (_, frame), reaches in scans.items():
        _refuse_overlaps_in(frame, sorted(reaches))


def _reaches(items: Sequence[PairedFiles], split: Split) -> Iterator[_Reach]:
    gaps = [after.position - before.position for before, after in pairwise(items)]
    for part in PARTS:
        for number in getattr(split, part):
            position = items[number].position
            half = min(gaps[max(number - 1, 0) : number + 1], default=0.0) / 2
            yield _Reach(position - half, position + half, part, position)


def _refuse_overlaps_in(frame: str, reaches: Iterable[_Reach]) -> None:
    """Compare each slice, by ascending start, with the one of each part that reaches farthest."""
    farthest: dict[str, _Reach] = {}
    for one in reaches:
        for part, other in farthest.items():
            if part != one.part and other.end - one.start > TOLERANCE:
                raise TrainingError(
                    f"the slices at {other.position} mm ({part}) and {one.position} mm "
                    f"({one.part}) of frame of reference {frame} overlap: they are of two series "
                    "of one patient; give the ranges with data.train_slices and so on, or remove "
                    f"a pair. {SEVERAL_PATIENTS}"
                )
        if one.part not in farthest or farthest[one.part].end < one.end:
            farthest[one.part] = one
