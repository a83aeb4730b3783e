"""Weights and optimizer states as named tensors, in files without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rgan_sdk.errors import TrainingError

Tensors = dict[str, dict[str, Tensor]]
"""Tensors of a checkpoint by file and name."""


def frozen_state(module: nn.Module) -> dict[str, Tensor]:
    """Return the parameters that are not trained, by name."""
    return {name: p.detach() for name, p in module.named_parameters() if not p.requires_grad}


def load_frozen_state(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Load what ``frozen_state`` returned; freeze these parameters and no others.

    Raises
    ------
    TrainingError
        If names or shapes do not match the network.
    """
    parameters = dict(module.named_parameters())
    _copy_into({name: parameters[name].detach() for name in tensors if name in parameters}, tensors)
    for name, parameter in parameters.items():
        parameter.requires_grad_(name not in tensors)


def trainable_state(module: nn.Module) -> dict[str, Tensor]:
    """Return the parameters that are trained, and all buffers, by name."""
    tensors = {name: p.detach() for name, p in module.named_parameters() if p.requires_grad}
    return {**tensors, **dict(module.named_buffers())}


def load_trainable_state(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Load what ``trainable_state`` returned.

    Raises
    ------
    TrainingError
        If names or shapes do not match the network.
    """
    _copy_into(trainable_state(module), tensors)


def optimizer_state(optimizer: torch.optim.Optimizer, module: nn.Module) -> dict[str, Tensor]:
    """Return Adam's moments and step counts as ``parameter/kind``."""
    return {
        f"{name}/{kind}": value
        for name, parameter in module.named_parameters()
        for kind, value in optimizer.state.get(parameter, {}).items()
    }


def load_optimizer_state(
    optimizer: torch.optim.Optimizer, module: nn.Module, tensors: Mapping[str, Tensor]
) -> None:
    """Load what ``optimizer_state`` returned.

    Raises
    ------
    TrainingError
        If a parameter is not one of this network.
    """
    parameters = dict(module.named_parameters())
    for key, value in tensors.items():
        name, _, kind = key.rpartition("/")
        if name not in parameters:
            raise TrainingError(
                f"the checkpoint's optimizer has a parameter {name}, the network has not"
            )
        parameter = parameters[name]
        # Adam keeps its step counts on the CPU, and its moments in the layout of the parameter.
        kept = value.cpu() if kind == "step" else torch.empty_like(parameter.detach()).copy_(value)
        optimizer.state[parameter][kind] = kept


def _copy_into(own: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    if shapes != {name: tensor.shape for name, tensor in own.items()}:
        raise TrainingError(
            "the saved weights belong to another network, or a file of the run is missing"
        )
    for name, tensor in own.items():
        tensor.copy_(tensors[name])


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors to a ``.safetensors`` file, which requires contiguous memory."""
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)


def load_tensors(path: Path, device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """Return what ``save_tensors`` wrote.

    Raises
    ------
    TrainingError
        If the file is missing or damaged.
    """
    try:
        tensors: dict[str, Tensor] = load_file(path, device=str(device))
    except (OSError, SafetensorError) as exc:
        raise TrainingError(f"{path}: cannot be read ({exc}); the file is damaged") from exc
    return tensors
