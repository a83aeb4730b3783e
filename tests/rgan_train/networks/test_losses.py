import math

import pytest
import torch

from rgan_train.networks.losses import adversarial_loss, learning_rate_factor


@pytest.mark.parametrize(
    ("progress", "schedule", "factor"),
    [
        (0.0, "constant", 1.0),
        (1.0, "constant", 1.0),
        (0.0, "cosine", 1.0),
        (0.5, "cosine", 0.505),
        (1.0, "cosine", 0.01),
        (1.2, "cosine", 0.01),
    ],
)
def test_rate_factor(progress, schedule, factor):
    assert learning_rate_factor(progress, schedule) == pytest.approx(factor)


@pytest.mark.parametrize(
    ("kind", "is_target", "loss"),
    [
        ("bce", True, -math.log(1 / (1 + math.exp(-2)))),
        ("bce", False, -math.log(1 - 1 / (1 + math.exp(-2)))),
        ("lsgan", True, 1.0),
        ("lsgan", False, 4.0),
    ],
)
def test_adversarial_loss(kind, is_target, loss):
    logits = torch.full((2, 1, 3, 3), 2.0)
    assert adversarial_loss(logits, is_target, kind).item() == pytest.approx(loss)
