"""A group of series with one kernel, of any patients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.read.padding import fill_padding, find_padding
from rgan_sdk.errors import DicomError, MeasurementError, TrainingError
from rgan_sdk.kernels import KernelSpectra, join_spectra
from rgan_sdk.slices import spread_indices
from rgan_train.matching.eligible import choose_series
from rgan_train.pairs.compare import kernel_of
from rgan_train.pairs.find import search_folder

if TYPE_CHECKING:
    from rgan_sdk.dicom.series import Series
    from rgan_sdk.dicom.slices.table import SliceFile

MOST_SLICES = 96
"""Slices of a group that are measured, at most."""

CHEST_MM = 0.7
"""Pixels of a chest. A phantom has finer ones, and tells its kernel for these too."""


@dataclass(frozen=True)
class Group:
    """Series with one kernel, or with several that are taken as one.

    Attributes
    ----------
    name
        ``source``, ``target`` or ``third``, for messages.
    kernels
        The one that most series state comes first.
    series
        Of patients and of phantoms.
    notes
        Which series and files were left out, and why; and doubts about those that were not.
    phantoms
        Which series show a QA phantom, by UID and number of the group of slices.
    """

    name: str
    kernels: tuple[str, ...]
    series: tuple[Series, ...]
    notes: tuple[str, ...] = ()
    phantoms: frozenset[tuple[str, int]] = frozenset()

    @property
    def patients(self) -> tuple[Series, ...]:
        """The series that show patients."""
        return tuple(one for one in self.series if _identity(one) not in self.phantoms)

    @property
    def manufacturers(self) -> tuple[str, ...]:
        """Manufacturers, as far as the headers state them."""
        return tuple(sorted({one.manufacturer for one in self.series if one.manufacturer}))

    @property
    def spacings(self) -> list[float]:
        """Pixel spacings in mm that a model from this group is for."""
        own = [one.mean_pixel_spacing for one in self.series]
        return [*own, max(CHEST_MM, *own)] if self.phantoms else own

    @property
    def thicknesses(self) -> tuple[float, ...]:
        """SliceThickness (0018,0050) of the patients' series in mm, ascending."""
        return tuple(sorted({one.slice_thickness for one in self.patients if one.slice_thickness}))

    @property
    def reconstructions(self) -> tuple[str, ...]:
        """Kinds of reconstruction, as far as the headers state them."""
        return tuple(sorted({one.reconstruction for one in self.series if one.reconstruction}))

    def spread(self, count: int) -> list[tuple[Series, list[SliceFile]]]:
        """Return ``count`` slices at most, evenly spread over patients, or phantoms without any."""
        series = self.patients or self.series
        slices = [(number, item) for number, one in enumerate(series) for item in one.slices]
        chosen: dict[int, list[SliceFile]] = {}
        for index in spread_indices(len(slices), count):
            number, item = slices[index]
            chosen.setdefault(number, []).append(item)
        return [(series[number], items) for number, items in chosen.items()]


def open_group(
    name: str, folders: Iterable[Path], *, phantoms: Iterable[Path] = (), mixed: bool = False
) -> Group:
    """Find the series of a group, each once. Only headers are read.

    Parameters
    ----------
    folders
        With series of patients, searched recursively.
    phantoms
        Folders with series of a QA phantom.
    mixed
        Whether series of several kernels may be one group.

    Raises
    ------
    TrainingError
        If there is no series, no kernel is stated, or there are several.
    """
    from rgan_sdk.dicom.failures import explain_failures

    series: list[Series] = []
    notes: list[str] = []
    folders, of_phantoms = list(folders), dict.fromkeys(phantoms)
    if both := of_phantoms.keys() & set(folders):
        raise TrainingError(
            f"{both.pop()}: given as a folder of patients and of a phantom in the {name} group"
        )
    scanned: set[tuple[str, int]] = set()
    for folder in dict.fromkeys([*of_phantoms, *folders]):
        found = search_folder(folder)
        known = {_identity(one) for one in series}
        for one in found.series:
            if _identity(one) in known:
                notes.append(f"{folder}: left out: series {one.series_instance_uid} is there twice")
                continue
            series.append(one)
            if folder in of_phantoms:
                scanned.add(_identity(one))
        failures = explain_failures(folder, found)
        notes += [f"left out: {failure}" for failure in failures]
        if not (found.series or failures):
            notes.append(f"{folder}: {found.explain_empty()}")
    series, remarks = choose_series(name, series)
    notes += remarks
    if not series:
        raise TrainingError(f"the {name} group is empty: {'; '.join(notes)}")
    kernels = _state_kernels(name, series, mixed=mixed)
    return Group(name, kernels, tuple(series), tuple(notes), frozenset(scanned))


