import numpy as np
import pytest

from rgan_sdk.errors import ConfigurationError
from rgan_sdk.kernels.mtf import KernelMTF, assumed_mtf, frequencies
from rgan_train.simulation.kernel import noise_power, simulate_slice, slice_seed

SOFT, SHARP = KernelMTF(3.5, 6.5), KernelMTF(7, 11)
SPACING = (0.6, 0.6)
SIZE = 256


def filtered(image, response):
    return np.fft.irfft2(np.fft.rfft2(image) * response, s=image.shape)


def noise(mtf, *, spacing=SPACING, seed=0, level=1.0, size=SIZE):
    """Noise of filtered back projection; the same scan for the same seed."""
    white = np.random.default_rng(seed).standard_normal((size, size))
    frequency = frequencies(white.shape, spacing)
    return level * filtered(white, np.sqrt(noise_power(frequency, mtf(frequency))))


def radial_power(image, spacing=SPACING, edges=(0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5)):
    """Mean power spectrum of the middle, in rings of frequency."""
    middle = image[32:-32, 32:-32]
    window = np.outer(np.hanning(middle.shape[0]), np.hanning(middle.shape[1]))
    power = np.abs(np.fft.rfft2((middle - middle.mean()) * window)) ** 2
    ring = np.digitize(frequencies(middle.shape, spacing), edges)
    return np.array([power[ring == number].mean() for number in range(1, len(edges))])


def disk(mtf, spacing=SPACING, size=SIZE):
    """A disk of 40 HU and 50 mm in air as a scanner with this MTF shows it."""
    fine = 4
    y, x = ((np.arange(size * fine) + 0.5) / fine - size / 2 for _ in range(2))
    inside = np.hypot(y[:, np.newaxis] * spacing[0], x * spacing[1]) < 50
    image = np.where(inside, 40.0, -1000.0).reshape(size, fine, size, fine).mean((1, 3))
    return filtered(image, mtf(frequencies(image.shape, spacing)))


@pytest.mark.parametrize("mtf", [SOFT, SHARP])
def test_a_kernel_has_the_mtf_that_it_is_given(mtf):
    assert mtf(np.array([0, mtf.f50, mtf.f10])) == pytest.approx([1, 0.5, 0.1])
    assert np.isfinite(mtf.log(np.array([1e300]))).all()


@pytest.mark.parametrize("numbers", [(0, 5), (6, 5), (5, 5), (3, float("inf")), (float("nan"), 5)])
def test_a_kernel_without_sense_is_refused(numbers):
    with pytest.raises(ConfigurationError, match="lp/cm"):
        KernelMTF(*numbers)


def test_assumed_kernels_are_found_in_any_case():
    assert assumed_mtf("b40F") == assumed_mtf("B40f")
    assert assumed_mtf("STANDARD") is None


def test_the_same_kernel_changes_nothing():
    hu = np.round(disk(SHARP) + noise(SHARP, level=50)).astype(np.float32)
    same = simulate_slice(hu, SPACING, SHARP, SHARP, seed=0)
    assert same.dtype == np.float32
    assert same == pytest.approx(hu, abs=1e-6)


