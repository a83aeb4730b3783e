"""Compare what the images of a series show of its kernel with what a model was made from.

A header's kernel may be wrong, and one name may stand for several kernels. Pixels tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from rgan_sdk.card import ModelCard
from rgan_sdk.dicom.domain import find_outside
from rgan_sdk.dicom.read.spectra import measure_series
from rgan_sdk.dicom.series import Series
from rgan_sdk.errors import DicomError, MeasurementError, describe_unexpected
from rgan_sdk.kernels import (
    KernelDifference,
    KernelSpectra,
    as_spectra,
    compare_kernel,
    fit_kernel,
)
from rgan_sdk.kernels.comparison import SUSPECT_DB

SLICES: Final = 10
"""That are read of a series."""


class Verdict(NamedTuple):
    """What is to be said of a series' kernel.

    Attributes
    ----------
    text
        A remark; empty if there is nothing to say.
    is_suspect
        Whether the kernel is another one than the model's.
    """

    text: str = ""
    is_suspect: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """The remark, if there is one."""
        return (self.text,) if self.text else ()


class MeasuredKernel(NamedTuple):
    """What the images of a series show of its kernel.

    Attributes
    ----------
    mtf
        ``f50`` and ``f10`` in lp/cm, None beyond 0.9 of the Nyquist frequency, and ``nyquist``;
        empty if the series can't tell.
    notes
        Why it can't, or what is in doubt.
    noise_hu
        Standard deviation in soft tissue; None if the series can't tell.
    spectra
        Of its slices, to compare it with others; None if the series can't tell its kernel.
    """

    mtf: dict[str, float | None]
    notes: tuple[str, ...]
    noise_hu: float | None = None
    spectra: KernelSpectra | None = None


def measure_mtf(series: Series) -> MeasuredKernel:
    """Measure the kernel of a series as ``rgan-harmonize kernel`` does."""
    try:
        spectra = measure_series(series)
        found = fit_kernel(spectra)
    except Exception as error:  # a mere remark must not end a scan
        return MeasuredKernel({}, (f"kernel not measured: {_describe_fault(error)}",))
    mtf = {
        name: round(value, 2) if math.isfinite(value) else None
        for name, value in (
            ("f50", found.f50.value),
            ("f10", found.f10.value),
            ("nyquist", found.nyquist),
        )
    }
    doubts = tuple(f"kernel in doubt: {text}" for text in found.doubts)
    noise = found.noise["soft tissue"].value
    return MeasuredKernel(mtf, doubts, None if math.isnan(noise) else noise, spectra)


def judge_kernel(series: Series, card: ModelCard) -> Verdict:
    """Compare the kernel of a series with that of the slices that a model was made from.

    Nothing is said of a series where the card has no curves, and where the header states a
    reconstruction that the card does not: its noise would not show the kernel.
    Ten slices from all over it are measured.
    """
    if "reconstruction" in find_outside(series, card):
        return Verdict()
    return judge_spectra(lambda: measure_series(series, SLICES), card)


def judge_spectra(measure: Callable[[], KernelSpectra], card: ModelCard) -> Verdict:
    """Compare spectra with those of the slices that a model was made from.

    Parameters
    ----------
    measure
        Is called if the card has curves; what it raises is part of the verdict.
    """
    if card.curves is None:
        return Verdict()
    try:
        measured = measure()
        difference = compare_kernel(as_spectra(card.curves.source), measured)
    except Exception as error:  # a mere remark must not fail a series
        return Verdict(f"kernel not compared with the model's: {_describe_fault(error)}")
    return Verdict(_describe(difference, card), True) if difference.is_suspect else Verdict()


def _describe_fault(error: Exception) -> str:
    expected = isinstance(error, DicomError | MeasurementError)
    return str(error) if expected else describe_unexpected(error)


def _describe(difference: KernelDifference, card: ModelCard) -> str:
    how = "sharper" if difference.is_sharper else "softer"
    return (
        f"suspect kernel: the images are {how} than those with {', '.join(card.source_kernels)} "
        f"that the model was made from; from 1 to {difference.highest:.1f} lp/cm the gain between "
        f"both varies by {difference.deviation_db:.1f} dB, and {SUSPECT_DB:g} are usual at most"
    )
