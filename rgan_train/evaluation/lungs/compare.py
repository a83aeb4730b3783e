"""Lung density of the target, the input and harmonized slices, all in the same mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import MeasurementError
from rgan_train.evaluation.lungs.density import LungDensity, measure_density
from rgan_train.evaluation.lungs.mask import LungMask, find_lungs, slice_distance
from rgan_train.evaluation.lungs.protocol import off_protocol
from rgan_train.evaluation.results import TARGET
from rgan_train.evaluation.stacks import TestStack
from rgan_train.pairs.dataset import PairedFiles


@dataclass(frozen=True)
class LungCase:
    """Lung density of one scan.

    Attributes
    ----------
    patient
        Pseudonym.
    slices
        Which slices of the stack the scan has, by ascending position.
    mask
        The lungs on the target, in which all variants are measured.
    volume_ml
        Of the mask.
    densities
        By variant: the target, the input, each model.
    off_protocol
        In what source or target are off the protocol of lung density.
    """

    patient: str
    slices: tuple[int, ...]
    mask: LungMask
    volume_ml: float
    densities: Mapping[str, LungDensity]
    off_protocol: tuple[str, ...]


def compare_lungs(
    stack: TestStack, images: Mapping[str, NDArray[np.float32]]
) -> tuple[list[LungCase], list[str]]:
    """Measure the density of the lungs on all variants of the test slices.

    Parameters
    ----------
    images
        ``[N, H, W]`` HU by variant, as files hold them (``harmonize_stack``).

    Returns
    -------
    cases : list of LungCase
        One for each scan with lungs.
    notes : list of str
        What the reader must know: scans without lungs, or off protocol.

    Raises
    ------
    DicomError
        If a file cannot be read any more.
    """
    cases, notes = [], []
    for slices in _scans(stack.items):
        first = stack.items[slices[0]]
        name = f"lung density, patient {first.patient}"
        try:
            case = _measure(stack, images, slices)
        except MeasurementError as error:
            notes.append(f"{name}: {error}")
            continue
        cases.append(case)
        if case.off_protocol:
            notes.append(f"{name}: off protocol: {'; '.join(case.off_protocol)}")
        notes += [f"{name}: {note}" for note in case.mask.notes]
    return cases, notes


def _scans(items: Sequence[PairedFiles]) -> list[tuple[int, ...]]:
    """Return the numbers of the slices of each scan, by ascending position."""
    scans: dict[tuple[str, str], list[int]] = {}
    for number, item in enumerate(items):
        scans.setdefault((item.patient, item.frame), []).append(number)
    return [tuple(sorted(one, key=lambda n: items[n].position)) for one in scans.values()]


def _measure(
    stack: TestStack, images: Mapping[str, NDArray[np.float32]], slices: tuple[int, ...]
) -> LungCase:
    from rgan_sdk.dicom.header import read_header
    from rgan_sdk.dicom.read.acquisition import read_acquisition

    items = [stack.items[number] for number in slices]
    chosen = list(slices)
    padding = stack.padding[chosen]
    header = read_header(items[0].target)
    distance = slice_distance([item.position for item in items], header.slice_thickness)
    voxel_ml = distance * stack.pixel_spacing[0] * stack.pixel_spacing[1] / 1000
    mask = find_lungs(images[TARGET][chosen], stack.pixel_spacing, header.orientation, padding)
    densities = {}
    for name, hu in images.items():
        own = hu[chosen]
        densities[name] = measure_density(own[mask.voxels], float(own[~padding].min()))
    return LungCase(
        items[0].patient,
        slices,
        mask,
        np.count_nonzero(mask.voxels) * voxel_ml,
        densities,
        off_protocol(
            read_acquisition(path) for item in items for path in (item.source, item.target)
        ),
    )
