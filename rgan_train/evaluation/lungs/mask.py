"""Find the lungs in a chest scan, without the large airways."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.header import Vector
from rgan_sdk.dicom.series import slice_normal
from rgan_sdk.errors import MeasurementError
from rgan_train.evaluation.lungs.airways import LUMEN_HU, find_airways
from rgan_train.evaluation.regions.body import body_mask

LUNG_HU: Final = -500.0
"""Half-way from lung to soft tissue, after smoothing (Hu, Hoffman and Reinhardt, IEEE Transactions
on Medical Imaging 2001, doi:10.1109/42.929615, find a value near it for each scan)."""

GAS_HU: Final = -950.0
GAS_SHARE: Final = 0.7
"""A volume of air is no lung if more than this share of it is below ``GAS_HU`` after smoothing:
gas in the bowel, the sinuses or a phantom. A lung with the worst emphysema has more tissue."""

SMOOTHING_MM: Final = 1.0
"""Standard deviation of the Gaussian within a slice. Without it a kernel's noise would make holes,
and the mask would depend on the kernel."""

LUNGS: Final = 2
SMALLEST_CM2: Final = 20.0
"""Smallest area of the larger lung on the slice where it is largest. Sinuses are smaller."""

SMALLEST_SHARE: Final = 0.05
"""Of the larger lung: the other one is smaller than this only by disease."""

AXIAL: Final = 0.7
"""Smallest cosine of the angle between the slice normal and the axis of the body."""


@dataclass(frozen=True)
class LungMask:
    """The lungs on a stack of slices.

    Attributes
    ----------
    voxels
        ``[N, H, W]`` bool. Vessels and masses that are above ``LUNG_HU`` do not belong to it.
    airways
        ``[N, H, W]`` bool, trachea and main bronchi with their walls, which are not in ``voxels``.
    notes
        What the reader must know about it.
    """

    voxels: NDArray[np.bool_]
    airways: NDArray[np.bool_]
    notes: tuple[str, ...] = ()


def find_lungs(
    hu: NDArray[np.float32],
    pixel_mm: tuple[float, float],
    orientation: Vector,
    padding: NDArray[np.bool_],
) -> LungMask:
    """Find the lungs: the largest one or two volumes of air with some tissue inside the patient.

    Smoothed slices are compared with fixed thresholds, so that images of one scan with different
    kernels have nearly the same mask. It is meant to be looked at (``picture``).

    Parameters
    ----------
    hu
        ``[N, H, W]``, by ascending position along the slice normal.
    pixel_mm
        Distance between rows and between columns.
    orientation
        ImageOrientationPatient (0020,0037).
    padding
        ``[N, H, W]``, true for padding.

    Raises
    ------
    MeasurementError
        If there is no lung, or the slices are not axial.
    """
    from scipy import ndimage

    lumen, aerated, gas = (np.zeros(hu.shape, np.bool_) for _ in range(3))
    body = body_mask(hu) & ~padding
    sigma = [SMOOTHING_MM / distance for distance in pixel_mm]
    for number, one in enumerate(hu):
        smooth = ndimage.gaussian_filter(one, sigma)
        for mask, limit in ((lumen, LUMEN_HU), (aerated, LUNG_HU), (gas, GAS_HU)):
            mask[number] = (smooth < limit) & body[number]
    down = _head_to_feet(orientation)
    airways = np.empty_like(lumen)
    airways[down], notes = find_airways(lumen[down], aerated[down], body[down], pixel_mm)
    return LungMask(_largest(aerated & ~airways, gas, pixel_mm), airways, notes)


def slice_distance(positions: Sequence[float], thickness: float | None) -> float:
    """Return the distance between slices in mm.

    Parameters
    ----------
    positions
        Along the slice normal, mm, ascending.
    thickness
        SliceThickness, which counts where there is a single slice.

    Raises
    ------
    MeasurementError
        If slices lie at one position, as the phases of a dynamic scan do.
    """
    gaps = [after - before for before, after in pairwise(positions)]
    if gaps and min(gaps) <= 0:
        raise MeasurementError(
            "several slices lie at one position, as the phases of a dynamic scan do; give one phase"
        )
    return statistics.median(gaps) if gaps else thickness or 1.0


def _head_to_feet(orientation: Vector) -> slice:
    """Return the slices in their order from head to feet (PS3.3 C.7.6.2.1.1: z is to the head)."""
    upwards = slice_normal(orientation)[2]
    if abs(upwards) < AXIAL:
        raise MeasurementError("lungs are found on axial slices only; give such a series or a mask")
    return slice(None, None, -1 if upwards > 0 else 1)


def _largest(
    air: NDArray[np.bool_], gas: NDArray[np.bool_], pixel_mm: tuple[float, float]
) -> NDArray[np.bool_]:
    """Return the volumes of air that are lungs."""
    from scipy import ndimage

    labels, count = ndimage.label(air)
    sizes, sizes_of_gas = np.zeros((2, count + 1), np.int64)
    for here, is_air, is_gas in zip(labels, air, gas, strict=True):
        sizes += np.bincount(here[is_air], minlength=count + 1)
        sizes_of_gas += np.bincount(here[is_air & is_gas], minlength=count + 1)
    sizes[sizes_of_gas > GAS_SHARE * sizes] = 0
    larger = labels == sizes.argmax()
    area_cm2 = larger.sum(axis=(1, 2)).max() * pixel_mm[0] * pixel_mm[1] / 100
    if not sizes.any() or area_cm2 < SMALLEST_CM2:
        raise MeasurementError(
            f"no lung was found: inside the patient nothing of {SMALLEST_CM2:g} cm2 is below "
            f"{LUNG_HU:g} HU and more than gas; give a mask if there is a lung"
        )
    is_lung = sizes > SMALLEST_SHARE * sizes.max()
    is_lung[sizes.argsort()[:-LUNGS]] = False
    lungs: NDArray[np.bool_] = is_lung[labels]
    return lungs
