"""Grad-CAM against a case worked out by hand, and against captum."""

import pytest
import torch
from torch import nn

from rgan_train.networks.discriminator import Discriminator
from rgan_train.networks.gradcam import grad_cam, non_standard_cam


def hooks_of(module):
    return [hook for part in module.modules() for hook in part._forward_hooks.values()]


def test_by_hand():
    layer = nn.Conv2d(1, 2, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([2.0, -1.0]).view(2, 1, 1, 1))
    image = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).view(1, 1, 2, 2)
    per_pixel = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    # Score: 1 for the upper left and 3 for the lower right pixel of channel 0, less channel 1.
    # Mean gradients: channel 0: (1 + 0 + 0 + 3) / 4 = 1; channel 1: -1.
    # Map: 1 * 2x + (-1) * (-x) = 3x.
    model = nn.Sequential(layer)

    def score():
        activations = model(image)
        return (activations[:, 0] * per_pixel).sum((1, 2)) - activations[:, 1].sum((1, 2))

    assert torch.equal(grad_cam(layer, score), 3 * image[:, 0])


def test_only_the_positive_part():
    layer = nn.Identity()
    image = torch.tensor([-1.0, 2.0]).view(1, 1, 1, 2)
    assert grad_cam(layer, lambda: layer(image).sum((1, 2, 3))).tolist() == [[[0.0, 2.0]]]


@pytest.mark.parametrize("strided_layers", [1, 3])
def test_against_captum(strided_layers):
    from captum.attr import LayerGradCam

    torch.manual_seed(0)
    discriminator = Discriminator(4, strided_layers)
    source, candidate = torch.rand(2, 3, 1, 64, 64)
    layer = discriminator.features[-1]
    ours = grad_cam(layer, lambda: -discriminator(source, candidate).mean((1, 2, 3)))
    captum = LayerGradCam(
        lambda candidate, source: -discriminator(source, candidate).mean((1, 2, 3)), layer
    )
    wanted = captum.attribute(
        candidate.requires_grad_(), additional_forward_args=source, relu_attributions=True
    )
    assert ours.max() > 0
    assert torch.allclose(ours, wanted[:, 0], rtol=1e-4, atol=1e-7)


def test_before_the_normalisation_there_would_be_nothing_to_see():
    torch.manual_seed(0)
    discriminator = Discriminator(4, 1)
    source, candidate = torch.rand(2, 1, 1, 32, 32)
    convolution, activation = discriminator.features[2], discriminator.features[-1]
    blind, seeing = (
        grad_cam(layer, lambda: -discriminator(source, candidate).mean((1, 2, 3))).max()
        for layer in (convolution, activation)
    )
    assert blind < 1e-4 * seeing


def test_maps_are_scaled_and_as_large_as_the_image():
    torch.manual_seed(0)
    discriminator = Discriminator(4, 2)
    source, candidate = torch.rand(2, 3, 1, 40, 48)
    with torch.no_grad(), discriminator.freeze_weights():
        cam = non_standard_cam(discriminator, source, candidate)
    assert cam.shape == (3, 40, 48)
    assert not cam.requires_grad
    assert torch.equal(cam.amin((1, 2)), torch.zeros(3))
    assert torch.allclose(cam.amax((1, 2)), torch.ones(3))
    assert all(parameter.grad is None for parameter in discriminator.parameters())


def test_a_flat_map_has_no_hot_pixel():
    discriminator = Discriminator(4, 1)
    nn.init.zeros_(discriminator.logits.weight)
    cam = non_standard_cam(discriminator, *torch.rand(2, 1, 1, 32, 32))
    assert torch.equal(cam, torch.zeros(1, 32, 32))


def test_hooks_are_removed_whatever_happens():
    discriminator = Discriminator(4, 1)
    non_standard_cam(discriminator, *torch.rand(2, 1, 1, 32, 32))
    assert not hooks_of(discriminator)

    def fails():
        discriminator(*torch.rand(2, 1, 1, 32, 32))
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        grad_cam(discriminator.features[-1], fails)
    assert not hooks_of(discriminator)
