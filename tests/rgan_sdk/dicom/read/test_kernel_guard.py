"""What is said of a series whose images show another kernel than a model's card."""

from dataclasses import replace

import numpy as np
import pytest
from support.kernels import chests, exponential, write_chests
from support.models import make_series_card

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read import kernel_guard
from rgan_sdk.dicom.read.kernel_guard import Verdict, judge_kernel, measure_mtf
from rgan_sdk.kernels import CardCurves, measure_kernel


@pytest.fixture(scope="module")
def card():
    spectra = measure_kernel(chests(exponential(3, 2.2), 0.7, 4, seed=1), (0.7, 0.7))
    return make_series_card(source_kernels=("B40f",), curves=CardCurves.of(spectra, spectra))


def series_of(folder, slices):
    return find_series(write_chests(folder, 1, "B40f", slices)).series[0]


@pytest.fixture(scope="module")
def right(tmp_path_factory):
    slices = chests(exponential(3, 2.2), 0.7, 4, seed=2, noise=14.0)
    return series_of(tmp_path_factory.mktemp("right"), slices)


@pytest.fixture(scope="module")
def wrong(tmp_path_factory):
    slices = chests(exponential(4.5, 2.2), 0.7, 4, seed=3)
    return series_of(tmp_path_factory.mktemp("wrong"), slices)


def test_another_kernel_under_the_same_name_is_suspect(card, right, wrong):
    assert judge_kernel(right, card) == Verdict()
    verdict = judge_kernel(wrong, card)
    assert verdict.is_suspect
    assert verdict.text.startswith("suspect kernel: the images are sharper than those with B40f ")
    assert verdict.notes == (verdict.text,)


def test_the_mtf_of_a_series_is_measured(wrong):
    measured = measure_mtf(wrong)
    assert measured.mtf["f50"] == pytest.approx(4.5, rel=0.2)
    assert measured.mtf["nyquist"] == pytest.approx(7.14)
    assert measured.noise_hu is not None
    assert len(measured.spectra) == len(wrong.slices)


def test_nothing_is_said_without_curves_and_of_an_unknown_reconstruction(card, wrong):
    assert judge_kernel(wrong, replace(card, curves=None)) == Verdict()
    assert judge_kernel(replace(wrong, reconstruction="ITERATIVE"), card) == Verdict()


def test_a_series_that_cannot_tell_gets_a_remark_only(card, tmp_path):
    series = series_of(tmp_path, np.full((4, 64, 64), -1000.0))
    verdict = judge_kernel(series, card)
    assert not verdict.is_suspect
    assert verdict.text.startswith("kernel not compared with the model's: the series can't tell")
    measured = measure_mtf(series)
    assert (measured.mtf, measured.noise_hu, measured.spectra) == ({}, None, None)
    assert measured.notes[0].startswith("kernel not measured: the series can't tell its kernel")


@pytest.mark.parametrize("error", [ZeroDivisionError(), MemoryError()])
def test_a_fault_of_the_comparison_is_a_remark(card, right, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(kernel_guard, "measure_series", fail)
    verdict = judge_kernel(right, card)
    assert not verdict.is_suspect
    assert verdict.text.startswith("kernel not compared with the model's: ")
    assert measure_mtf(right).notes[0].startswith("kernel not measured: ")
