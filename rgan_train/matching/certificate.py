"""What speaks for a match: fits that must agree with each other, because the answer is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import MeasurementError
from rgan_sdk.kernels import KernelSpectra, TransferRatio, fit_transfer

TRUSTED: Final = 0.9
"""Part of the Nyquist frequency up to which curves are compared."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Certificate:
    """Deviations in dB, root mean square over frequency; None where slices do not suffice.

    Attributes
    ----------
    halves
        Between the curves that two halves of both groups give.
    source_to_itself, target_to_itself
        Of the curve between two halves of one group from 1: it must do nothing.
    closure
        Between the curve by way of a third group and the direct one; None without such a group.
    """

    halves: float | None
    source_to_itself: float | None
    target_to_itself: float | None
    closure: float | None = None


def certify(
    transfer: TransferRatio,
    source: KernelSpectra,
    target: KernelSpectra,
    third: KernelSpectra | None = None,
) -> Certificate:
    """Return what can be said of a transfer without the true one."""
    sources, targets = _halves(source), _halves(target)
    return Certificate(
        halves=_compare(*(_fit(*pair) for pair in zip(sources, targets, strict=True))),
        source_to_itself=_compare(_fit(*sources), None),
        target_to_itself=_compare(_fit(*targets), None),
        closure=None if third is None else _close(transfer, source, target, third),
    )


def _halves(spectra: KernelSpectra) -> tuple[KernelSpectra, KernelSpectra]:
    """Return the first and the second half of the slices: neighbours show the same anatomy."""
    middle = len(spectra) // 2
    return spectra.take(np.arange(middle)), spectra.take(np.arange(middle, len(spectra)))


def _fit(source: KernelSpectra, target: KernelSpectra) -> TransferRatio | None:
    try:
        return fit_transfer(source, target, resamples=0)
    except MeasurementError:
        return None


def _close(
    direct: TransferRatio, source: KernelSpectra, target: KernelSpectra, third: KernelSpectra
) -> float | None:
    first, second = _fit(source, third), _fit(third, target)
    if first is None or second is None:
        return None
    frequency = _frequencies(direct, first, second)
    return _deviation(_decibels(first, frequency) + _decibels(second, frequency), direct, frequency)


def _compare(one: TransferRatio | None, other: TransferRatio | None) -> float | None:
    """Return how far two curves are apart, or one from 1 if there is no other."""
    if one is None:
        return None
    frequency = _frequencies(one, other or one)
    return _deviation(_decibels(one, frequency), other, frequency)


def _deviation(decibels: Floats, other: TransferRatio | None, frequency: Floats) -> float:
    expected = 0.0 if other is None else _decibels(other, frequency)
    return float(np.sqrt(np.mean((decibels - expected) ** 2)))


def _frequencies(*curves: TransferRatio) -> Floats:
    return np.linspace(0, TRUSTED * min(curve.nyquist for curve in curves), 64)


def _decibels(curve: TransferRatio, frequency: Floats) -> Floats:
    values: Floats = 20 * np.log10(np.interp(frequency, curve.ratio.frequency, curve.ratio.value))
    return values
