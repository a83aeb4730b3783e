"""Kernels are measured on phantoms with known MTF, noise and anatomy."""

from dataclasses import replace

import numpy as np
import pytest
from support.kernels import chests, enhancing, exponential

from rgan_sdk.errors import MeasurementError
from rgan_sdk.kernels import fit_kernel, fit_transfer, join_spectra, measure_kernel
from rgan_sdk.kernels.transfer_model import KNOTS, GroupModel, spline_basis

SOFT, SHARP = exponential(3.5, 1.8), exponential(7, 2.5)
ENHANCING = enhancing(6.5, 3, 0.6, 3.5)
FREQUENCY = np.arange(1, 7.0)


def spectra(mtf, seed, *, spacing=0.7, noise=10.0, count=4):
    slices = chests(mtf, spacing, count, seed, noise)
    return measure_kernel(slices, (spacing, spacing))


@pytest.fixture(scope="module")
def soft():
    return spectra(SOFT, 1)


@pytest.fixture(scope="module")
def sharp():
    return spectra(SHARP, 2)


def value(curve, frequency):
    return np.interp(frequency, curve.frequency, curve.value)


def test_the_ratio_of_two_kernels_from_different_patients(soft, sharp):
    found = fit_transfer(soft, sharp)
    expected = SHARP(FREQUENCY) / SOFT(FREQUENCY)
    assert value(found.ratio, FREQUENCY) == pytest.approx(expected, rel=0.12)
    assert found.ratio.value[0] == 1
    assert (found.ratio.lower <= found.ratio.value).all()
    assert (found.ratio.upper >= found.ratio.value).all()
    assert found.misfit < 0.1


def test_dose_and_pixels_may_differ(soft):
    other = spectra(SHARP, 3, spacing=0.8, noise=20.0)
    found = fit_transfer(soft, other, resamples=0)
    expected = SHARP(FREQUENCY[:5]) / SOFT(FREQUENCY[:5])
    assert value(found.ratio, FREQUENCY[:5]) == pytest.approx(expected, rel=0.15)
    assert found.nyquist == pytest.approx(6.25)


def test_an_edge_enhancing_kernel_may_exceed_1(soft):
    other = spectra(ENHANCING, 3)
    found = fit_transfer(soft, other, resamples=0)
    expected = ENHANCING(FREQUENCY) / SOFT(FREQUENCY)
    assert value(found.ratio, FREQUENCY) == pytest.approx(expected, rel=0.12)
    curves = fit_kernel(other, resamples=0)
    assert curves.mtf.value.max() > 1.1


def test_exchanged_groups_give_the_inverse(soft, sharp):
    there, back = fit_transfer(soft, sharp, resamples=0), fit_transfer(sharp, soft, resamples=0)
    assert there.ratio.value * back.ratio.value == pytest.approx(1, abs=1e-3)


def test_a_group_and_itself_differ_by_nothing(soft):
    found = fit_transfer(soft, soft)
    assert found.ratio.value == pytest.approx(1, abs=1e-3)
    assert found.gain(FREQUENCY) == pytest.approx(1, abs=0.02)


def test_the_gain_is_bounded_and_nothing_is_amplified_where_nothing_is():
    empty = spectra(exponential(2, 2), 1, spacing=0.5)
    found = fit_transfer(empty, spectra(SHARP, 2, spacing=0.5), resamples=0)
    assert found.gain(np.linspace(0, 20, 100)).max() <= 10
    assert found.ratio.value.max() > 50
    assert found.gain(np.array([9.0]))[0] < 5
    assert found.gain(np.array([14.0])) == found.gain(np.array([10.0]))


def test_f50_and_its_limits(soft, sharp):
    curves = fit_kernel(soft)
    assert curves.f50.lower < 3.5 < curves.f50.upper
    assert curves.f50.upper - curves.f50.lower < 2
    assert curves.mtf.value[0] == 1
    assert curves.noise["soft tissue"].lower <= curves.noise["soft tissue"].upper
    beyond = fit_kernel(sharp)
    assert np.isinf(beyond.f50.value)
    assert np.isinf(beyond.f10.upper)


def test_the_same_seed_gives_the_same_limits(soft):
    assert fit_kernel(soft, resamples=5).f50 == fit_kernel(soft, resamples=5).f50


