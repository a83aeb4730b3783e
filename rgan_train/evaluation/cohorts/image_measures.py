"""Kernel, noise and HU of the slices of a group, before and after harmonization."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import MeasurementError
from rgan_sdk.kernels import (
    KernelCurves,
    KernelSpectra,
    fit_kernel,
    join_spectra,
    measure_kernel,
)
from rgan_sdk.kernels.spectra import FREQUENCY
from rgan_train.evaluation.cohorts.cohort import Cohort, Images
from rgan_train.evaluation.metrics.tissue_bias import tissue_means, tissue_sums

TRUSTED: Final = 0.9
"""Part of the Nyquist frequency up to which noise power is compared."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ImageMeasures:
    """What was measured on the slices of one variant.

    Attributes
    ----------
    spectra
        Power spectra of the slices.
    curves
        The kernel that they show; None if they can't tell one.
    hu
        Mean HU by tissue, in places that are chosen on the slices as they came; NaN where a group
        has too little of it.
    """

    spectra: KernelSpectra
    curves: KernelCurves | None
    hu: dict[str, float]

    def noise(self, tissue: str) -> float:
        """Return the median of the noise of slices in a tissue, HU; NaN if none tells."""
        levels = self.spectra.noise[tissue]
        known = levels[np.isfinite(levels)]
        return float(np.median(known)) if len(known) else math.nan


def measure_images(cohort: Cohort, images: Images) -> ImageMeasures:
    """Measure the slices of one variant of a group."""
    spectra = join_spectra(
        [
            measure_kernel(stack, scan.pixel_spacing)
            for scan, stack in zip(cohort.scans, images, strict=True)
        ]
    )
    try:
        curves = fit_kernel(spectra)
    except MeasurementError:
        curves = None
    return ImageMeasures(spectra, curves, _tissues(cohort, images))


def noise_power_distance(one: ImageMeasures, target: ImageMeasures) -> float:
    """Return how far noise power is from the target's, dB (root mean square); NaN if unknown."""
    nyquist = TRUSTED * min(one.spectra.nyquist, target.spectra.nyquist)
    powers = [measures.spectra.mean_power("even") for measures in (one, target)]
    known = (nyquist > FREQUENCY) & np.all([np.isfinite(p) & (p > 0) for p in powers], axis=0)
    if not known.any():
        return math.nan
    decibels = 10 * np.log10(powers[0][known] / powers[1][known])
    return math.sqrt(float(np.mean(decibels**2)))


def _tissues(cohort: Cohort, images: Images) -> dict[str, float]:
    """Return the mean over all pixels of each tissue in the group."""
    return tissue_means(
        [
            tissue_sums(stack, scan.hu, scan.padding)
            for scan, stack in zip(cohort.scans, images, strict=True)
        ]
    )
