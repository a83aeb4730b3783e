"""Put together what can be said of the series of a folder before anything is run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from rgan_sdk.dicom.image_kind import special_kind
from rgan_sdk.dicom.inventory import Inventory
from rgan_sdk.dicom.read.acquisition import read_description
from rgan_sdk.dicom.series import Series
from rgan_sdk.errors import DicomError
from rgan_sdk.run.advice.fits import ModelFit, fit_model
from rgan_sdk.run.advice.groups import KernelKey, SeriesGroup, group_series
from rgan_sdk.run.advice.matches import FEWEST_SLICES, MatchGroup, find_match_group
from rgan_sdk.run.advice.pairs import find_likely_pairs
from rgan_sdk.run.advice.softness import (
    Measured,
    find_softest,
    relations_of_cards,
    relations_of_series,
)
from rgan_sdk.run.choosing.candidates import Candidate
from rgan_sdk.run.options import RunOptions
from rgan_sdk.run.places.folders import common_folder, series_folders

COMMON: Final = 0.1
"""A kernel that fewer of the series have is no target for all the others."""


class GroupAdvice(NamedTuple):
    """A group of series, and how the models fit it."""

    group: SeriesGroup
    fits: tuple[ModelFit, ...]


class KernelAdvice(NamedTuple):
    """What is there of one kernel.

    Attributes
    ----------
    label
        For people: the kernel, and the manufacturer where it is stated.
    series, slices
        How many.
    thickness
        Smallest and largest slice thickness in mm; None where a series states none.
    noise_hu
        Smallest and largest noise in soft tissue of the series where it was measured; else None.
    models
        By name, how many of the series a model takes, and the kernel that it imitates.
    reconstructions
        What headers of its series state of iterative or learned reconstruction.
    match
        Its folders as a group for a match.
    """

    label: str
    series: int
    slices: int
    thickness: tuple[float, float] | None
    noise_hu: tuple[float, float] | None
    models: dict[str, tuple[int, str]]
    reconstructions: tuple[str, ...]
    match: MatchGroup


class PairAdvice(NamedTuple):
    """Series that look like pairs of two kernels.

    Attributes
    ----------
    folder
        Below the root, the deepest one that holds them all.
    """

    kernels: tuple[KernelKey, KernelKey]
    pairs: int
    folder: PurePosixPath


class Route(NamedTuple):
    """How the series of a kernel come to the target.

    Attributes
    ----------
    models
        By name, how many of the series a model to the target takes.
    pairs
        With which such a model could be trained, if there are any.
    """

    kernel: KernelAdvice
    models: dict[str, int]
    pairs: PairAdvice | None


@dataclass(frozen=True)
class Advice:
    """What can be said of the series of a folder.

    Attributes
    ----------
    kernels
        By kernel, those of most series first; without special kinds of images, which no model is
        made for, and without series that state none.
    candidates
        The kernels that may be a target for all.
    softest, compared
        Which of the candidates were compared on images, and the one that none of them is softer
        than; None if there is none.
    is_measured
        Whether the series' own images were looked at, and not only cards of models.
    folders
        Of each series, relative to ``root``; see ``series_folders``.
    descriptions
        SeriesDescription (0008,103E) of each series, by SeriesInstanceUID and group.
    """

    root: Path
    groups: tuple[GroupAdvice, ...]
    pairs: tuple[PairAdvice, ...]
    kernels: Mapping[KernelKey, KernelAdvice]
    candidates: tuple[KernelKey, ...]
    softest: KernelKey | None
    compared: tuple[KernelKey, ...]
    is_measured: bool
    folders: Mapping[tuple[str, int], PurePosixPath]
    descriptions: Mapping[tuple[str, int], str]

    @property
    def target(self) -> KernelKey | None:
        """The kernel that all others are best harmonized to; None where that is not known."""
        is_known = self.is_measured or set(self.candidates) == set(self.compared)
        return self.softest if is_known else None

    def routes(self) -> Iterator[Route]:
        """Yield how the series of each other kernel come to the target; none without a target."""
        if self.target is None:
            return
        for key, kernel in self.kernels.items():
            if key == self.target:
                continue
            models = {
                name: takes
                for name, (takes, target) in kernel.models.items()
                if _is(self.target, target)
            }
            both = {key, self.target}
            pairs = next((one for one in self.pairs if set(one.kernels) == both), None)
            yield Route(kernel, models, pairs)


def advise(
    root: Path,
    inventory: Inventory,
    candidates: Sequence[Candidate],
    options: RunOptions,
    measured: Measured | None = None,
) -> Advice:
    """Look at the headers of series, and at what was measured of their kernels.

    Parameters
    ----------
    root
        The folder that was searched.
    inventory
        What was found there. Series count whether a model takes them or not.
    candidates
        The models that may be run.
    options
        ``outside_domain`` matters here.
    measured
        Kernels measured on the images, if any were.
    """
    measured = measured or {}
    series = inventory.series
    folders = series_folders(root, inventory)
    found = [(one, folders[one.series_instance_uid, one.group]) for one in series]
    plain = [one for one in series if one.convolution_kernel and not special_kind(one.image_type)]
    of_kernel = _Kernels(plain, candidates, options, measured, found)
    keys = [key for key, _ in Counter(map(KernelKey.of, plain)).most_common()]
    kernels = {key: of_kernel.describe(key) for key in keys}
    common = _common(kernels)
    softest = find_softest(
        common,
        relations_of_series(plain, measured) if measured else relations_of_cards(candidates, keys),
    )
    return Advice(
        root=root,
        groups=tuple(
            GroupAdvice(group, tuple(fit_model(group.series, one, options) for one in candidates))
            for group in group_series(series)
        ),
        pairs=tuple(_pairs(plain, folders)),
        kernels=kernels,
        candidates=tuple(common),
        softest=softest.kernel,
        compared=softest.compared,
        is_measured=bool(measured),
        folders=folders,
        descriptions={(one.series_instance_uid, one.group): _describe(one) for one in series},
    )


def _common(kernels: Mapping[KernelKey, KernelAdvice]) -> list[KernelKey]:
    """Return the kernels that may be a target: what a few slices or series have is none.

    The one that most series have, or get from a model, comes first.
    """
    enough = {key: one for key, one in kernels.items() if one.slices >= FEWEST_SLICES}
    series = sum(one.series for one in enough.values())
    common = [key for key, one in enough.items() if one.series >= COMMON * series]
    return sorted(common, key=lambda key: -_reach(key, kernels))


def _reach(key: KernelKey, kernels: Mapping[KernelKey, KernelAdvice]) -> int:
    brought = (
        max((takes for takes, target in one.models.values() if _is(key, target)), default=0)
        for other, one in kernels.items()
        if other != key
    )
    return kernels[key].series + sum(brought)


def _is(key: KernelKey, kernel: str) -> bool:
    return key.name == kernel.casefold()


class _Kernels(NamedTuple):
    series: Sequence[Series]
    candidates: Sequence[Candidate]
    options: RunOptions
    measured: Measured
    found: Sequence[tuple[Series, PurePosixPath]]

    def describe(self, key: KernelKey) -> KernelAdvice:
        own = [one for one in self.series if KernelKey.of(one) == key]
        thickness = [one.slice_thickness for one in own if one.slice_thickness]
        measured = [self.measured.get((one.series_instance_uid, one.group)) for one in own]
        noise = [one.noise_hu for one in measured if one and one.noise_hu is not None]
        fits = [fit_model(own, one, self.options) for one in self.candidates]
        return KernelAdvice(
            label=_label(own[0]),
            series=len(own),
            slices=sum(len(one.slices) for one in own),
            thickness=(min(thickness), max(thickness)) if len(thickness) == len(own) else None,
            noise_hu=(min(noise), max(noise)) if noise else None,
            reconstructions=tuple(sorted({one.reconstruction or "" for one in own} - {""})),
            models={fit.model: (fit.takes, fit.target_kernel) for fit in fits if fit.takes},
            match=find_match_group(key, self.found),
        )


def _pairs(
    series: Sequence[Series], folders: Mapping[tuple[str, int], PurePosixPath]
) -> list[PairAdvice]:
    by_kernels: dict[tuple[KernelKey, KernelKey], list[Series]] = defaultdict(list)
    for pair in find_likely_pairs(series):
        first, second = sorted(map(KernelKey.of, pair))
        by_kernels[first, second] += pair
    return [
        PairAdvice(
            kernels,
            len(members) // 2,
            common_folder(folders[one.series_instance_uid, one.group] for one in members),
        )
        for kernels, members in by_kernels.items()
    ]


def _describe(series: Series) -> str:
    try:
        return read_description(series)
    except DicomError:  # whoever reads the slices will say so
        return ""


def _label(series: Series) -> str:
    """Name a kernel for people."""
    maker = f" ({series.manufacturer})" if series.manufacturer else ""
    return f"{series.convolution_kernel}{maker}"
