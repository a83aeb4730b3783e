"""The spectra of training slices for the card, with which a run compares the series it is given."""

from __future__ import annotations

from typing import Final

from rgan_sdk.kernels import CardCurves, join_spectra, measure_kernel
from rgan_sdk.slices import spread_indices
from rgan_train.pairs import WholeSlices

SLICES: Final = 48


def measure_curves(training: WholeSlices) -> CardCurves | None:
    """Measure the kernels of a pair.

    Parameters
    ----------
    training
        As they were reconstructed. At most 48 are read.

    Returns
    -------
    CardCurves or None
        None where no slice has structure, or none has even soft tissue.
    """
    chosen = spread_indices(len(training), SLICES)
    sources, targets = zip(
        *(
            (measure_kernel(hu[None], (training.spacing(index),) * 2) for hu in training[index])
            for index in chosen
        ),
        strict=True,
    )
    return CardCurves.of(join_spectra(sources), join_spectra(targets))
