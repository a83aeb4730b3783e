"""Adversarial loss (paper, section 2.1, after Isola et al. 2017) and learning rate schedule."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

FINAL_RATE = 0.01
"""Share of the learning rate at the end of the cosine schedule."""


def adversarial_loss(logits: Tensor, is_target: bool, kind: Literal["bce", "lsgan"]) -> Tensor:
    """Return how far a discriminator's logits are from the wanted answer.

    Parameters
    ----------
    logits
        ``[N, 1, h, w]``, high where a patch looks like the target.
    is_target
        The wanted answer for all patches.
    kind
        ``bce``: cross-entropy; ``lsgan``: mean squared distance to 0 or 1.
    """
    wanted = torch.full_like(logits, float(is_target))
    if kind == "bce":
        return functional.binary_cross_entropy_with_logits(logits, wanted)
    return functional.mse_loss(logits, wanted)


def learning_rate_factor(progress: float, schedule: Literal["constant", "cosine"]) -> float:
    """Return the share of the initial learning rate at ``progress`` in [0, 1]."""
    if schedule == "constant":
        return 1.0
    cosine = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return FINAL_RATE + (1 - FINAL_RATE) * cosine
