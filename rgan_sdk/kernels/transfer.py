"""Measure a kernel, or what turns one kernel into another, from spectra of any slices.

``fit_kernel`` fits one group of slices. Its MTF depends on priors near the Nyquist frequency, which
the limits show. ``fit_transfer`` fits two groups at once. The slices need not be the same, nor the
patients, doses or pixels; what turns one kernel into the other is known better than either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import MeasurementError
from rgan_sdk.kernels.limits import (
    Curve,
    KernelCurves,
    find_crossing,
    limit_curve,
    median_interval,
)
from rgan_sdk.kernels.spectra import EVEN_BLOCK, EVEN_HU, FREQUENCY, STEP_HU, KernelSpectra
from rgan_sdk.kernels.transfer_model import KINDS, Fit, GroupModel

RESAMPLES: Final = 40
FEWEST_SLICES: Final = 3
MOST_GAIN: Final = 10.0
EMPTY: Final = 0.05
STEEP: Final = 7.0
FULL: Final = 0.95
"""A series holds hardly anything where its MTF is below 5 % of its peak, or a seventh of what it is
at 0.6 Nyquist. Up to 0.95 Nyquist it should hold something."""

MOST_MISFIT: Final = 0.3
"""Root mean square of the logarithm of power minus the model's; in linear reconstructions 0.1."""
HIDDEN_NOISE_DB: Final = 6.0
"""Power of anatomy over that of noise from 60 to 90 % of the frequencies that hold something."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TransferRatio:
    """What turns the source's kernel into the target's.

    Attributes
    ----------
    ratio
        MTF of the target over MTF of the source, from 0 to ``nyquist``.
    share
        ``[F]`` at the same frequencies: which part of the source's power is image and not rounding.
    nyquist
        The lower one of both groups, lp/cm. Nothing is known beyond.
    misfit
        Root mean square of the logarithm of power minus the model's.
    """

    ratio: Curve
    share: Floats
    nyquist: float
    misfit: float

    def gain(self, frequency: Floats) -> Floats:
        """Return the factors of a filter that turns source slices into target slices.

        The ratio, at most 10, times the share (Wiener): where the source holds nothing, nothing is
        amplified. Beyond the Nyquist frequency it stays what it is there.
        """
        factor = np.minimum(self.ratio.value, MOST_GAIN) * self.share
        return np.asarray(np.interp(frequency, self.ratio.frequency, factor))


def fit_kernel(
    spectra: KernelSpectra, *, resamples: int = RESAMPLES, seed: int = 0
) -> KernelCurves:
    """Measure a kernel.

    Parameters
    ----------
    spectra
        Of slices with one kernel, at least three with anatomy and with even soft tissue among them.
    resamples
        How many fits the limits come from. Each has slices drawn with replacement, and another
        prior, so that the limits also show what data leave open.
    seed
        Of these draws.

    Raises
    ------
    MeasurementError
        If the slices can't tell a kernel, or their pixels are too coarse to.
    """
    require_spectra(spectra, "the series")
    frequency = _frequencies(spectra.nyquist)
    best, others = _fit_all([spectra], resamples, seed)

    def mtf(fit: Fit) -> Floats:
        return np.asarray(np.exp(fit.log_transfer(frequency)))

    curves = np.array([mtf(fit) for fit, _ in others])
    value = mtf(best)
    measured = np.isfinite(spectra.mean_power("even")) & (spectra.nyquist > FREQUENCY)
    powers = np.array([groups[0].mean_power("even")[measured] for _, groups in others])
    curve = limit_curve(frequency, value, curves)
    return KernelCurves(
        mtf=curve,
        noise_power=limit_curve(FREQUENCY[measured], spectra.mean_power("even")[measured], powers),
        f50=find_crossing(curve, curves, 0.5, spectra.nyquist),
        f10=find_crossing(curve, curves, 0.1, spectra.nyquist),
        noise={name: median_interval(values, seed) for name, values in spectra.noise.items()},
        nyquist=spectra.nyquist,
        doubts=tuple(_doubts(spectra, curve, best.misfit)),
    )


def fit_transfer(
    source: KernelSpectra, target: KernelSpectra, *, resamples: int = RESAMPLES, seed: int = 0
) -> TransferRatio:
    """Measure what turns one kernel into another, from different slices.

    Parameters
    ----------
    source, target
        Spectra of slices of either kernel, as for ``fit_kernel``.
    resamples, seed
        As ``fit_kernel`` takes them.

    Raises
    ------
    MeasurementError
        If either group can't tell its kernel.
    """
    require_spectra(source, "the source")
    require_spectra(target, "the target")
    nyquist = min(source.nyquist, target.nyquist)
    frequency = _frequencies(nyquist)
    best, others = _fit_all([source, target], resamples, seed)

    def ratio(fit: Fit) -> Floats:
        return np.asarray(np.exp(fit.log_transfer(frequency, 1) - fit.log_transfer(frequency, 0)))

    curve = limit_curve(frequency, ratio(best), np.array([ratio(fit) for fit, _ in others]))
    return TransferRatio(curve, image_share(source, frequency), nyquist, best.misfit)


def require_spectra(spectra: KernelSpectra, name: str) -> None:
    """Raise if a group of slices can't tell its kernel."""
    for kind, what in (
        ("structure", f"structure (a step of {STEP_HU:.0f} HU or more, as skin and lungs have)"),
        (
            "even",
            f"even soft tissue ({EVEN_HU[0]:.0f} to {EVEN_HU[1]:.0f} HU in {EVEN_BLOCK}x"
            f"{EVEN_BLOCK} pixels)",
        ),
    ):
        count = int(np.count_nonzero(getattr(spectra, f"{kind}_blocks")))
        if count < FEWEST_SLICES:
            raise MeasurementError(
                f"{name} can't tell its kernel: of {len(spectra)} slice(s), {count} have {what}, "
                f"and {FEWEST_SLICES} are needed; take more slices of the body"
            )


