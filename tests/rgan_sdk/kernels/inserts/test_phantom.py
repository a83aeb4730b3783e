"""The MTF of a phantom's rods and wires, against the one that the phantom was made with."""

import numpy as np
import pytest
from support.kernels import chests, enhancing, exponential
from support.qa_phantoms import RODS, SPACING, WIRES, Rod, Wire, scan

from rgan_sdk.errors import ConfigurationError, MeasurementError
from rgan_sdk.kernels import fit_transfer, measure_kernel
from rgan_sdk.kernels.inserts import fit_phantom, measure_phantom
from rgan_sdk.kernels.inserts.phantom import join_phantom, measure_phantom_slice
from rgan_sdk.kernels.spectra import FREQUENCY

SOFT, SHARP, ENHANCING = exponential(3.5, 1.8), exponential(7, 3), enhancing(5, 3, 0.5, 3)


def measure(hu, spacing=SPACING):
    return measure_phantom(hu, (spacing, spacing))


def deviation(spectra, mtf):
    curve = fit_phantom(spectra).mtf
    return np.abs(curve.value - mtf(curve.frequency)).max()


@pytest.fixture(scope="module")
def soft():
    return measure(scan(SOFT, 4, seed=1))


@pytest.fixture(scope="module")
def enhanced():
    return measure(scan(ENHANCING, 4, 0.5, seed=2), 0.5)


def test_a_soft_kernel_is_found_to_two_hundredths(soft):
    assert soft.inserts == {"rod": 8, "wire": 4}
    assert deviation(soft, SOFT) < 0.02
    curves = fit_phantom(soft)
    assert curves.f50.value == pytest.approx(3.5, rel=0.02)
    assert curves.f50.lower <= curves.f50.value <= curves.f50.upper
    assert curves.doubts == ()


def test_edge_enhancement_above_one_is_kept(enhanced):
    curve = fit_phantom(enhanced).mtf
    assert curve.value.max() == pytest.approx(ENHANCING(curve.frequency).max(), rel=0.02)
    assert curve.value.max() > 1.2
    assert deviation(enhanced, ENHANCING) < 0.04


def test_a_kernel_that_goes_beyond_the_nyquist_frequency_is_not_aliased():
    beyond = exponential(8, 2.5)
    spectra = measure(scan(beyond, 3, 0.8, wires=(), seed=3), 0.8)
    assert beyond(np.array([spectra.nyquist]))[0] > 0.65
    assert deviation(spectra, beyond) < 0.04
    assert np.isinf(fit_phantom(spectra).f50.value)


def test_a_wire_tells_the_kernel_too():
    spectra = measure(scan(SOFT, 8, rods=(), wires=[Wire(20, 10, 2500)], seed=4))
    assert spectra.inserts == {"wire": 8}
    assert deviation(spectra, SOFT) < 0.06


def test_pixels_need_not_be_square():
    hu = scan(SOFT, 3, rods=RODS[:1], wires=(), seed=5)
    wide = hu.reshape(3, 256, 128, 2).mean(axis=-1, dtype=np.float64).astype(np.float32)

    def averaged(frequency):
        # Two pixels averaged across, in all directions.
        turn = np.linspace(0, np.pi, 64)[:, np.newaxis]
        return SOFT(frequency) * np.cos(np.pi * frequency / 10 * SPACING * np.cos(turn)).mean(0)

    spectra = measure_phantom(wide, (SPACING, 2 * SPACING))
    assert deviation(spectra, averaged) < 0.04


def test_noise_is_that_of_the_water(soft):
    plain = measure_kernel(scan(SOFT, 4, rods=(), wires=(), seed=6), (SPACING, SPACING))
    noise = np.nanmedian(plain.noise["soft tissue"])
    assert np.nanmedian(soft.noise["soft tissue"]) == pytest.approx(noise, rel=0.1)


def test_two_phantoms_give_the_filter_between_their_kernels(soft, enhanced):
    transfer = fit_transfer(enhanced, soft, resamples=0)
    frequency = transfer.ratio.frequency
    known = frequency < 6
    expected = (SOFT(frequency) / ENHANCING(frequency))[known]
    assert np.abs(transfer.ratio.value[known] / expected - 1).max() < 0.05
    there_and_back = fit_transfer(soft, enhanced, resamples=0).ratio.value * transfer.ratio.value
    assert there_and_back == pytest.approx(1, abs=1e-3)


def scattered(parts, factors, errors):
    """Return slices whose inserts show a softer or sharper kernel, with errors of that size."""
    random = np.random.default_rng(1)

    def change(insert, factor, error):
        if insert.response is None:
            return insert
        mtf = SOFT(FREQUENCY) * factor + random.normal(0, error, len(FREQUENCY))
        known = np.isfinite(insert.response.mtf)
        alike = np.full(len(FREQUENCY), error + 0.01)
        response = insert.response._replace(mtf=np.where(known, mtf, np.nan), error=alike)
        return insert._replace(response=response)

    return [
        part._replace(inserts=[change(one, factor, error) for one in part.inserts])
        for part, factor, error in zip(parts, factors, errors, strict=True)
    ]


