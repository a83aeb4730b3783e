"""What a discriminator of real slices sees of them, and what counts as anatomy."""

import numpy as np
import pytest
import torch

from rgan_train.methods.unpaired.bands import low_pass, shows_texture, texture

SPACING, SIZE = 0.7, 96


def crop(seed=0):
    """Return white noise of 0.01 in window units, which is 30 HU."""
    image = np.random.default_rng(seed).normal(0.4, 0.01, (1, 1, SIZE, SIZE))
    return torch.from_numpy(image.astype(np.float32))


def wave(frequency, size=SIZE, spacing=SPACING):
    """Return a wave of a frequency in lp/cm along the columns."""
    line = torch.cos(2 * torch.pi * frequency * torch.arange(size) * spacing / 10)
    return line.expand(1, 1, size, size)


def seen(image, coarsest=SPACING):
    return texture(image, SPACING, coarsest)


def test_a_texture_has_the_same_strength_at_any_dose():
    image = crop()
    assert seen(image).square().mean() == pytest.approx(1, abs=1e-4)
    quieter = 0.4 + 0.2 * (image - 0.4)
    assert torch.allclose(seen(quieter), seen(image), atol=1e-3)


def test_a_texture_does_not_depend_on_brightness():
    assert torch.allclose(seen(crop() + 0.3), seen(crop()), atol=1e-3)


@pytest.mark.parametrize("frequency", [0.3, 1.0, 1.5, 1.9])
def test_anatomy_does_not_show_in_a_texture(frequency):
    image = crop()
    assert torch.allclose(seen(image + 0.02 * wave(frequency)), seen(image), atol=0.05)


def test_what_tells_kernels_apart_shows():
    image = crop()
    assert not torch.allclose(seen(image + 0.02 * wave(4.0)), seen(image), atol=1.0)


def test_a_texture_ends_where_the_coarsest_slice_does():
    """A slice of 1 mm holds nothing above 5 lp/cm, whatever pixels it is resampled to."""
    image = crop()
    finer, coarser = (seen(image + 0.02 * wave(4.9), coarsest) for coarsest in (0.7, 1.0))
    assert not torch.allclose(finer, seen(image), atol=1.0)
    assert torch.allclose(coarser, seen(image, 1.0), atol=0.05)


def test_a_crop_without_texture_stays_empty():
    even = torch.full((1, 1, SIZE, SIZE), 0.4, requires_grad=True)
    seen(even).sum().backward()
    assert seen(even).abs().max() < 0.1
    assert torch.isfinite(even.grad).all()


@pytest.mark.parametrize(("spacing", "coarsest", "shows"), [(1.5, 1.5, True), (1.8, 1.8, False)])
def test_pixels_too_coarse_for_texture(spacing, coarsest, shows):
    assert shows_texture(spacing, coarsest) == shows


@pytest.mark.parametrize("spacing", [0.5, 0.7, 1.0])
def test_anatomy_is_what_lies_below_1_lp_per_cm(spacing):
    heights = [
        float(low_pass(wave(frequency, 200, spacing), spacing).abs().max())
        for frequency in (0.3, 1.0, 2.5)
    ]
    assert heights[0] > 0.9
    assert heights[1] == pytest.approx(0.55, abs=0.05)
    assert heights[2] < 0.05
