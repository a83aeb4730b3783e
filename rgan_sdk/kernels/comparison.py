"""Tell whether a series has the kernel that a model was made for.

Both kernels are fitted at once, as for a filter from one to the other. If they are the same, that
filter does nothing, whatever the patient and the dose are.
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
"""With pixels that show less, kernels are not compared, lp/cm."""
TRUSTED: Final = 0.8
"""Part of the Nyquist frequency up to which kernels are compared."""
SUSPECT_DB: Final = 2.7
"""Chosen on training slices (docs/results/guard.md)."""


class KernelDifference(NamedTuple):
    """How a series' kernel differs from another one.

    Attributes
    ----------
    rms_db
        Root mean square of the gain in dB that turns one kernel into the other, over the
        frequencies at which both series hold more than rounding.
    mean_db
        Its mean: above 0, the series is sharper.
    highest
        Highest frequency that was compared, lp/cm.
    """

    rms_db: float
    mean_db: float
    highest: float

    @property
    def is_suspect(self) -> bool:
        """Whether the difference is more than different patients and doses make."""
        return self.rms_db > SUSPECT_DB


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
    highest = TRUSTED * min(reference.nyquist, spectra.nyquist)
    if highest < LEAST:
        raise MeasurementError(
            f"the series can't tell its kernel: its pixels, or those of the model's training data, "
            f"show nothing above {highest / TRUSTED:.1f} lp/cm"
        )
    fit = GroupModel([reference, spectra]).fit()
    if fit.misfit > MOST_MISFIT:
        raise MeasurementError(
            f"the series can't tell its kernel: its spectra differ from the model by "
            f"{10 * fit.misfit / np.log(10):.1f} dB"
        )
    frequency = np.linspace(LOWEST, highest, 64)
    gain = fit.log_transfer(frequency, 1) - fit.log_transfer(frequency, 0)
    decibels = 20 / np.log(10) * gain
    weight = image_share(reference, frequency) * image_share(spectra, frequency)
    return KernelDifference(
        float(np.sqrt(np.average(decibels**2, weights=weight))),
        float(np.average(decibels, weights=weight)),
        highest,
    )