@pytest.mark.parametrize("spacing", [(0.6, 0.6), (0.5, 0.8)])
def test_a_point_gets_the_target_mtf(spacing):
    frequency = frequencies((SIZE, SIZE), spacing)
    point = np.zeros((SIZE, SIZE))
    point[SIZE // 2, SIZE // 2] = 10_000
    shown = filtered(point, SHARP(frequency)).astype(np.float32)
    soft = simulate_slice(shown, spacing, SHARP, SOFT, seed=0)
    measured = np.abs(np.fft.rfft2(soft)) / 10_000
    assert measured == pytest.approx(SOFT(frequency), abs=1e-3)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_wave_of_2_mm_has_5_lp_per_cm(axis):
    spacing = (0.5, 0.8)
    along = np.arange(SIZE) * spacing[axis]
    wave = np.expand_dims(100 * np.cos(np.pi * along), 1 - axis)
    hu = np.broadcast_to(wave, (SIZE, SIZE)).astype(np.float32)
    soft = simulate_slice(hu, spacing, SHARP, SOFT, seed=0)
    ratio = (SOFT(np.array(5.0)) / SHARP(np.array(5.0))).item()
    middle = np.s_[64:-64, 64:-64]
    assert soft[middle] == pytest.approx(ratio * hu[middle], abs=0.5)


@pytest.mark.parametrize(("source", "target"), [(SHARP, SOFT), (SOFT, KernelMTF(4.5, 6.5))])
@pytest.mark.parametrize("spacing", [(0.6, 0.6), (0.5, 0.8)])
def test_an_edge_without_noise_becomes_the_target_s(source, target, spacing):
    simulated = simulate_slice(disk(source, spacing).astype(np.float32), spacing, source, target, 0)
    wanted = disk(target, spacing)
    before = np.sqrt(np.mean((disk(source, spacing) - wanted) ** 2))
    after = np.sqrt(np.mean((simulated - wanted) ** 2))
    assert after < 0.1 * before


@pytest.mark.parametrize(("source", "target"), [(SHARP, SOFT), (SOFT, SHARP)])
def test_noise_has_the_target_s_level_and_spectrum(source, target):
    shown = (40 + noise(source, level=20)).astype(np.float32)
    simulated = simulate_slice(shown, SPACING, source, target, seed=1)
    wanted = noise(target, level=20)
    assert simulated[32:-32, 32:-32].std() == pytest.approx(wanted[32:-32, 32:-32].std(), rel=0.05)
    assert radial_power(simulated) == pytest.approx(radial_power(wanted), rel=0.25)


def test_added_noise_follows_the_local_level():
    quiet, loud = noise(SOFT, level=10), noise(SOFT, level=40)
    shown = np.hstack([quiet[:, :128], loud[:, 128:]]).astype(np.float32)
    simulated = simulate_slice(shown, SPACING, SOFT, SHARP, seed=1)
    ratio = simulated[32:-32, 160:-32].std() / simulated[32:-32, 32:96].std()
    assert ratio == pytest.approx(4, rel=0.1)


def test_an_image_without_noise_gets_none():
    flat = np.full((SIZE, SIZE), 40, np.float32)
    assert simulate_slice(flat, SPACING, SOFT, SHARP, seed=1) == pytest.approx(flat, abs=1e-3)


@pytest.mark.parametrize(("source", "target"), [(SHARP, SOFT), (SOFT, SHARP)])
def test_the_mean_stays(source, target):
    hu = (disk(source) + noise(source, level=20)).astype(np.float32)
    simulated = simulate_slice(hu, SPACING, source, target, seed=1)
    assert simulated.mean() == pytest.approx(hu.mean(), abs=0.5)
    middle = np.s_[100:-100, 100:-100]
    assert simulated[middle].mean() == pytest.approx(hu[middle].mean(), abs=2)


def test_the_same_seed_gives_the_same_bits():
    hu = noise(SOFT, level=20).astype(np.float32)
    seed, other = slice_seed(0, "1.2.3"), slice_seed(0, "1.2.4")
    first = simulate_slice(hu, SPACING, SOFT, SHARP, seed)
    assert np.array_equal(first, simulate_slice(hu, SPACING, SOFT, SHARP, seed))
    assert not np.array_equal(first, simulate_slice(hu, SPACING, SOFT, SHARP, other))
    assert len({seed, other, slice_seed(1, "1.2.3")}) == 3


@pytest.mark.parametrize(("source", "target"), [(SHARP, SOFT), (SOFT, SHARP)])
def test_nothing_wraps_around(source, target):
    y, x = (np.exp(-((np.arange(size) / 5) ** 2)) for size in (64, 80))
    hu = (np.maximum(y[:, np.newaxis], x) * 4000 - 1000).astype(np.float32)
    simulated = simulate_slice(hu, SPACING, source, target, seed=0)
    assert simulated[-20:, -20:] == pytest.approx(hu[-20:, -20:], abs=1)


def test_padding_stays_and_has_no_influence():
    hu = (disk(SHARP) + noise(SHARP, level=20)).astype(np.float32)
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    padding = np.hypot(y, x) > SIZE / 2 - 5
    padded, other = np.where(padding, -2048, hu), np.where(padding, 3071, hu)
    simulated = simulate_slice(padded, SPACING, SHARP, SOFT, 0, padding)
    again = simulate_slice(other, SPACING, SHARP, SOFT, 0, padding)
    assert np.array_equal(simulated[padding], padded[padding])
    assert np.array_equal(simulated[~padding], again[~padding])
    assert simulated[~padding].min() > -1200
    everything = np.ones_like(padding)
    assert np.array_equal(simulate_slice(padded, SPACING, SHARP, SOFT, 0, everything), padded)


def test_fill_outside_the_field_of_view_counts_as_padding():
    hu = (disk(SOFT) + noise(SOFT, level=20)).astype(np.float32)
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    outside = np.hypot(y, x) > SIZE / 2 - 5
    filled = np.where(outside, np.float32(-2000), hu)
    simulated = simulate_slice(filled, SPACING, SOFT, SHARP, 0)
    assert np.array_equal(simulated, simulate_slice(filled, SPACING, SOFT, SHARP, 0, outside))
    assert np.array_equal(simulated == -2000, outside)
