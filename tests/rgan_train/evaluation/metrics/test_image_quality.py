import math

import numpy as np
import pytest

from rgan_sdk.hu import HUWindow
from rgan_train.evaluation.metrics.image_quality import mean_absolute_error, psnr, ssim

WINDOW = HUWindow(-1024, 1000)


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    target = rng.normal(0, 500, (40, 50)).astype(np.float32)
    return target + rng.normal(0, 30, target.shape).astype(np.float32), target


def test_psnr_by_hand():
    image = np.zeros((2, 2), np.float32)
    target = np.array([[0, 0], [0, 20]], np.float32)
    assert psnr(image, target, WINDOW) == pytest.approx(20 * math.log10(2024 / 10))


def test_values_outside_the_window_count_as_its_ends():
    image = np.array([[-3024.0, 3071.0]], np.float32)
    target = np.array([[-1024.0, 1000.0]], np.float32)
    assert psnr(image, target, WINDOW) == math.inf


def test_against_scikit_image(images):
    metrics = pytest.importorskip("skimage.metrics")
    image, target = (np.clip(part.astype(np.float64), -1024, 1000) for part in images)
    expected = metrics.structural_similarity(
        image + 1024,
        target + 1024,
        data_range=2024,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim(*images, WINDOW) == pytest.approx(expected, abs=1e-9)
    expected = metrics.peak_signal_noise_ratio(target, image, data_range=2024)
    assert psnr(*images, WINDOW) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("mean", [-300, 0, 300])
def test_a_shift_of_soft_tissue_does_not_look_like_another_structure(mean):
    texture = np.random.default_rng(0).normal(0, 20, (2, 40, 40)).astype(np.float32)
    assert ssim(texture[0] + mean - 10, texture[0] + mean + 10, WINDOW) > 0.99
    one, other = ssim(*texture, WINDOW), ssim(*(texture + mean), WINDOW)
    assert one == pytest.approx(other, abs=0.005)


def test_equal_images(images):
    assert ssim(images[0], images[0], WINDOW) == pytest.approx(1.0)


def test_padding_does_not_count(images):
    image, target = images
    padding = np.zeros(image.shape, np.bool_)
    padding[:, 30:] = True
    padded = np.where(padding, 5000, image).astype(np.float32)
    inside = image[:, :30], target[:, :30]
    for metric in (psnr, ssim, mean_absolute_error):
        expected = metric(*inside, WINDOW)
        assert metric(padded, target, WINDOW, padding) == pytest.approx(expected)
        assert metric(*images, WINDOW, padding & ~padding) == metric(*images, WINDOW)
        assert math.isnan(metric(*images, WINDOW, padding | ~padding))
