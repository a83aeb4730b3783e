"""Where the compact network starts, and how far it sees."""

import torch

from rgan_train.networks.compact import CompactCNN

SPACING = torch.tensor([0.7])


def make(layers=5):
    torch.manual_seed(0)
    return CompactCNN(channels=8, layers=layers)


def test_it_starts_by_changing_nothing():
    slices = torch.rand(2, 1, 24, 20)
    assert torch.equal(make()(slices, SPACING), slices)


def test_its_first_filters_see_differences_only():
    first = make().layers[0]
    flat, step = torch.full((1, 1, 9, 9), 0.7), torch.zeros(1, 1, 9, 9)
    step[..., 4:] = 0.01
    assert first(flat)[..., 2:-2, 2:-2].abs().max() < 1e-5
    assert first(step)[..., 2:-2, 2:-2].abs().max() > 0.05


def test_it_sees_one_pixel_more_with_each_layer():
    for layers in (2, 5):
        network = make(layers)
        torch.nn.init.ones_(network.layers[-1].weight)
        image = torch.rand(1, 1, 41, 41, requires_grad=True)
        network(image, SPACING)[0, 0, 20, 20].backward()
        seen = image.grad[0, 0].nonzero() - 20
        assert seen.abs().max() == 2 + layers - 1
