import numpy as np
import pytest
import torch

from rgan_sdk.hu import HUWindow
from rgan_train.config import GeneratorConfig
from rgan_train.methods.radiomicgan import build_generator
from rgan_train.networks.graph import HarmonizationGraph, harmonize_slice
from rgan_train.networks.window import HANDOVER, network_window, normalize

WINDOW = HUWindow(-1024.0, 1000.0)
SPACING = torch.tensor([0.7])


def graph_of(output, window=WINDOW):
    torch.manual_seed(1)
    config = GeneratorConfig(encoder="none", widths=(4, 8), stem_channels=4, output=output)
    generator = build_generator(config)
    torch.nn.init.normal_(generator.head[-1].weight, std=0.01)
    return generator, HarmonizationGraph(generator, window)


@pytest.mark.parametrize("output", ["residual", "direct"])
def test_hu_outside_the_window_come_out_bit_equal(output):
    _, graph = graph_of(output)
    hu = torch.linspace(-3024, 3071, 64 * 64).view(1, 1, 64, 64)
    out = graph(hu, SPACING)
    outside = (hu <= WINDOW.lower) | (hu >= WINDOW.upper)
    assert outside.any()
    assert torch.equal(out[outside], hu[outside])
    assert not torch.equal(out[~outside], hu[~outside])


@pytest.mark.parametrize("output", ["residual", "direct"])
def test_it_is_the_generator_in_the_middle_of_the_window(output):
    generator, graph = graph_of(output)
    hu = torch.rand(2, 1, 16, 16) * 1900 - 960
    with torch.no_grad():
        wanted = generator(normalize(hu, WINDOW), SPACING) * WINDOW.width + WINDOW.lower
        assert torch.allclose(graph(hu, SPACING), wanted, atol=0.05)


def test_the_handover_is_linear():
    generator, graph = graph_of("direct")
    torch.nn.init.zeros_(generator.head[-1].weight)
    torch.nn.init.constant_(generator.head[-1].bias, 0.5)  # HU -12 everywhere
    hu = torch.full((1, 1, 8, 8), WINDOW.lower + HANDOVER / 4)
    wanted = hu + 0.25 * (-12 - hu)
    assert torch.allclose(graph(hu, SPACING), wanted, atol=1e-3)


def test_weights_are_shared_and_the_generator_stays_as_it_was():
    generator, graph = graph_of("residual")
    assert generator.output == "residual"
    torch.nn.init.zeros_(generator.head[-1].weight)
    hu = torch.rand(1, 1, 8, 8)
    assert torch.equal(graph(hu, SPACING), hu)


def test_slices_of_any_size():
    _, graph = graph_of("residual")
    hu = np.random.default_rng(0).normal(0, 100, (17, 23)).astype(np.float32)
    out = harmonize_slice(graph, hu, 0.7)
    assert out.shape == hu.shape
    padded = np.pad(hu, ((0, 1), (0, 1)), mode="edge")
    assert np.array_equal(out, harmonize_slice(graph, padded, 0.7)[:17, :23])


def test_a_slice_does_not_depend_on_its_neighbours_in_the_batch():
    _, graph = graph_of("residual")
    hu = torch.rand(16, 1, 16, 16) * 1000
    with torch.no_grad():
        alone = torch.cat([graph(image[None], SPACING) for image in hu])
        assert torch.allclose(graph(hu, SPACING), alone, atol=1e-3)


def test_all_of_the_range_is_harmonized():
    hu_range = HUWindow(-1024.0, 1000.0)
    assert network_window(hu_range) == HUWindow(-1032.0, 1008.0)
    generator, graph = graph_of("direct", network_window(hu_range))
    torch.nn.init.zeros_(generator.head[-1].weight)
    torch.nn.init.constant_(generator.head[-1].bias, 0.5)  # HU -12 everywhere
    hu = torch.tensor([-1032.0, -1024.0, 1000.0, 1008.0]).view(1, 1, 1, 4).expand(1, 1, 8, 4)
    hu = hu.repeat(1, 1, 1, 2)
    assert graph(hu, SPACING)[0, 0, 0, :4].tolist() == pytest.approx(
        [-1032, -12, -12, 1008], abs=1e-3
    )