@pytest.fixture(scope="module")
def slices():
    return [measure_phantom_slice(hu, (SPACING, SPACING)) for hu in scan(SOFT, 2, seed=1)]


def test_what_some_slices_show_does_not_change_what_others_do(slices):
    alike, higher = (
        join_phantom(scattered(slices * 2, factors, [0] * 4)).structure
        for factors in ([1] * 4, [1, 1, 1.05, 1.05])
    )
    low = (FREQUENCY > 0.4) & (FREQUENCY < 2)
    assert higher[:2, low] == pytest.approx(alike[:2, low], rel=0.01)
    assert higher[2:, low] == pytest.approx(1.05**2 * alike[2:, low], rel=0.01)


def test_errors_of_slices_do_not_add_to_the_power(slices):
    noisy = join_phantom(scattered(slices * 60, [1] * 120, [0.1] * 120))
    high = np.abs(SOFT(FREQUENCY) - 0.1) < 0.05
    edge = noisy.edge[0] / FREQUENCY**3
    squares = (noisy.mean_power("structure") - noisy.mean_power("even")) / edge
    assert squares[high] == pytest.approx(SOFT(FREQUENCY[high]) ** 2, abs=0.002)


def test_inserts_that_touch_others_or_the_border_do_no_harm():
    near = [Rod(-20, -20, 10, 900), Rod(-20, 5, 10, 500), Rod(0, -73, 10, 900)]
    spectra = measure(scan(SHARP, 3, rods=near, wires=[Wire(-10, 20, 900)], seed=7))
    assert deviation(spectra, SHARP) < 0.04


@pytest.mark.parametrize(
    ("inserts", "reason"),
    [
        pytest.param({"rods": (), "wires": ()}, "no insert stands out", id="none"),
        pytest.param({"rods": [Rod(-20, -20, 12, -1000)], "wires": ()}, "cut off", id="air"),
        pytest.param({"rods": (), "wires": [Wire(20, 10, 6000)]}, "cut off", id="bright wire"),
        pytest.param(
            {"rods": [Rod(-20, -20, 12, 120)], "wires": (), "noise": 12.0},
            "too low in contrast for the noise",
            id="faint",
        ),
        pytest.param(
            {"rods": [Rod(-20, -20, 1.5, 900), Rod(20, 20, 1.5, 900)], "wires": ()},
            "no sharp rods or thin wires",
            id="thick wires",
        ),
    ],
)
def test_what_is_wrong_with_inserts_is_said(inserts, reason):
    with pytest.raises(MeasurementError, match=reason):
        measure(scan(SHARP, 3, seed=8, **inserts))


def test_a_rod_that_is_cut_off_is_left_out_and_named():
    rods = [*RODS, Rod(25, 25, 10, -1000)]
    spectra = measure(scan(SHARP, 3, rods=rods, wires=WIRES[:0], seed=9))
    assert spectra.inserts == {"rod": 6}
    assert deviation(spectra, SHARP) < 0.03
    assert any("3 insert(s) cut off" in doubt for doubt in fit_phantom(spectra).doubts)


def test_points_that_do_not_go_on_are_no_wires():
    slices = [scan(SHARP, 1, rods=(), wires=[Wire(9 * n, 5 * n, 900)], seed=n) for n in range(3)]
    with pytest.raises(MeasurementError, match="3 in one slice only"):
        measure(np.concatenate(slices))


def test_where_most_points_do_not_go_on_it_is_a_patient():
    vessels = [[Wire(9 * n - 40, 5 * n + 10 * k, 900) for k in range(3)] for n in range(4)]
    slices = [
        scan(SHARP, 1, rods=RODS[:1], wires=places, seed=n) for n, places in enumerate(vessels)
    ]
    with pytest.raises(MeasurementError, match=r"are in one slice only, and 4 in .* QA phantom\?"):
        measure(np.concatenate(slices))


@pytest.mark.parametrize("hu", [-1000.0, -2000.0], ids=["air", "padding"])
def test_slices_without_a_phantom_are_refused(hu):
    with pytest.raises(MeasurementError, match="no insert stands out in 2 slice"):
        measure(np.full((2, 64, 64), hu, np.float32))


def test_a_patient_is_no_phantom():
    with pytest.raises(MeasurementError, match="in one slice only"):
        measure(chests(SOFT, 0.7, 2, seed=1), 0.7)


def test_slices_have_three_axes():
    with pytest.raises(ConfigurationError, match=r"must be \[N, H, W\]"):
        measure(np.zeros((64, 64), np.float32))