def _state_kernels(name: str, series: Sequence[Series], *, mixed: bool) -> tuple[str, ...]:
    """Return the kernels of a group in their usual spelling; the one most series state is first."""
    spelled = Counter(map(kernel_of, series)).most_common()
    usual = {kernel.casefold(): kernel for kernel, _ in reversed(spelled)}
    counts = Counter(usual[kernel_of(one).casefold()] for one in series).most_common()
    if len(counts) > 1 and not mixed:
        listed = ", ".join(
            f"{kernel or 'none stated'} ({count} series)" for kernel, count in counts
        )
        raise TrainingError(
            f"the {name} group has several kernels: {listed}. Give folders that hold series with "
            "one kernel, or accept them as one group with --mixed"
        )
    stated = tuple(kernel for kernel, _ in counts if kernel)
    if not stated:
        raise TrainingError(
            f"the {name} group states no ConvolutionKernel (0018,1210), so a model's card could "
            "not say which series it is for"
        )
    return stated


def _identity(series: Series) -> tuple[str, int]:
    """Return what tells series apart: also a copy of a series in another folder is the same."""
    return series.series_instance_uid, series.group


def read_slices(files: Sequence[SliceFile]) -> NDArray[np.float32]:
    """Return slices of one series in HU, ``[N, H, W]``; padding is filled with what is near.

    Raises
    ------
    DicomError
        If a file cannot be read.
    """
    from rgan_sdk.dicom.read.pydicom_reader import read_slice

    images = []
    for item in files:
        source = read_slice(item.path, item.stamp)
        images.append(fill_padding(source.hu, find_padding(source.hu, source.padding)))
    return np.stack(images)


def measure_group(group: Group) -> KernelSpectra:
    """Measure the spectra of at most ``MOST_SLICES`` slices of patients, and of each phantom.

    Raises
    ------
    TrainingError
        If a slice cannot be read, or a phantom does not tell its kernel.
    """
    from rgan_sdk.dicom.read.spectra import measure_phantom_series, measure_slices

    parts = group.spread(MOST_SLICES) if group.patients else []
    try:
        measured = [measure_slices(one, items) for one, items in parts]
    except DicomError as exc:
        raise TrainingError(f"the {group.name} group: {exc}") from exc
    for one in group.series:
        if _identity(one) in group.phantoms:
            try:
                measured.append(measure_phantom_series(one))
            except (DicomError, MeasurementError) as exc:
                raise TrainingError(
                    f"the {group.name} group: phantom, series {one.series_instance_uid}: {exc}"
                ) from exc
    return join_spectra(measured)


def require_disjoint(groups: Sequence[Group]) -> None:
    """Refuse groups that share a series or a kernel.

    Raises
    ------
    TrainingError
        With the series, or the kernel.
    """
    for one, other in combinations(groups, 2):
        own = {series.series_instance_uid for series in one.series}
        for series in other.series:
            if series.series_instance_uid in own:
                raise TrainingError(
                    f"series {series.series_instance_uid} is in the {one.name} and in the "
                    f"{other.name} group; give folders that have nothing in common"
                )
        names = {kernel.casefold() for kernel in other.kernels}
        for kernel in one.kernels:
            if kernel.casefold() in names:
                raise TrainingError(
                    f"the {one.name} and the {other.name} group have the kernel {kernel}; there "
                    "is nothing to match"
                )
