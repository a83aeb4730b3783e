"""The slices of one group of series in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import TrainingError
from rgan_sdk.slices import spread_indices
from rgan_train.evaluation.stacks import read_with_padding
from rgan_train.pairs.compare import kernel_of

if TYPE_CHECKING:
    from rgan_sdk.dicom.series import Series
    from rgan_sdk.dicom.slices.table import SliceFile

MOST_SLICES: Final = 48
"""Slices of a group that are compared, at most; they are spread over all its series."""

FEWEST_SLICES: Final = 4
"""Two halves of two slices: with fewer there is nothing to compare a group with."""

Images = Sequence[NDArray[np.float32]]
"""``[N, H, W]`` HU of each scan of a group."""


@dataclass(frozen=True)
class Scan:
    """Some slices of one series.

    Attributes
    ----------
    patient
        Pseudonym.
    kernel
        As the series states it; empty if it does not.
    pixel_spacing
        Distance between rows and between columns, mm.
    thickness
        mm, None if the series does not state it.
    hu
        ``[N, H, W]`` HU, by ascending position, as the files give them.
    padding
        ``[N, H, W]``, true for padding, which counts in no measure.
    series_uid
        SeriesInstanceUID; empty if the slices are of no series.
    """

    patient: str
    kernel: str
    pixel_spacing: tuple[float, float]
    thickness: float | None
    hu: NDArray[np.float32]
    padding: NDArray[np.bool_]
    series_uid: str = ""

    @property
    def spacing(self) -> float:
        """The mean of both values of ``pixel_spacing``, mm: what models take."""
        return sum(self.pixel_spacing) / 2

    @cached_property
    def lowest(self) -> float:
        """The lowest HU that is image: files hold nothing lower."""
        return float(self.hu[~self.padding].min(initial=np.inf))


@dataclass(frozen=True)
class Cohort:
    """A group of scans with one kernel.

    Attributes
    ----------
    name
        ``source`` or ``target``.
    given
        How many series the group has, also those of which no slice is compared.
    """

    name: str
    scans: tuple[Scan, ...]
    given: int

    @property
    def series(self) -> int:
        """How many series are compared."""
        return len(self.scans)

    @property
    def series_uids(self) -> tuple[str, ...]:
        """SeriesInstanceUIDs of the scans, as far as they are of series."""
        return tuple(scan.series_uid for scan in self.scans if scan.series_uid)

    @property
    def remarks(self) -> list[str]:
        """What the reader should know: that series were left out."""
        if self.series == self.given:
            return []
        return [
            f"the {self.name} group has {self.given} series, and {len(self.patients)} slices of "
            f"{self.series} of them were compared: a comparison takes no more slices"
        ]

    @property
    def kernels(self) -> tuple[str, ...]:
        """All kernels that are stated, each once."""
        return tuple(dict.fromkeys(scan.kernel for scan in self.scans if scan.kernel))

    @property
    def images(self) -> Images:
        """The HU of all scans."""
        return [scan.hu for scan in self.scans]

    @cached_property
    def patients(self) -> NDArray[np.str_]:
        """``[S]`` patient of each slice, the slices of all scans one after the other."""
        return np.concatenate([np.repeat(scan.patient, len(scan.hu)) for scan in self.scans])

    @property
    def spacings(self) -> list[float]:
        """Pixel spacing of each slice, mm."""
        return [scan.spacing for scan in self.scans for _ in scan.hu]


def read_cohort(name: str, series: Sequence[Series], most: int = MOST_SLICES) -> Cohort:
    """Read slices from all over a group.

    Parameters
    ----------
    name
        For messages.
    most
        Number of slices, all if there are fewer.

    Raises
    ------
    TrainingError
        If there are fewer than four slices.
    DicomError
        If a slice cannot be read.
    """
    places = [(one, file) for one in series for file in one.slices]
    if len(places) < FEWEST_SLICES:
        raise TrainingError(
            f"the {name} group has {len(places)} slice(s), and a comparison needs "
            f"{FEWEST_SLICES} at least, better 20 or more; give more series"
        )
    chosen = [places[index] for index in spread_indices(len(places), most)]
    scans = []
    for one in series:
        files = [file for owner, file in chosen if owner is one]
        if files:
            scans.append(_read_scan(one, files))
    return Cohort(name, tuple(scans), len(series))


def _read_scan(series: Series, files: Sequence[SliceFile]) -> Scan:
    hu, padding = read_with_padding(series, files)
    return Scan(
        series.patient,
        kernel_of(series),
        (series.pixel_spacing[0], series.pixel_spacing[1]),
        series.slice_thickness,
        hu,
        padding,
        series.series_instance_uid,
    )
