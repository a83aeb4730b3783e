import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, uniform_filter
from support.requirements import require_data

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_train.evaluation.metrics.tissue_bias import TISSUES, tissue_bias

LEVELS = {
    "air": -1000,
    "lung": -850,
    "fat": -100,
    "soft tissue": 45,
    "bone": 450,
    "dense bone": 1100,
}


def patches(levels, size=48, slices=4):
    """A square of each level, side by side."""
    row = np.repeat(np.array([*levels], np.float32), size)
    return np.broadcast_to(row, (slices, size, len(row))).copy()


def noise(shape, sd, seed):
    return np.random.default_rng(seed).normal(0, sd, shape).astype(np.float32)


def grainy(shape, sd, seed):
    """Noise like that of a sharp kernel: little at the lowest frequencies, correlated."""
    frequency = np.hypot(np.fft.fftfreq(shape[1])[:, np.newaxis], np.fft.fftfreq(shape[2]))
    transfer = np.sqrt(frequency) * np.exp(-((frequency / 0.28) ** 4))
    filtered = np.fft.ifft2(np.fft.fft2(noise(shape, 1, seed)) * transfer).real
    return (sd * filtered / filtered.std()).astype(np.float32)


def test_the_ranges_are_apart():
    ranges = sorted(TISSUES.values(), key=lambda tissue: tissue.lower)
    assert all(a.upper <= b.lower for a, b in pairwise(ranges))
    assert TISSUES.keys() == LEVELS.keys()


def test_known_offsets():
    target = patches(LEVELS.values())
    offsets = np.array([3, -7, 20, -1.5, 60, -120], np.float32)
    bias = tissue_bias(target + patches(offsets), target)
    assert bias == pytest.approx(dict(zip(LEVELS, offsets.tolist(), strict=True)), abs=1e-3)


def test_a_wrong_slope():
    target = patches(LEVELS.values())
    expected = {name: 0.05 * level for name, level in LEVELS.items()}
    assert tissue_bias(target * np.float32(1.05), target) == pytest.approx(expected, rel=1e-3)


def test_equal_images_have_no_bias():
    target = patches(LEVELS.values()) + noise((4, 48, 288), 30, 0)
    assert tissue_bias(target, target) == dict.fromkeys(TISSUES, 0)


@pytest.mark.parametrize("make_noise", [noise, grainy])
def test_noise_of_the_target_is_no_bias(make_noise):
    # Near the ends of the ranges, so that noise moves many single pixels out of and into them.
    truth = patches([-970, -925, -130, 20, 325, 830], size=64, slices=16)
    target = truth + make_noise(truth.shape, 40, 1)
    image = truth + noise(truth.shape, 10, 2)
    assert tissue_bias(image, target) == pytest.approx(dict.fromkeys(TISSUES, 0), abs=2)
    for name in ("air", "lung", "fat", "soft tissue", "dense bone"):
        single = (target >= TISSUES[name].lower) & (target <= TISSUES[name].upper)
        assert abs((image - target)[single].mean()) > 10


def test_blur_alone_is_no_bias_in_even_tissue():
    target = gaussian_filter(patches(LEVELS.values()), (0, 0.6, 0.6))
    bias = tissue_bias(gaussian_filter(target, (0, 1, 1)), target)
    assert bias == pytest.approx(dict.fromkeys(TISSUES, 0), abs=2)


def test_the_border_of_two_tissues_is_none_of_a_third():
    target = uniform_filter(patches([-1000, 45]), (0, 3, 3))
    bias = tissue_bias(target + 10, target)
    assert {name for name, value in bias.items() if value == pytest.approx(10)} == {
        "air",
        "soft tissue",
    }
    assert {name for name, value in bias.items() if math.isnan(value)} == {
        "lung",
        "fat",
        "bone",
        "dense bone",
    }


def test_padding_is_no_air():
    target = patches([-3024, 45])
    bias = tissue_bias(target + 10, target)
    assert math.isnan(bias["air"])
    assert bias["soft tissue"] == pytest.approx(10)


def test_a_few_pixels_are_too_few():
    target = patches([45, 450], size=20, slices=4)
    target[:, :, 32:] = 45  # leaves 4 x 20 x 4 pixels of bone whose means are bone
    assert math.isnan(tissue_bias(target + 10, target)["bone"])
    target = np.repeat(target, 4, axis=0)
    assert tissue_bias(target + 10, target)["bone"] == pytest.approx(10)


def test_exchanging_two_kernels_turns_the_sign():
    folder = require_data("pair_lungdx_A0002_siemens")
    soft, sharp = (
        np.stack(
            [
                read_slice(file.path, file.stamp).hu
                for file in find_series(folder / kernel).series[0].slices[22:26]
            ]
        )
        for kernel in ("B40f", "B70f")
    )
    bias, exchanged = tissue_bias(soft, sharp), tissue_bias(sharp, soft)
    # Regression to the mean would have the same sign in both directions.
    for name in ("air", "lung", "fat", "soft tissue"):
        assert bias[name] == pytest.approx(-exchanged[name], abs=0.3)
        assert abs(bias[name]) < 4


def test_the_image_does_not_choose():
    target = patches([45, -850])
    image = np.full_like(target, 450)
    bias = tissue_bias(image, target)
    assert bias["soft tissue"] == pytest.approx(405)
    assert bias["lung"] == pytest.approx(1300)
    assert math.isnan(bias["bone"])


def test_slices_count_by_their_pixels():
    target = np.concatenate([patches([45, 45], slices=1), patches([45, -850], slices=1)])
    image = target + np.array([0, 30], np.float32)[:, np.newaxis, np.newaxis]
    full, part = 48 * 96, 48 * (48 - 4)  # four columns of means reach the other tissue
    assert tissue_bias(image, target)["soft tissue"] == pytest.approx(30 * part / (full + part))


def test_other_shapes_are_refused():
    target = patches([45])
    with pytest.raises(ValueError, match="differ in shape"):
        tissue_bias(target[:2], target)


def test_padding_does_not_count():
    target = patches(LEVELS.values())
    image = target + np.float32(3)
    padding = np.zeros(target.shape, np.bool_)
    padding[:, :24] = True
    image[padding] = -3024
    bias = tissue_bias(image, np.where(padding, np.float32(45), target), padding)
    assert bias == pytest.approx(dict.fromkeys(LEVELS, 3.0), abs=1e-3)
