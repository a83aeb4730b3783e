"""What a network does to real source slices at low frequencies, where it must do as measured.

A network that learned from simulated pairs has not seen the source series, or not the target's. In
structures of a centimetre and more two kernels hardly differ, and the measured transfer is known
best. What a network changes there and the transfer does not would be anatomy.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from rgan_train.matching.groups import read_slices
from rgan_train.matching.measurement import Measurement
from rgan_train.networks.graph import HarmonizationGraph, harmonize_slice
from rgan_train.simulation.kernel import Image, filter_slice

SLICES: Final = 3
LOW: Final = 1.0
"""Where the low-pass falls to one half, lp/cm."""

SHARE: Final = 99.0
"""Percentile of the deviations. Edges of dense bone beyond the window deviate by more."""

MOST: Final = 5.0
"""In HU."""


def measure_drift(graph: HarmonizationGraph, measurement: Measurement) -> float:
    """Return how far a network is from the measured transfer below 1 lp/cm.

    Returns
    -------
    float
        99th percentile of the absolute deviations in HU, on some slices of the source group.
    """
    source, transfer = measurement.source, measurement.evidence.direct
    deviations = []
    for series, items in source.spread(SLICES):
        spacing = series.mean_pixel_spacing
        square = spacing, spacing
        for hu in read_slices(items):
            expected = filter_slice(hu, square, transfer.gain)
            difference = harmonize_slice(graph, hu, spacing) - expected
            deviations.append(filter_slice(difference, square, _low_pass).ravel())
    return float(np.percentile(np.abs(np.concatenate(deviations)), SHARE))


def describe_drift(drift: float) -> str:
    """Return what ``measure_drift`` found, and what to do if it is too much."""
    text = (
        f"on real source slices, 99 % of the pixels are within {drift:.1f} HU of the measured "
        "transfer below 1 lp/cm"
    )
    if drift <= MOST:
        return text
    return (
        f"{text}; more than {MOST:g} HU may change anatomy: train longer, or take --method linear"
    )


def _low_pass(frequency: Image) -> Image:
    factors: Image = np.exp(-np.log(2) * (frequency / LOW) ** 4)
    return factors
