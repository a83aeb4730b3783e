"""Put lesions into the slices of a group, and measure what is seen of them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import MeasurementError
from rgan_sdk.kernels import KernelSpectra, fit_kernel, fit_transfer
from rgan_sdk.kernels.interpolation import sample_cubic
from rgan_train.evaluation.cohorts.cohort import Cohort, Images, Scan
from rgan_train.evaluation.cohorts.lesions.places import find_places, surroundings
from rgan_train.evaluation.cohorts.lesions.render import LESIONS, MTF, Lesion, render

EACH: Final = {"nodule": 8, "hole": 24}
"""Lesions of each kind in a group, at least, as long as rounds suffice. LAA-950 of a hole depends
on the noise of a few pixels, so it needs more."""

MOST_ROUNDS: Final = 4
"""Copies of the slices with nodules, and with holes, at most."""

FEWEST_PLACES: Final = 9
"""With fewer, some kinds of lesions would be missing."""

Place = tuple[int, int, tuple[int, int]]
"""Scan, slice, and row and column."""

BACKGROUND_MM: Final = 6.0
"""The mean of so much lung around its centre is what a lesion replaces."""

FINE_MM: Final = 0.1
"""Step at which areas are counted."""

THICKNESS_MM: Final = 1.0
"""Where no series states its own."""


@dataclass(frozen=True)
class Planted:
    """One lesion in a slice.

    Attributes
    ----------
    scan, number
        Which scan of the group, and which of its slices.
    centre
        Row and column of its centre.
    contrast
        HU of the lesion minus that of the lung that it replaces.
    """

    lesion: Lesion
    scan: int
    number: int
    centre: tuple[int, int]
    contrast: float


@dataclass(frozen=True)
class Round:
    """A copy of all slices of a group, with lesions far apart from each other."""

    planted: tuple[Planted, ...]
    images: Images


@dataclass(frozen=True)
class Seen:
    """What is seen of one lesion.

    Attributes
    ----------
    contrast
        Mean over the middle of the lesion, half as wide as it, divided by the true contrast.
    area
        Of what is above half of that around it, mm2.
    laa_950
        Percentage of the pixels of its disc below -950 HU.
    """

    lesion: Lesion
    contrast: float
    area: float
    laa_950: float


def measure_mtfs(source: KernelSpectra, target: KernelSpectra) -> tuple[MTF, MTF]:
    """Return the MTF of both groups.

    The ratio of two MTFs is known better than either (``rgan_sdk.kernels.transfer``). So it is
    kept, and the product is that of both fits.

    Raises
    ------
    MeasurementError
        If a group can't tell its kernel.
    """
    ratio = fit_transfer(source, target, resamples=0).ratio
    product = np.ones_like(ratio.frequency)
    for spectra in (source, target):
        own = fit_kernel(spectra, resamples=0).mtf
        product *= np.interp(ratio.frequency, own.frequency, own.value)
    first, second = (np.sqrt(product * ratio.value**power) for power in (-1, 1))
    return MTF(ratio.frequency, first), MTF(ratio.frequency, second)


def common_thickness(source: Cohort, target: Cohort) -> float:
    """Return the slice thickness for the lesions of both groups, mm.

    No method changes how thick slices are, so it must not make lesions differ.
    """
    stated = [scan.thickness for side in (source, target) for scan in side.scans if scan.thickness]
    return statistics.median(stated) if stated else THICKNESS_MM


def plant(cohort: Cohort, mtf: MTF, thickness: float) -> list[Round]:
    """Put lesions of all kinds into the lungs of a group.

    Parameters
    ----------
    mtf
        Of the group.
    thickness
        Of the slices, mm.

    Raises
    ------
    MeasurementError
        If there are fewer than nine places for them.
    """
    places = [
        (index, number, centre)
        for index, scan in enumerate(cohort.scans)
        for number in range(len(scan.hu))
        for centre in find_places(scan, number)
    ]
    if len(places) < FEWEST_PLACES:
        raise MeasurementError(
            f"the {cohort.name} group has {len(places)} place(s) with 14 mm of lung without large "
            f"vessels or airways, and {FEWEST_PLACES} are needed; take more slices of the chest"
        )
    rounds = []
    for kind, each in EACH.items():
        lesions = [lesion for lesion in LESIONS if lesion.kind == kind]
        needed = -(-each * len(lesions) // len(places))
        for number in range(min(MOST_ROUNDS, len(lesions), needed)):  # more would repeat the first
            wanted = [lesions[(number + order) % len(lesions)] for order in range(len(places))]
            rounds.append(_plant_round(cohort, mtf, thickness, zip(wanted, places, strict=True)))
    return rounds


def _plant_round(
    cohort: Cohort,
    mtf: MTF,
    thickness: float,
    wanted: Iterable[tuple[Lesion, Place]],
) -> Round:
    """Put one lesion to each place."""
    changed = [scan.hu.copy() for scan in cohort.scans]
    planted = []
    for lesion, (index, number, centre) in wanted:
        scan = cohort.scans[index]
        around = surroundings(centre, scan.hu.shape[1:], scan.pixel_spacing) < BACKGROUND_MM
        contrast = lesion.hu - float(scan.hu[number][around].mean())
        drawn = render(lesion.diameter, thickness, scan.pixel_spacing, mtf)
        _add(changed[index][number], contrast * drawn, centre, scan.lowest)
        planted.append(Planted(lesion, index, number, centre, contrast))
    for scan, hu in zip(cohort.scans, changed, strict=True):
        hu[scan.padding] = scan.hu[scan.padding]
    return Round(tuple(planted), changed)


def _add(
    hu: NDArray[np.float32], drawn: NDArray[np.float64], centre: tuple[int, int], lowest: float
) -> None:
    """Add a small image to a slice, its middle on the centre, in whole HU as files hold them."""
    inside, own = [], []
    for place, size, length in zip(centre, drawn.shape, hu.shape, strict=True):
        start = place - size // 2
        low, high = max(start, 0), min(start + size, length)
        inside.append(slice(low, high))
        own.append(slice(low - start, high - start))
    part = hu[tuple(inside)] + drawn[tuple(own)]
    hu[tuple(inside)] = np.maximum(np.rint(part), lowest)


def look(
    planted: Sequence[Planted], scans: Sequence[Scan], plain: Images, seen: Images
) -> list[Seen]:
    """Measure lesions on slices with them, against the same slices without.

    Parameters
    ----------
    plain, seen
        What a method makes of the slices without and with lesions.
    """
    found = []
    for one in planted:
        scan, radius = scans[one.scan], one.lesion.diameter / 2
        distance = surroundings(one.centre, scan.hu.shape[1:], scan.pixel_spacing)
        image = seen[one.scan][one.number]
        change = image - plain[one.scan][one.number]
        middle = change[distance <= radius / 2].mean(dtype=np.float64)
        share = float(middle) / one.contrast
        area = _area(change, float(middle), one.centre, 2 * radius, scan.pixel_spacing)
        laa = 100 * float((image[distance <= radius] < -950).mean())
        found.append(Seen(one.lesion, share, area, laa))
    return found


def _area(
    change: NDArray[np.float32],
    middle: float,
    centre: tuple[int, int],
    reach: float,
    spacing: tuple[float, float],
) -> float:
    """Return the area of what is above half of the middle within ``reach`` mm, mm2.

    The image is interpolated, so that groups with pixels of other sizes can be compared.
    """
    steps = np.arange(-reach, reach + FINE_MM / 2, FINE_MM)
    down, right = np.meshgrid(steps, steps, indexing="ij")
    margin = [math.ceil(reach / distance) + 2 for distance in spacing]
    rows, columns = (
        slice(max(place - size, 0), place + size + 1)
        for place, size in zip(centre, margin, strict=True)
    )
    pixels = np.stack(
        [
            down / spacing[0] + centre[0] - rows.start,
            right / spacing[1] + centre[1] - columns.start,
        ]
    )
    part = np.sign(middle) * change[rows, columns].astype(np.float64)
    above = (sample_cubic(part, pixels) > abs(middle) / 2) & (np.hypot(down, right) <= reach)
    return float(np.count_nonzero(above)) * FINE_MM**2
