"""What a model card consists of: training data, measurements, bounds, ranges, hashes of series."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

BOUND_FACTOR = 2.0
SPACING_TOLERANCE = 1e-3
"""Relative: headers round the pixel spacing."""
HASH_DIGITS = 16


def hash_series(series_instance_uid: str) -> str:
    """Return what a card tells of a series: the first 64 bits of its UID's SHA-256, in hex."""
    return hashlib.sha256(series_instance_uid.encode()).hexdigest()[:HASH_DIGITS]


@dataclass(frozen=True)
class TrainingData:
    """A data set that a model was trained on."""

    name: str
    licence: str
    citation: str


@dataclass(frozen=True)
class Quality:
    """One measurement: a metric of the input and of the output against the target.

    Attributes
    ----------
    data, slices
        What was measured on, and how many slices.
    metric
        Name and unit.
    input, output
        The metric before and after harmonization.
    """

    data: str
    slices: int
    metric: str
    input: float
    output: float


@dataclass(frozen=True)
class ErrorBound:
    """How much the output in a lower precision may deviate from the float32 model, in HU.

    Attributes
    ----------
    max, p999
        Bounds for the largest absolute deviation, and for the 99.9th percentile.
    """

    max: float
    p999: float

    @classmethod
    def from_measured(cls, max: float, p999: float) -> ErrorBound:  # noqa: A002 - as the fields
        """Return twice a measured deviation as a bound, rounded up to 0.01 HU.

        The margin is for other runtimes and other slices, which deviate by other amounts.
        """
        return cls(*(math.ceil(BOUND_FACTOR * hu * 100) / 100 for hu in (max, p999)))


@dataclass(frozen=True)
class Range:
    """A closed interval.

    Attributes
    ----------
    min, max
        Its ends, in the unit of the field.
    """

    min: float
    max: float

    def __contains__(self, value: float) -> bool:
        return self.min <= value <= self.max


@dataclass(frozen=True)
class SpacingRange(Range):
    """The pixel spacings in mm that a model holds for.

    Attributes
    ----------
    reference
        That of the training data as they were reconstructed, between ``min`` and ``max``.
    """

    reference: float

    def __contains__(self, value: float) -> bool:
        slack = 1 + SPACING_TOLERANCE
        return self.min / slack <= value <= self.max * slack


@dataclass(frozen=True)
class ValidityMap:
    """PSNR in dB gained by a model on resampled slices with added noise.

    Attributes
    ----------
    data
        What was measured on.
    pixel_spacing
        In mm, ascending: the rows.
    added_noise
        Standard deviation of the noise added to source and target in HU, ascending: the columns.
    over_input, over_linear
        Gain over the source slices, and over the linear filter of the same pair; the latter is
        empty where there is none.
    """

    data: str
    pixel_spacing: tuple[float, ...]
    added_noise: tuple[float, ...]
    over_input: tuple[tuple[float, ...], ...]
    over_linear: tuple[tuple[float, ...], ...] = ()
