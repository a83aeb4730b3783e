import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from rgan_sdk.kernels.interpolation import gaussian_blur, sample_cubic, sample_linear

SHAPES = [(40, 57), (57, 40), (5, 3), (1, 9), (2, 2)]
TOLERANCE = {"rtol": 1e-12, "atol": 1e-9}


@pytest.fixture(params=SHAPES, ids=str)
def image(request):
    """HU with noise and steps of 1000 HU."""
    rng = np.random.default_rng(0)
    return rng.normal(0, 30, request.param) + 1000 * rng.integers(-1, 2, request.param)


def points_around(shape):
    """Return points inside and outside of an image, on its pixels, and on its border."""
    rng = np.random.default_rng(1)
    inside = rng.uniform(0, np.subtract(shape, 1), (40, 30, 2))
    outside = rng.uniform(-9, np.add(shape, 8), (40, 30, 2))
    pixels = rng.integers(0, shape, (40, 30, 2))
    corners = np.broadcast_to([(0, 0), np.subtract(shape, 1)] * 15, (40, 30, 2))
    return np.moveaxis(np.concatenate([inside, outside, pixels, corners]), -1, 0)


@pytest.mark.parametrize("sigma", [(1.43, 1.43), (0.5, 2.2), (3.1, 0.3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_blur_is_that_of_scipy(image, sigma, dtype):
    image = image.astype(dtype)
    expected = gaussian_filter(image, sigma, output=np.float64)
    blurred = gaussian_blur(image, sigma)
    assert blurred.dtype == np.float64
    np.testing.assert_allclose(blurred, expected, **TOLERANCE)


@pytest.mark.parametrize(("sample", "order"), [(sample_linear, 1), (sample_cubic, 3)])
def test_samples_are_those_of_scipy(image, sample, order):
    points = points_around(image.shape)
    expected = map_coordinates(image, points, order=order, mode="nearest")
    sampled = sample(image, points)
    assert sampled.shape == points.shape[1:]
    np.testing.assert_allclose(sampled, expected, **TOLERANCE)


def test_inside_a_slice_bits_are_those_of_scipy():
    hu = np.random.default_rng(2).normal(0, 300, (128, 160))
    points = np.random.default_rng(3).uniform(8, 119, (2, 50, 121))
    np.testing.assert_array_equal(gaussian_blur(hu, (1.4, 1.6)), gaussian_filter(hu, (1.4, 1.6)))
    for sample, order in ((sample_linear, 1), (sample_cubic, 3)):
        expected = map_coordinates(hu, points, order=order, mode="nearest")
        np.testing.assert_array_equal(sample(hu, points), expected)


@pytest.mark.parametrize("sample", [sample_linear, sample_cubic])
def test_a_sample_on_a_pixel_is_the_pixel(image, sample):
    np.testing.assert_allclose(sample(image, np.indices(image.shape)), image, rtol=1e-6, atol=1e-3)


def test_a_cubic_polynomial_is_met_between_pixels():
    def polynomial(y, x):
        return 2 * y**3 - 40 * y**2 + x**3 / 3 - 7 * x * y + 11

    image = polynomial(*np.mgrid[0:60.0, 0:70.0])
    y, x = points = np.random.default_rng(4).uniform(25, 35, (2, 200))
    np.testing.assert_allclose(sample_cubic(image, points), polynomial(y, x), rtol=1e-6)
