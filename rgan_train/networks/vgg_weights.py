"""Read pretrained VGG-19 weights: torchvision's file, or a NumPy archive.

Both were trained on RGB images after a per-channel preparation. A CT slice is used as three
equal channels, so the preparation and the first convolution can be folded into one convolution
of one channel. This is exact, because the encoder pads by reflection and never with zeros.
A file may end before conv4_4; the layers that it has are loaded.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from rgan_sdk.errors import WeightsError
from rgan_sdk.files import file_sha256
from rgan_train.networks.vgg import (
    COMPACT_CHANNELS,
    FULL_CHANNELS,
    VGGEncoder,
    convolution_names,
)

TORCHVISION_URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
TORCHVISION_SHA256 = "dcbb9e9d"
"""First digits of the hash; torchvision publishes no more."""

TORCHVISION_LAYERS = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
"""Indices of the convolutions in torchvision's ``features``, up to conv5_4."""

ENCODERS = {"vgg19": FULL_CHANNELS, "vgg19-compact": COMPACT_CHANNELS}
"""Channels of the groups by ``generator.encoder``."""

IMAGENET_MEAN = torch.tensor([0.485, 0.456, 0.406])
IMAGENET_STD = torch.tensor([0.229, 0.224, 0.225])


def load_pretrained(
    encoder: VGGEncoder, kind: Literal["vgg19", "vgg19-compact"], path: Path | None
) -> None:
    """Load pretrained weights into an encoder, and freeze them.

    Parameters
    ----------
    path
        torchvision's ``.pth`` or a NumPy archive; the content decides. None downloads
        torchvision's file for ``vgg19``.

    Raises
    ------
    WeightsError
        If the file cannot be read, is not a VGG-19, lacks a layer before its last one, or
        has another number of channels.
    """
    if path is None and kind == "vgg19-compact":
        raise WeightsError(
            "the encoder vgg19-compact needs its weights: pass the NumPy archive with "
            "--vgg-weights FILE.npz, or train from scratch with --set generator.encoder=none"
        )
    file = path or download_torchvision()
    try:
        weights = _read_weights(file)
        _check_width(len(weights["conv1_1.bias"]), encoder.channels[0])
        encoder.load_convolutions(weights)
    except WeightsError as exc:
        raise WeightsError(
            f"{file}: {exc} (--vgg-weights takes torchvision's file, {TORCHVISION_URL}, or a NumPy "
            "archive of VGG-19)"
        ) from exc


def download_torchvision() -> Path:
    """Return torchvision's file in torch's cache; download it if necessary.

    Raises
    ------
    WeightsError
        If it cannot be downloaded, or its hash does not match.
    """
    path = Path(torch.hub.get_dir(), "checkpoints", TORCHVISION_URL.rsplit("/", 1)[1])
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(TORCHVISION_URL, str(path), TORCHVISION_SHA256)
        digest = file_sha256(path)
    except (OSError, HTTPException, RuntimeError) as exc:  # RuntimeError: another hash
        raise WeightsError(
            f"{TORCHVISION_URL}: the VGG-19 weights could not be downloaded ({exc}). Download the "
            "file on a machine with network access and pass it with --vgg-weights"
        ) from exc
    if not digest.startswith(TORCHVISION_SHA256):
        raise WeightsError(
            f"{path}: damaged, its SHA-256 does not begin with {TORCHVISION_SHA256}. Delete it; "
            "it will be downloaded again"
        )
    return path


def _check_width(found: int, expected: int) -> None:
    """Name the setting for a file whose first layer is that of the other encoder."""
    for name, channels in ENCODERS.items():
        if found == channels[0] != expected:
            raise WeightsError(
                f"its first layer has {found} channels, the configured encoder's has {expected}; "
                f"this is a file for --set generator.encoder={name}"
            )


def _read_weights(path: Path) -> dict[str, Tensor]:
    """Read ``conv1_1.weight`` and so on, as far as the file goes; conv1_1 has one input channel."""
    tensors = _read_tensors(path)
    if "conv0.weight" in tensors:
        weights = _rename(tensors, [name.replace("_", "") for name in convolution_names()])
        # The archive's 1x1 preparation of RGB in [0, 1].
        matrix, shift = tensors["conv0.weight"], tensors.get("conv0.bias")
        if matrix.shape != (3, 3, 1, 1) or shift is None or shift.shape != (3,):
            raise WeightsError("conv0 is not a 1x1 layer from RGB to three channels")
        return _fold_input(weights, matrix.sum((1, 2, 3)), shift)
    layers = [f"features.{index}" for index in TORCHVISION_LAYERS]
    if any(_layer_name(key) not in layers for key in tensors if key.startswith("features.")):
        raise WeightsError("its layers are those of a network other than VGG-19")
    weights = _rename(tensors, layers)
    return _fold_input(weights, 1 / IMAGENET_STD, -IMAGENET_MEAN / IMAGENET_STD)


def _read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the floating-point tensors of either kind of file."""
    try:
        if _is_archive(path):
            with np.load(path, allow_pickle=False) as archive:
                content = {key: torch.from_numpy(archive[key]) for key in archive.files}
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as exc:
        raise WeightsError(f"cannot be read ({exc.strerror})") from exc
    except Exception as exc:  # many types; torch's own message advises to unpickle any object
        raise WeightsError("neither a NumPy archive nor a PyTorch file of weights alone") from exc
    if not isinstance(content, dict):
        raise WeightsError("holds no weights by name")
    return {
        key: value.float()
        for key, value in content.items()
        if isinstance(value, Tensor) and value.is_floating_point()
    }


def _is_archive(path: Path) -> bool:
    """Return whether the file is a NumPy archive; torchvision's may be a zip file, too."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith(".npy") for name in archive.namelist())


def _rename(tensors: dict[str, Tensor], layers: Sequence[str]) -> dict[str, Tensor]:
    """Rename the file's ``layers``, given in forward order, to ``conv1_1`` and so on."""
    names = dict(zip(layers, convolution_names(), strict=False))
    return {
        f"{names[layer]}.{key.rpartition('.')[2]}": value
        for key, value in tensors.items()
        if (layer := _layer_name(key)) in names
    }


def _layer_name(key: str) -> str:
    return key.rpartition(".")[0]


def _fold_input(weights: dict[str, Tensor], scale: Tensor, shift: Tensor) -> dict[str, Tensor]:
    """Fold ``scale * gray + shift`` of each colour channel into conv1_1 with one channel."""
    kernel, bias = weights.get("conv1_1.weight"), weights.get("conv1_1.bias")
    if kernel is None or bias is None:
        raise WeightsError("has no weights of VGG-19's first layer")
    if kernel.shape != (*bias.shape, 3, 3, 3):
        raise WeightsError(f"the first layer has shape {tuple(kernel.shape)}, not that for RGB")
    return {
        **weights,
        "conv1_1.weight": (kernel * scale.view(1, 3, 1, 1)).sum(1, keepdim=True),
        "conv1_1.bias": bias + (kernel * shift.view(1, 3, 1, 1)).sum((1, 2, 3)),
    }
