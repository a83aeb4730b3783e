import numpy as np
import pytest

from rgan_sdk.kernels import soft_tissue_noise
from rgan_sdk.phantom import synthetic_slices

SIZE = 256
SPACING = 0.7


def body(soft_tissue=50.0):
    """Return a slice of air around a disc of soft tissue."""
    y, x = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    return np.where(np.hypot(x, y) < 0.8, soft_tissue, -1000.0)


def noise(sigma, smooth=False):
    """Return noise of a known standard deviation, white or as grainy as a soft kernel's."""
    white = np.random.default_rng(1).normal(size=(SIZE, SIZE))
    if smooth:
        frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(SIZE)] * 2))
        colour = frequency * np.exp(-((frequency / 0.25) ** 2))
        white = np.fft.ifft2(np.fft.fft2(white) * colour).real
    return sigma * white / white.std()


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("sigma", [3.0, 20.0, 100.0])
def test_known_noise_is_found_within_a_tenth(sigma, smooth):
    hu = (body() + noise(sigma, smooth)).astype(np.float32)
    assert soft_tissue_noise(hu, SPACING) == pytest.approx(sigma, rel=0.1)


@pytest.mark.parametrize("spacing", [0.4, 0.98])
def test_the_size_of_pixels_does_not_matter(spacing):
    hu = (body() + noise(20.0)).astype(np.float32)
    assert soft_tissue_noise(hu, spacing) == pytest.approx(20.0, rel=0.1)


def test_vessels_do_not_count_as_noise():
    hu = body()
    hu[:, ::24] += 150  # two blocks of 8 mm apart
    hu[:, 1::24] += 150
    hu = (hu + noise(10.0)).astype(np.float32)
    assert soft_tissue_noise(hu, SPACING) == pytest.approx(10.0, rel=0.1)


@pytest.mark.parametrize("kernel", ["B40f", "B70f"])
def test_a_slice_of_a_thorax_has_some_noise(kernel):
    (hu,) = synthetic_slices(kernel, 1, size=256)
    assert 1 < soft_tissue_noise(hu, 1.3) < 200


def test_no_soft_tissue_no_number():
    assert soft_tissue_noise(body(-800.0).astype(np.float32), SPACING) is None
    assert soft_tissue_noise(np.zeros((8, 8), np.float32), SPACING) is None


@pytest.mark.parametrize("hu", [np.nan, np.inf, 50.0, -1000.0])
@pytest.mark.parametrize("shape", [(1, 1), (1, 512), (5, 5), (6, 6), (13, 7), (64, 64)])
@pytest.mark.parametrize("spacing", [1e-4, 0.7, 50.0])
def test_slices_that_show_nothing_have_no_noise(hu, shape, spacing):
    found = soft_tissue_noise(np.full(shape, hu, np.float32), spacing)
    assert found is None or 0 <= found < 1e-9


def test_pixels_without_a_value_are_left_out():
    hu = (body() + noise(20.0)).astype(np.float32)
    hu[:100:7, ::9], hu[200:, 5] = np.nan, np.inf
    assert soft_tissue_noise(hu, SPACING) == pytest.approx(20.0, rel=0.1)


def test_soft_tissue_without_an_even_place_gives_no_number():
    random = np.random.default_rng(2)
    texture = np.repeat(np.repeat(random.uniform(0, 100, (16, 16)), 16, 0), 16, 1)
    strength = np.repeat(np.repeat(random.uniform(1, 300, (8, 8)), 32, 0), 32, 1)
    hu = (texture + strength * noise(1.0)).astype(np.float32)
    assert soft_tissue_noise(hu, SPACING) is None