def _fit_all(
    groups: Sequence[KernelSpectra], resamples: int, seed: int
) -> tuple[Fit, list[tuple[Fit, list[KernelSpectra]]]]:
    """Return the fit, and fits of resampled slices, with the slices."""
    best = GroupModel(groups).fit()
    random = np.random.default_rng(seed)
    others = []
    for _ in range(resamples):
        drawn = [_resample(spectra, random) for spectra in groups]
        model = GroupModel(drawn)
        others.append((model.fit(best.parameters, model.draw_centre(random)), drawn))
    return best, others


def _resample(spectra: KernelSpectra, random: np.random.Generator) -> KernelSpectra:
    """Draw slices with replacement, as many of each pixel spacing, and of phantoms, as there are.

    A draw without any block of one kind would tell no kernel, so there is another one then.
    """
    places = np.column_stack([spectra.pixel_spacing, np.isfinite(spectra.edge)])
    index = np.arange(len(spectra))
    while True:
        for place in np.unique(places, axis=0):
            alike = np.flatnonzero((places == place).all(axis=1))
            index[alike] = random.choice(alike, len(alike))
        drawn = spectra.take(index)
        if drawn.structure_blocks.any() and drawn.even_blocks.any():
            return drawn


def _frequencies(nyquist: float) -> Floats:
    return np.linspace(0, nyquist, 65)


def image_share(source: KernelSpectra, frequency: Floats) -> Floats:
    """Return which part of the power of structure is more than rounding to whole HU."""
    power = source.mean_power("structure")
    rounding = np.prod(source.pixel_spacing, axis=1).mean() / 12
    known = np.isfinite(power) & (power > 0)
    share = np.clip(1 - rounding / power[known], 0, 1)
    return np.asarray(np.interp(frequency, FREQUENCY[known], share))


def _doubts(spectra: KernelSpectra, mtf: Curve, misfit: float) -> Iterator[str]:
    """Yield what speaks against the curves of a series."""
    nyquist = spectra.nyquist
    middle = np.interp(0.6 * nyquist, mtf.frequency, mtf.value)
    least = max(EMPTY * mtf.value.max(), middle / STEEP)
    highest = mtf.frequency[np.flatnonzero(mtf.value > least)[-1]]
    if highest < FULL * nyquist:
        yield (
            f"hardly anything beyond {highest:.1f} lp/cm, though the pixels hold {nyquist:.1f}: "
            "resampled from coarser pixels, or the kernel is much softer than the pixels"
        )
    band = np.abs(FREQUENCY / highest - 0.75) < 0.15
    anatomy, noise = (np.nanmean(spectra.mean_power(kind)[band]) for kind in KINDS)
    if (hidden := 10 * np.log10(anatomy / noise)) > HIDDEN_NOISE_DB:
        yield (
            f"at high frequencies noise is {hidden:.0f} dB below anatomy: a scan with very little "
            "noise, or a denoised or iterative reconstruction. Noise then tells little"
        )
    if misfit > MOST_MISFIT:
        yield (
            f"spectra differ from the model by {10 * misfit / np.log(10):.1f} dB, more than in "
            "linear reconstructions: processed images?"
        )
