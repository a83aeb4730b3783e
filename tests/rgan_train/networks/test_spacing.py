"""Weights that are polynomials of the pixel spacing."""

import copy
import math

import pytest
import torch

from rgan_sdk.hu import HUWindow
from rgan_train.config import GeneratorConfig
from rgan_train.methods.radiomicgan import build_generator
from rgan_train.networks.compact import CompactCNN
from rgan_train.networks.graph import HarmonizationGraph
from rgan_train.networks.spacing import SpacingAware, innermost
from rgan_train.networks.weights import load_trainable_state, trainable_state

REFERENCE = 0.7


def make(network=None):
    torch.manual_seed(0)
    aware = SpacingAware(network or CompactCNN(channels=4, layers=3))
    aware.prepare([], HUWindow(-1032, 1008), REFERENCE)
    for part in (*aware.slopes.parameters(), *aware.curvatures.parameters()):
        torch.nn.init.normal_(part, std=0.1)
    torch.nn.init.normal_(innermost(aware).layers[-1].weight, std=0.1)
    return aware


def at(spacing):
    return torch.tensor([spacing])


@torch.no_grad()
def test_at_the_reference_the_weights_are_the_networks_own():
    aware, image = make(), torch.rand(2, 1, 12, 12)
    assert torch.equal(aware(image, at(REFERENCE)), aware.network(image, at(REFERENCE)))
    assert not torch.equal(aware(image, at(0.9)), aware.network(image, at(0.9)))


@pytest.mark.parametrize("spacing", [0.55, 0.95])
@torch.no_grad()
def test_elsewhere_each_weight_is_a_polynomial(spacing):
    aware, image = make(), torch.rand(1, 1, 12, 12)
    plain, place = copy.deepcopy(aware.network), math.log(spacing / REFERENCE)
    for name, weight in plain.named_parameters():
        key = name.replace(".", "/")
        weight += place * aware.slopes[key] + place**2 * aware.curvatures[key]
    wanted = plain.predict(image)
    torch.testing.assert_close(aware.predict_at(image, at(spacing)), wanted)
    torch.testing.assert_close(aware(image, at(spacing)), image + wanted)


def test_all_coefficients_are_trained():
    aware = make()
    aware(torch.rand(1, 1, 12, 12), at(0.9)).sum().backward()
    assert all(parameter.grad.any() for parameter in aware.parameters())


def test_a_frozen_encoder_knows_no_spacing():
    config = GeneratorConfig(encoder="none", widths=(4, 8), stem_channels=4, output="residual")
    aware = SpacingAware(build_generator(config))
    inner = {name for name, _ in aware.network.named_parameters()}
    encoder = {name for name in inner if name.startswith("encoder.")}
    assert encoder
    assert {key.replace("/", ".") for key in aware.slopes} == inner - encoder


@torch.no_grad()
def test_float16_keeps_the_polynomials_in_float32():
    aware = make()
    graph = HarmonizationGraph(aware, HUWindow(-1032, 1008))
    hu = torch.rand(1, 1, 12, 12) * 500
    half = HarmonizationGraph(aware, graph.window).use_float16()
    kinds = {parameter.dtype for parameter in half.network.parameters()}
    assert kinds == {torch.float32}
    wanted = graph(hu, at(0.9))
    difference = (half(hu, at(0.9)) - wanted).abs().max()
    assert 0 < difference < 0.01 * (wanted - hu).abs().max()


@torch.no_grad()
def test_weights_and_reference_come_back_from_a_checkpoint():
    first = make()
    second = SpacingAware(CompactCNN(channels=4, layers=3))
    load_trainable_state(second, trainable_state(first))
    image = torch.rand(1, 1, 12, 12)
    assert torch.equal(first(image, at(0.9)), second(image, at(0.9)))
