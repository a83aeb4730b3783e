"""Tell whether a series has the kernel that a model was made for.

Both kernels are fitted at once, as for a filter from one to the other. If they are the same, that
filter has the same gain at all frequencies, whatever the patient and the dose are. The gain itself
tells less: other anatomy, such as that of the abdomen beside that of the chest, shifts all of it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from rgan_sdk.errors import MeasurementError
from rgan_sdk.kernels.spectra import KernelSpectra
from rgan_sdk.kernels.transfer import MOST_MISFIT, image_share, require_spectra
from rgan_sdk.kernels.transfer_model import GroupModel

LOWEST: Final = 1.0
"""Below, no kernel does much, lp/cm."""
LEAST: Final = 2.0
"""Where less is shown, kernels are not compared, lp/cm."""
TRUSTED: Final = 0.8
"""Part of the Nyquist frequency up to which kernels are compared."""
FULL: Final = 0.8
"""Of the power, so much is more than rounding, at all frequencies that are compared."""
STEPS: Final = 64
SUSPECT_DB: Final = 2.0
"""Chosen on training slices (docs/results/guard.md)."""


class KernelDifference(NamedTuple):
    """How a series' kernel differs from another one.

    Attributes
    ----------
    deviation_db
        Standard deviation over frequency of the gain in dB that turns one kernel into the other.
    is_sharper
        Whether the series is sharper: the gain rises with frequency.
    highest
        Highest frequency that was compared, lp/cm: beyond, pixels or kernels show too little.
    """

    deviation_db: float
    is_sharper: bool
    highest: float

    @property
    def is_suspect(self) -> bool:
        """Whether the difference is more than different patients and doses make."""
        return self.deviation_db > SUSPECT_DB


def compare_kernel(reference: KernelSpectra, spectra: KernelSpectra) -> KernelDifference:
    """Compare the kernel of a series with that of a reference.

    Parameters
    ----------
    reference
        Of slices with the expected kernel, of any patients, doses and pixel spacings.
    spectra
        Of the series, as for ``fit_kernel``.

    Raises
    ------
    MeasurementError
        If the series cannot tell its kernel.
    """
    require_spectra(spectra, "the series")
    return compare_groups(reference, spectra)


def compare_groups(reference: KernelSpectra, spectra: KernelSpectra) -> KernelDifference:
    """Compare the kernels of two groups of slices, however few, such as the means on a card.

    Raises
    ------
    MeasurementError
        If the second group cannot tell its kernel.
    """
    frequency = np.linspace(LOWEST, TRUSTED * min(reference.nyquist, spectra.nyquist), STEPS)
    shares = [image_share(one, frequency) for one in (reference, spectra)]
    compared = np.logical_and.accumulate(np.min(shares, axis=0) > FULL)
    frequency = frequency[compared & (frequency >= LOWEST)]
    if not len(frequency) or frequency[-1] < LEAST:
        raise MeasurementError(
            "the series can't tell its kernel: its images, or those that the model was made from, "
            f"show hardly anything above {LEAST:g} lp/cm"
        )
    fit = GroupModel([reference, spectra]).fit()
    if not fit.misfit <= MOST_MISFIT:  # also if it is not a number
        raise MeasurementError(
            f"the series can't tell its kernel: its spectra differ from the model by "
            f"{10 * fit.misfit / np.log(10):.1f} dB"
        )
    gain = 20 / np.log(10) * (fit.log_transfer(frequency, 1) - fit.log_transfer(frequency, 0))
    return KernelDifference(float(gain.std()), bool(gain[-1] > gain[0]), float(frequency[-1]))
