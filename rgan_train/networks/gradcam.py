"""Grad-CAM (Selvaraju et al. 2017): which parts of an image led a network to its answer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from rgan_train.networks.discriminator import PatchDiscriminator


def grad_cam(layer: nn.Module, score: Callable[[], Tensor]) -> Tensor:
    """Return the class activation map of a layer.

    Parameters
    ----------
    layer
        A layer with activations ``[N, C, h, w]``.
    score
        Runs the network once and returns one number per image, ``[N]``.

    Returns
    -------
    Tensor
        ``[N, h, w]``: the positive part of the sum of the activations, each channel weighted
        with the score's gradient averaged over the image.

    Notes
    -----
    The layer's hook is removed even if ``score`` raises an error.
    """
    kept: list[Tensor] = []

    def keep(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        """Start the autograd graph here, even if earlier layers are frozen."""
        kept.append(output.detach().requires_grad_())
        return kept[-1]

    handle = layer.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            total = score().sum()
    finally:
        handle.remove()
    (activations,) = kept
    (gradients,) = torch.autograd.grad(total, activations)
    weights = gradients.mean((2, 3), keepdim=True)
    return (weights * activations.detach()).sum(1).relu()


def non_standard_cam(discriminator: PatchDiscriminator, *images: Tensor) -> Tensor:
    """Return where the discriminator recognizes a candidate as such, ``[N, H, W]`` in [0, 1].

    Parameters
    ----------
    images
        What it is called with: ``[N, 1, H, W]`` each.

    Notes
    -----
    The score is minus the mean logit. The layer is the last one before the logits (paper,
    section 2.2), after its normalization: before it the gradients sum to zero because of the
    instance normalization, and so would the weights of Grad-CAM. Each map is enlarged to the
    size of the image and scaled to [0, 1]; a constant map becomes 0.
    """
    cam = grad_cam(discriminator.features[-1], lambda: -discriminator(*images).mean((1, 2, 3)))
    enlarged = functional.interpolate(
        cam[:, None], size=images[-1].shape[-2:], mode="bilinear", align_corners=False
    )[:, 0]
    lowest, highest = enlarged.amin((1, 2), keepdim=True), enlarged.amax((1, 2), keepdim=True)
    span = highest - lowest
    return torch.where(span > 0, (enlarged - lowest) / span.clamp_min(1e-30), 0.0)
