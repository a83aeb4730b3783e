"""Which of several kernels is the softest, as far as images have shown it. Names do not tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from rgan_sdk.card import ModelCard
from rgan_sdk.dicom.domain import company
from rgan_sdk.dicom.read.kernel_guard import MeasuredKernel
from rgan_sdk.dicom.series import Series
from rgan_sdk.errors import MeasurementError
from rgan_sdk.kernels import KernelDifference, KernelSpectra, as_spectra, join_spectra
from rgan_sdk.kernels.comparison import compare_groups, compare_kernel
from rgan_sdk.run.advice.groups import KernelKey
from rgan_sdk.run.choosing.candidates import Candidate

SOFTER: Final = -1
ALIKE: Final = 0
SHARPER: Final = 1

Relations = Mapping[tuple[KernelKey, KernelKey], int]
"""How the second kernel is to the first one, for pairs of which that is known."""

Measured = Mapping[tuple[str, int], MeasuredKernel]
"""What was measured of series, by SeriesInstanceUID and group."""


class Softest(NamedTuple):
    """The softest of some kernels.

    Attributes
    ----------
    kernel
        None if that is not known of any.
    compared
        The kernels that it was compared with, and itself.
    """

    kernel: KernelKey | None
    compared: tuple[KernelKey, ...]


def relations_of_series(series: Iterable[Series], measured: Measured) -> Relations:
    """Compare the kernels of measured series, all series of a kernel at once.

    Series that state an iterative or learned reconstruction do not count: where that is not
    linear, noise does not show the kernel.
    """
    spectra: dict[KernelKey, list[KernelSpectra]] = defaultdict(list)
    for one in series:
        kernel = measured.get((one.series_instance_uid, one.group))
        if kernel is not None and kernel.spectra is not None and not one.reconstruction:
            spectra[KernelKey.of(one)].append(kernel.spectra)
    joined = {key: join_spectra(parts) for key, parts in spectra.items()}
    relations: dict[tuple[KernelKey, KernelKey], int] = {}
    keys = sorted(joined)
    for number, first in enumerate(keys):
        for second in keys[number + 1 :]:
            try:
                found = compare_kernel(joined[first], joined[second])
            except MeasurementError:
                continue
            _note(relations, first, second, found)
    return relations


def relations_of_cards(candidates: Iterable[Candidate], keys: Iterable[KernelKey]) -> Relations:
    """Return what the curves on models' cards show of kernels with these names.

    Models of a match do not count: their cards do not say whose scanner the target comes from.
    """
    relations: dict[tuple[KernelKey, KernelKey], int] = {}
    known = set(keys)
    for card in (one.card for one in candidates):
        difference = _compare_curves(card)
        if difference is None or card.certificate is not None:
            continue
        for maker in {company(name) for name in card.manufacturers} - {""}:
            target = KernelKey(maker, card.target_kernel.casefold())
            for name in card.source_kernels:
                source = KernelKey(maker, name.casefold())
                if {source, target} <= known:
                    _note(relations, source, target, difference)
    return relations


def find_softest(keys: Sequence[KernelKey], relations: Relations) -> Softest:
    """Return the kernel that no other one is softer than.

    Parameters
    ----------
    keys
        The one to be preferred among kernels that are alike comes first.
    """
    compared = tuple(key for key in keys if any(key in pair for pair in relations))
    for key in compared:
        if all(relations.get((key, one), SOFTER) != SOFTER for one in compared if one != key):
            return Softest(key, compared)
    return Softest(None, compared)


def _compare_curves(card: ModelCard) -> KernelDifference | None:
    if card.curves is None:
        return None
    try:
        return compare_groups(as_spectra(card.curves.source), as_spectra(card.curves.target))
    except MeasurementError:
        return None


def _note(
    relations: dict[tuple[KernelKey, KernelKey], int],
    first: KernelKey,
    second: KernelKey,
    found: KernelDifference,
) -> None:
    relation = (SHARPER if found.is_sharper else SOFTER) if found.is_suspect else ALIKE
    relations[first, second], relations[second, first] = relation, -relation
