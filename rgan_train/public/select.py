"""Choose the pairs of a collection from its index: candidates, which ``pair`` then checks."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from rgan_sdk.errors import ConfigurationError
from rgan_train.public.descriptions import NLST, Reconstruction, read_description
from rgan_train.public.index import IndexedSeries

FEWEST_SLICES = 20
"""Series with fewer are left out, such as localizers: a chest has 20 slices even of 10 mm."""

FEWEST_SLICES_OF_NLST = 41
"""Most slices of NLST are 2 or 2.5 mm thick, so that fewer than 41 are a part of a chest."""


@dataclass(frozen=True)
class PublicPair:
    """Two series of one study that seem to differ in the kernel alone.

    Attributes
    ----------
    thickness, field_of_view
        In mm, as the descriptions spell them; empty if they don't tell.
    """

    a: IndexedSeries
    b: IndexedSeries
    kernel_a: str
    kernel_b: str
    thickness: str
    field_of_view: str

    @property
    def patient(self) -> str:
        """PatientID, which the collection has made up."""
        return self.a.patient


@dataclass(frozen=True)
class Total:
    """How much some pairs are. A series of several pairs counts once in ``size``, in bytes."""

    pairs: int
    patients: int
    size: int


def find_public_pairs(series: Iterable[IndexedSeries]) -> list[PublicPair]:
    """Return all pairs: same study, thickness, field of view and number of slices, two kernels.

    They are sorted by a hash of the patient, so that the first patients are no special ones.
    """
    groups: dict[tuple[object, ...], list[tuple[Reconstruction, IndexedSeries]]] = defaultdict(list)
    for one in series:
        found = read_description(one)
        fewest = FEWEST_SLICES_OF_NLST if one.collection == NLST else FEWEST_SLICES
        if found is not None and one.slices >= fewest:
            alike = found._replace(kernel="")
            groups[one.study_instance_uid, one.slices, alike].append((found, one))
    pairs = []
    for members in groups.values():
        members.sort(key=lambda member: (member[0].kernel, member[1].series_instance_uid))
        for (x, a), (y, b) in combinations(members, 2):
            if x.kernel.casefold() != y.kernel.casefold():
                pairs.append(PublicPair(a, b, x.kernel, y.kernel, x.thickness, x.field_of_view))
    return sorted(pairs, key=_order)


def of_manufacturer(pairs: Iterable[PublicPair], name: str) -> list[PublicPair]:
    """Return the pairs of a manufacturer whose name begins so, in any case."""
    start = name.casefold()
    return [pair for pair in pairs if pair.a.manufacturer.casefold().startswith(start)]


def with_kernels(pairs: Iterable[PublicPair], kernels: tuple[str, str]) -> list[PublicPair]:
    """Return the pairs of two kernels, in any case, with the first kernel as ``a``."""
    wanted = tuple(name.casefold() for name in kernels)
    found = []
    for pair in pairs:
        here = pair.kernel_a.casefold(), pair.kernel_b.casefold()
        if here == wanted:
            found.append(pair)
        elif here == wanted[::-1]:
            found.append(_swap(pair))
    return found


def first_patients(pairs: Sequence[PublicPair], count: int) -> list[PublicPair]:
    """Return all pairs of the first patients. More patients include those of fewer.

    Raises
    ------
    ConfigurationError
        If there are not so many.
    """
    patients = list(dict.fromkeys(pair.patient for pair in pairs))
    if len(patients) < count:
        raise ConfigurationError(
            f"{count} patients are asked for, and only {len(patients)} have such a pair"
        )
    chosen = set(patients[:count])
    return [pair for pair in pairs if pair.patient in chosen]


def total(pairs: Sequence[PublicPair]) -> Total:
    """Return how many pairs and patients these are, and how much their series are."""
    sizes = {one.series_instance_uid: one.size for pair in pairs for one in (pair.a, pair.b)}
    return Total(len(pairs), len({pair.patient for pair in pairs}), sum(sizes.values()))


def by_kernels(pairs: Iterable[PublicPair]) -> dict[tuple[str, str], list[PublicPair]]:
    """Return the pairs of each two kernels, those with the most pairs first."""
    groups: dict[tuple[str, str], list[PublicPair]] = defaultdict(list)
    for pair in pairs:
        groups[pair.kernel_a, pair.kernel_b].append(pair)
    return dict(sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])))


def _order(pair: PublicPair) -> tuple[bytes, str, str, str, str]:
    patient = hashlib.sha256(pair.patient.encode()).digest()
    uids = pair.a.series_instance_uid, pair.b.series_instance_uid
    return patient, pair.patient, pair.a.study_instance_uid, *uids


def _swap(pair: PublicPair) -> PublicPair:
    return replace(pair, a=pair.b, b=pair.a, kernel_a=pair.kernel_b, kernel_b=pair.kernel_a)