def test_slices_of_several_spacings_make_one_group(soft):
    mixed = join_spectra([soft, spectra(SOFT, 4, spacing=0.9, noise=5.0)])
    assert len(GroupModel([mixed]).stacks) == 2
    curves = fit_kernel(mixed, resamples=3)
    assert curves.nyquist == pytest.approx(5 / 0.7)
    assert value(curves.mtf, FREQUENCY[:4]) == pytest.approx(SOFT(FREQUENCY[:4]), rel=0.2)


@pytest.mark.parametrize(
    ("slices", "reason"),
    [
        (np.full((5, 128, 128), -1000, np.float32), "0 have structure"),
        (chests(SOFT, 0.7, 1, 0), "of 1 slice(s), 1 have structure"),
        (chests(SOFT, 0.7, 3, 0) + 400 * (chests(SOFT, 0.7, 3, 0) > -500), "0 have even soft"),
    ],
    ids=["air", "one slice", "no soft tissue"],
)
def test_what_cannot_tell_a_kernel(slices, reason):
    with pytest.raises(MeasurementError) as raised:
        fit_kernel(measure_kernel(slices.astype(np.float32), (0.7, 0.7)))
    assert reason in str(raised.value)


def test_pixels_that_are_too_coarse():
    with pytest.raises(MeasurementError, match=r"pixels of 5\.3 mm are too coarse"):
        fit_kernel(replace(spectra(SOFT, 1), pixel_spacing=np.full((4, 2), 5.3)))


def test_patients_and_phantoms_of_one_spacing_are_resampled_apart(soft, sharp):
    inserts = replace(soft.take(np.arange(1)), edge=np.array([900.0]))
    mixed = join_spectra([soft, inserts])
    for seed in range(4):
        assert fit_transfer(mixed, sharp, resamples=3, seed=seed).misfit > 0


def test_few_slices_that_tell_the_kernel_are_in_all_draws(soft):
    empty = replace(
        soft, structure_blocks=0 * soft.structure_blocks, even_blocks=0 * soft.even_blocks
    )
    few = join_spectra([soft.take(np.arange(3)), *[empty] * 5])
    curves = fit_kernel(few, resamples=60)
    assert np.isfinite(curves.noise_power.lower).all()


def test_a_resampled_series_is_told():
    coarse = chests(SHARP, 0.9, 4, 5)
    spectrum = np.fft.fftshift(np.fft.fft2(coarse), axes=(1, 2))
    wide = np.pad(spectrum, ((0, 0), (128, 128), (128, 128)))
    fine = (np.fft.ifft2(np.fft.ifftshift(wide, axes=(1, 2))).real * 4).round().astype(np.float32)
    curves = fit_kernel(measure_kernel(fine, (0.45, 0.45)), resamples=0)
    assert any("resampled" in doubt for doubt in curves.doubts)


def test_a_denoised_series_is_told(soft):
    noisy = fit_kernel(spectra(SHARP, 2, noise=40), resamples=0)
    assert not any("noise" in doubt for doubt in noisy.doubts)
    slices = chests(SHARP, 0.7, 4, 2, 40)
    shifts = [(y, x) for y in range(-2, 3) for x in range(-2, 3)]
    smooth = sum(np.roll(slices, shift, (1, 2)) for shift in shifts) / 25
    denoised = np.where(np.abs(slices - smooth) < 240, smooth, slices).astype(np.float32)
    curves = fit_kernel(measure_kernel(denoised, (0.7, 0.7)), resamples=0)
    assert any("denoised" in doubt for doubt in curves.doubts)


def test_splines_are_flat_at_zero_and_have_the_given_curvature():
    frequency = np.linspace(0, 12, 1201)
    curvature = np.random.default_rng(0).normal(size=KNOTS)
    curve = spline_basis(frequency) @ curvature
    second = np.diff(curve, 2) / 0.01**2
    assert curve[0] == 0
    assert abs(curve[1]) < 1e-3
    expected = np.interp(frequency[1:-1], np.arange(KNOTS), curvature)
    assert second == pytest.approx(expected, abs=0.02)


def test_derivatives_of_the_model(soft, sharp):
    model = GroupModel([soft, sharp])
    random = np.random.default_rng(0)
    place = model.start + random.normal(0, 0.02, model.size)
    for rows in model.rows:
        _, jacobian = model.residuals(rows, place)
        for index in range(model.size):
            step = np.zeros(model.size)
            step[index] = 1e-5
            ahead, behind = (model.residuals(rows, place + s)[0] for s in (step, -step))
            assert (ahead - behind) / 2e-5 == pytest.approx(jacobian[:, index], abs=1e-2, rel=1e-3)
