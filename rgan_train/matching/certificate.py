"""What speaks for a match: fits that must agree with each other, because the answer is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import MeasurementError
from rgan_sdk.kernels import KernelSpectra, MatchCertificate, TransferRatio, fit_transfer

TRUSTED: Final = 0.9
"""Part of the Nyquist frequency up to which curves are compared."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """A measured transfer, and others that it must agree with. None where slices do not suffice.

    Attributes
    ----------
    direct
        From the source to the target.
    halves
        The same, from the first half of both groups, and from the second.
    source_to_itself, target_to_itself
        From one half of a group to the other.
    by_third
        From the source to a third group, and from there to the target; None without such a group.
    """

    direct: TransferRatio
    halves: tuple[TransferRatio | None, TransferRatio | None]
    source_to_itself: TransferRatio | None
    target_to_itself: TransferRatio | None
    by_third: tuple[TransferRatio | None, TransferRatio | None] | None = None

    def certificate(self) -> MatchCertificate:
        """Return how far the transfers are from what they must be, in dB."""
        first, second = self.halves
        both = _together(first, second)
        closed = _together(*self.by_third) if self.by_third else None
        return MatchCertificate(
            halves=_compare((both[0],), (both[1],)) if both else None,
            source_to_itself=_compare(_together(self.source_to_itself), ()),
            target_to_itself=_compare(_together(self.target_to_itself), ()),
            closure=_compare(closed, (self.direct,)),
        )


def gather_evidence(
    transfer: TransferRatio,
    source: KernelSpectra,
    target: KernelSpectra,
    third: KernelSpectra | None = None,
) -> Evidence:
    """Return what can be said of a transfer without the true one."""
    (first_source, second_source), (first_target, second_target) = _halves(source), _halves(target)
    return Evidence(
        direct=transfer,
        halves=(_fit(first_source, first_target), _fit(second_source, second_target)),
        source_to_itself=_fit(first_source, second_source),
        target_to_itself=_fit(first_target, second_target),
        by_third=None if third is None else (_fit(source, third), _fit(third, target)),
    )


def decibels(curves: tuple[TransferRatio, ...], frequency: Floats) -> Floats:
    """Return the logarithm of the product of transfers, of none 0: ``[F]`` in dB."""
    total = np.zeros_like(frequency)
    for curve in curves:
        total += 20 * np.log10(np.interp(frequency, curve.ratio.frequency, curve.ratio.value))
    return total


def _halves(spectra: KernelSpectra) -> tuple[KernelSpectra, KernelSpectra]:
    """Return the first and the second half of the slices: neighbours show the same anatomy."""
    middle = len(spectra) // 2
    return spectra.take(np.arange(middle)), spectra.take(np.arange(middle, len(spectra)))


def _fit(source: KernelSpectra, target: KernelSpectra) -> TransferRatio | None:
    try:
        return fit_transfer(source, target, resamples=0)
    except MeasurementError:
        return None


def _together(*curves: TransferRatio | None) -> tuple[TransferRatio, ...] | None:
    """Return the curves if all of them are known."""
    known = tuple(curve for curve in curves if curve)
    return known if len(known) == len(curves) else None


def _compare(
    some: tuple[TransferRatio, ...] | None, others: tuple[TransferRatio, ...]
) -> float | None:
    """Return how far the products of both are apart, in dB; None if the first are not known."""
    if some is None:
        return None
    nyquist = min(curve.nyquist for curve in (*some, *others))
    frequency = np.linspace(0, TRUSTED * nyquist, 64)
    difference = decibels(some, frequency) - decibels(others, frequency)
    return round(float(np.sqrt(np.mean(difference**2))), 3)
