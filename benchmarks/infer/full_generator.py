"""The full VGG-19 generator with random weights: for speed, which does not depend on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from rgan_sdk.card import CARD_KEY, SpacingRange
from rgan_sdk.hu import HUWindow
from rgan_sdk.model import HarmonizationModel
from rgan_train.config import recommended_config
from rgan_train.export.onnx_graph import to_onnx
from rgan_train.methods.radiomicgan import RadiomicGAN
from rgan_train.networks.generator import Generator
from rgan_train.networks.graph import HarmonizationGraph, harmonize_slice
from rgan_train.networks.spacing import innermost

CHANGE_HU = 30.0
LIMITS = SpacingRange(min=0.45, max=0.9, reference=0.65)
SPACING = LIMITS.reference


def make_graph(hu: NDArray[np.float32]) -> HarmonizationGraph:
    """Return the generator of ``radiomicgan.toml``, scaled so that it changes a slice visibly."""
    torch.manual_seed(0)
    generator = RadiomicGAN.build_network(recommended_config("radiomicgan")).eval()
    network = innermost(generator)
    assert isinstance(network, Generator)
    last = network.head[-1]
    assert isinstance(last, torch.nn.Conv2d)
    torch.nn.init.normal_(last.weight, std=0.01)
    graph = HarmonizationGraph(generator, HUWindow(-1032.0, 1008.0)).requires_grad_(False)
    size = len(hu)
    middle = hu[3 * size // 8 : 5 * size // 8, 3 * size // 8 : 5 * size // 8]
    change = harmonize_slice(graph, middle, SPACING) - middle
    last.weight *= CHANGE_HU / float(np.sqrt(np.square(change).mean()))
    return graph.eval()


def write_model(graph: HarmonizationGraph, path: Path, kernel: str) -> HarmonizationModel:
    """Write the generator as a model file, with a card that says what it is."""
    card = replace(
        HarmonizationModel.open("b40f-to-b70f").card,
        name="random-vgg19",
        window=graph.window,
        multiple=graph.multiple,
        source_kernels=(kernel,),
        training_data=(),
        quality=(),
        error_bounds={},
        pixel_spacing=LIMITS,
    )
    converted = to_onnx(graph)
    onnx.helper.set_model_props(converted, {CARD_KEY: card.to_json()})
    path.write_bytes(converted.SerializeToString())
    return HarmonizationModel.open(path)
