"""Kernels are compared on phantoms of other patients, doses and pixels, whose MTF is known."""

from dataclasses import replace

import numpy as np
import pytest
from support.kernels import chests, exponential

from rgan_sdk.errors import MeasurementError
from rgan_sdk.kernels import CardCurves, as_spectra, compare_kernel, join_spectra, measure_kernel
from rgan_sdk.kernels.card.curves import MOST_SPACINGS

COUNT = 4


def spectra(f50, seed, *, spacing=0.7, noise=8.0, count=COUNT):
    slices = chests(exponential(f50, 2.2), spacing, count, seed, noise)
    return measure_kernel(slices, (spacing, spacing))


def references():
    """Return the curves of a card for two kernels."""
    one, other = spectra(3, 1), spectra(4.5, 2)
    curves = CardCurves.of(one, other)
    return {3: as_spectra(curves.source), 4.5: as_spectra(curves.target)}


@pytest.fixture(scope="module")
def reference():
    return references()


@pytest.mark.parametrize(
    "acquisition", [{}, {"noise": 20.0, "spacing": 0.8}, {"noise": 3.0, "spacing": 0.55}]
)
@pytest.mark.parametrize("f50", [3, 4.5])
def test_patients_doses_and_pixels_are_told_from_kernels(reference, f50, acquisition):
    series = spectra(f50, 7, **acquisition)
    right, wrong = (compare_kernel(reference[label], series) for label in (f50, 7.5 - f50))
    assert not right.is_suspect
    assert wrong.is_suspect
    assert wrong.is_sharper == (f50 == 4.5)


def test_a_series_that_cannot_tell_is_not_judged(reference):
    with pytest.raises(MeasurementError, match="can't tell its kernel: of 2 slice"):
        compare_kernel(reference[3], spectra(3, 7, count=2))
    air = measure_kernel(np.full((4, 256, 256), -1000, np.float32), (0.7, 0.7))
    with pytest.raises(MeasurementError, match="can't tell its kernel"):
        compare_kernel(reference[3], air)


def test_spectra_that_are_none_of_a_reconstruction_are_not_judged(reference):
    with pytest.raises(MeasurementError, match="its spectra differ from the model by"):
        compare_kernel(reference[3], spectra(3, 7, noise=0.02, count=3))


def test_coarse_pixels_show_too_little(reference):
    with pytest.raises(MeasurementError, match="show hardly anything above 2 lp/cm"):
        compare_kernel(reference[3], spectra(1, 7, spacing=2.6))


def test_curves_keep_the_pixel_spacings_with_most_blocks():
    groups = [
        spectra(3, 1, spacing=0.5 + 0.1 * step, count=1).take(np.zeros(1 + step, int))
        for step in range(4)
    ]
    curves = CardCurves.of(join_spectra(groups), groups[0])
    assert len(curves.source) == MOST_SPACINGS
    assert [one.pixel_spacing for one in curves.source] == pytest.approx([0.6, 0.7, 0.8])
    assert len(curves.target) == 1
    assert sum(len(one.structure) + len(one.even) for one in curves.source) < 300


def test_no_curves_without_even_tissue_of_patients():
    air = measure_kernel(np.full((4, 256, 256), -1000, np.float32), (0.7, 0.7))
    patient = spectra(3, 1, count=1)
    assert CardCurves.of(air, patient) is None
    phantom = replace(patient, edge=np.array([1e6]))
    assert CardCurves.of(phantom, patient) is None
    both = CardCurves.of(join_spectra([phantom, patient]), patient)
    assert both == CardCurves.of(patient, patient)


def test_curves_that_a_card_would_refuse_are_none():
    one = spectra(3, 1)
    silent = replace(one, even=np.zeros_like(one.even))
    assert CardCurves.of(one, one) is not None
    assert CardCurves.of(one, silent) is None
