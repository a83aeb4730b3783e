"""Exported networks that know the pixel spacing compute what PyTorch does at each of them."""

import numpy as np
import onnx
import pytest
import torch
from support.models import make_domain_card
from support.training import tiny_config

from rgan_sdk.card import CARD_KEY, ErrorBound, SpacingRange
from rgan_train.export.onnx_graph import to_onnx
from rgan_train.export.parity import Check, add_extremes, check_parity
from rgan_train.methods import METHODS
from rgan_train.networks.graph import HarmonizationGraph, harmonize_slice
from rgan_train.networks.window import network_window

SPACINGS = (0.5, 0.7, 0.98)
"""Both ends and the reference."""


def build_graph(name):
    """Return a graph whose weights all depend on the pixel spacing, as after a long training."""
    config = tiny_config(f"method.name={name}", "domain.spacing_aware=true", "compact.channels=4")
    torch.manual_seed(0)
    network = METHODS[name].build_network(config)
    for key, tensor in (*network.named_parameters(), *network.named_buffers()):
        if key.endswith("reference"):
            tensor.fill_(SPACINGS[1])
        elif "taps_" in key:
            torch.nn.init.normal_(tensor, std=0.3 / tensor.shape[-1])
        else:
            tensor.data += 0.02 * torch.randn_like(tensor)
    return HarmonizationGraph(network, network_window(config.data.hu_range))


@pytest.mark.parametrize(
    ("name", "precision", "limit"),
    [
        ("linear", "fp32", 0.05),
        ("compact", "fp32", 0.05),
        ("radiomicgan", "fp32", 0.05),
        ("physics+gan", "fp16", 5.0),
    ],
)
def test_the_file_follows_the_pixel_spacing(name, precision, limit):
    graph = build_graph(name)
    hu = np.random.default_rng(0).normal(0, 300, (64, 72)).astype(np.float32)
    images = [add_extremes(hu), hu[:40]]
    checks = [
        Check(image, spacing, harmonize_slice(graph, image, spacing))
        for spacing in SPACINGS
        for image in images
    ]
    for one, other in zip(checks[::2], checks[2::2], strict=False):
        assert np.abs(one.expected - other.expected).max() > 2 * limit
    model = to_onnx(graph if precision == "fp32" else graph.use_float16())
    card = make_domain_card(
        window=graph.window,
        multiple=graph.multiple,
        pixel_spacing=SpacingRange(SPACINGS[0], SPACINGS[2], SPACINGS[1]),
        error_bounds={"fp16": ErrorBound(limit, limit)} if precision == "fp16" else {},
    )
    onnx.helper.set_model_props(model, {CARD_KEY: card.to_json()})
    assert check_parity(model, checks, limit).max > 0
    assert "Slice" not in {node.op_type for node in model.graph.node}
