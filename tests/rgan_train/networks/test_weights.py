import pytest
import torch

from rgan_sdk.errors import TrainingError
from rgan_train.networks.weights import (
    frozen_state,
    load_frozen_state,
    load_optimizer_state,
    load_tensors,
    load_trainable_state,
    optimizer_state,
    save_tensors,
    trainable_state,
)


def test_optimizer_round_trip():
    def steps(count, module, optimizer):
        for _ in range(count):
            optimizer.zero_grad()
            module(torch.ones(1, 3)).square().sum().backward()
            optimizer.step()

    torch.manual_seed(0)
    first = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(first.parameters(), lr=0.1)
    steps(2, first, optimizer)
    second = torch.nn.Linear(3, 2)
    load_trainable_state(second, trainable_state(first))
    other = torch.optim.Adam(second.parameters(), lr=0.1)
    saved = {name: value.clone() for name, value in optimizer_state(optimizer, first).items()}
    load_optimizer_state(other, second, saved)
    steps(2, first, optimizer)
    steps(2, second, other)
    assert torch.equal(first.weight, second.weight)


def test_weights_of_another_network():
    linear = torch.nn.Linear(3, 2)
    linear.bias.requires_grad_(False)
    assert set(frozen_state(linear)) == {"bias"}
    with pytest.raises(TrainingError, match="another network"):
        load_trainable_state(linear, {"weight": torch.zeros(2, 4)})


def test_exactly_what_was_frozen_is_copied_and_frozen():
    saved = torch.nn.Linear(3, 2)
    saved.bias.requires_grad_(False)
    other = torch.nn.Linear(3, 2)
    other.weight.requires_grad_(False)
    before = other.weight.clone()
    load_frozen_state(other, frozen_state(saved))
    assert torch.equal(other.bias, saved.bias)
    assert torch.equal(other.weight, before)
    assert set(frozen_state(other)) == {"bias"}


@pytest.mark.parametrize("tensors", [{"other": torch.zeros(2)}, {"bias": torch.zeros(3)}])
def test_frozen_weights_of_another_network(tensors):
    linear = torch.nn.Linear(3, 2)
    with pytest.raises(TrainingError, match="another network"):
        load_frozen_state(linear, tensors)
    assert not frozen_state(linear)


def test_an_optimizer_of_another_network():
    linear = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(linear.parameters())
    with pytest.raises(TrainingError, match="a parameter other, the network has not"):
        load_optimizer_state(optimizer, linear, {"other/step": torch.zeros(())})


def test_buffers_belong_to_the_trainable_state():
    norm = torch.nn.BatchNorm1d(2)
    norm.weight.requires_grad_(False)
    assert set(trainable_state(norm)) == {
        "bias",
        "running_mean",
        "running_var",
        "num_batches_tracked",
    }


def test_a_file_holds_any_memory_layout(tmp_path):
    tensor = torch.arange(24.0).view(1, 2, 3, 4).to(memory_format=torch.channels_last)
    save_tensors({"x": tensor}, tmp_path / "x.safetensors")
    assert torch.equal(load_tensors(tmp_path / "x.safetensors")["x"], tensor)


def test_a_file_that_is_missing_or_damaged(tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(TrainingError, match="cannot be read"):
        load_tensors(path)
    path.write_bytes(b"no tensors")
    with pytest.raises(TrainingError, match="the file is damaged"):
        load_tensors(path)
