"""Reading pretrained VGG-19 weights: torchvision's file, or a NumPy archive.

Both were trained on RGB images after a per-channel preparation. A CT slice goes in as three
equal channels, so the preparation and the first convolution fold into one convolution of
one channel. The fold is exact because the encoder pads by reflection, never with zeros.
A file may end before conv4_4; what it has is loaded.
"""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from rgan_sdk.errors import WeightsError
from rgan_train.networks.vgg import VGGEncoder, convolution_names

TORCHVISION_URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
IMAGENET_MEAN = torch.tensor([0.485, 0.456, 0.406])
IMAGENET_STD = torch.tensor([0.229, 0.224, 0.225])
LAYERS_BEFORE_GROUP = (0, 5, 10, 19)
"""Index of each group's first convolution in torchvision's ``features``."""


def load_pretrained(
    encoder: VGGEncoder, kind: Literal["vgg19", "vgg19-compact"], path: Path | None
) -> None:
    """Load an encoder's weights, and freeze what was loaded.

    Parameters
    ----------
    path
        torchvision's ``.pth`` or a NumPy archive, told apart by their content. None
        downloads torchvision's for ``vgg19``.

    Raises
    ------
    WeightsError
        If the file cannot be read, is no VGG-19, or is one of another width.
    """
    if path is None and kind == "vgg19-compact":
        raise WeightsError(
            "the encoder vgg19-compact needs its weights: pass the NumPy archive with "
            "--vgg-weights FILE.npz, or train from scratch with --set generator.encoder=none"
        )
    if path is not None and _is_archive(path):
        weights = read_archive(path)
    else:
        weights = read_torchvision(path)
    try:
        encoder.load_convolutions(weights)
    except WeightsError as exc:
        raise WeightsError(f"{path or TORCHVISION_URL}: {exc}") from exc


def read_archive(path: Path) -> dict[str, Tensor]:
    """Read a NumPy archive (``conv0``, ``conv11`` ... ``conv44``).

    ``conv0`` is the archive's 1x1 preparation of RGB in [0, 1].
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: torch.from_numpy(archive[key]) for key in archive.files}
    except (OSError, ValueError, TypeError, zipfile.BadZipFile) as exc:
        raise WeightsError(f"{path}: not a readable NumPy archive of weights ({exc})") from exc
    weights = {
        f"{name}.{kind}": arrays[key]
        for name in convolution_names()
        for kind in ("weight", "bias")
        if (key := f"{name.replace('_', '')}.{kind}") in arrays
    }
    if not {"conv0.weight", "conv0.bias"} <= set(arrays) or "conv1_1.weight" not in weights:
        raise WeightsError(
            f"{path}: has no layers conv0 and conv11, so it is no archive of VGG-19; pass "
            "one, or torchvision's .pth file"
        )
    preparation = arrays["conv0.weight"].flatten(1)
    # The fold takes gray in, so each prepared colour is the sum of its row times gray.
    return _fold_input(weights, scale=preparation.sum(1), shift=arrays["conv0.bias"])


def read_torchvision(path: Path | None) -> dict[str, Tensor]:
    """Read torchvision's VGG-19 weight file (``features.N.weight``), or download it.

    Parameters
    ----------
    path
        The ``.pth`` file; None downloads it once to torch's cache and checks its hash.
    """
    source = path or TORCHVISION_URL
    try:
        if path is None:
            state = torch.hub.load_state_dict_from_url(
                TORCHVISION_URL, check_hash=True, weights_only=True
            )
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as exc:
        raise WeightsError(
            f"{source}: the VGG-19 weights could not be loaded ({exc}). Download "
            f"{TORCHVISION_URL} on a machine with network access and pass the file "
            "with --vgg-weights."
        ) from exc
    layers = state if isinstance(state, dict) else {}
    weights = {
        f"{name}.{kind}": layers[key]
        for name in convolution_names()
        for kind in ("weight", "bias")
        if (key := f"features.{_feature_index(name)}.{kind}") in layers
    }
    if "conv1_1.weight" not in weights:
        raise WeightsError(f"{source}: has no layers named features.N.weight; is it VGG-19?")
    return _fold_input(weights, scale=1 / IMAGENET_STD, shift=-IMAGENET_MEAN / IMAGENET_STD)


def _feature_index(name: str) -> int:
    """Return where torchvision keeps a convolution; a ReLU follows each."""
    group, index = (int(part) for part in name.removeprefix("conv").split("_"))
    return LAYERS_BEFORE_GROUP[group - 1] + 2 * (index - 1)


def _is_archive(path: Path) -> bool:
    """Tell a NumPy archive from torchvision's file: both may be zip files."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".npy") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def _fold_input(weights: dict[str, Tensor], scale: Tensor, shift: Tensor) -> dict[str, Tensor]:
    """Fold ``scale * gray + shift`` per colour channel into a one-channel conv1_1."""
    kernel, bias = weights["conv1_1.weight"], weights["conv1_1.bias"]
    if kernel.ndim != 4 or kernel.shape[1] != 3:
        raise WeightsError(f"conv1_1 has shape {tuple(kernel.shape)}, not that of RGB images")
    weights["conv1_1.weight"] = (kernel * scale.view(1, -1, 1, 1)).sum(1, keepdim=True)
    weights["conv1_1.bias"] = bias + (kernel * shift.view(1, -1, 1, 1)).sum((1, 2, 3))
    return weights
