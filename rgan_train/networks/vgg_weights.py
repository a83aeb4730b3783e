"""Reading pretrained VGG-19 weights: torchvision's file, or a NumPy archive.

Both were trained on RGB images after a per-channel preparation. A CT slice goes in as three
equal channels, so the preparation and the first convolution fold into one convolution of
one channel. The fold is exact because the encoder pads by reflection, never with zeros.
A file may end before conv4_4; what it has is loaded.
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
from rgan_train.networks.vgg import VGGEncoder, convolution_names

TORCHVISION_URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
TORCHVISION_SHA256 = "dcbb9e9d"
"""The leading digits; torchvision states no more."""

TORCHVISION_LAYERS = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
"""Where torchvision's ``features`` has its convolutions, conv5_4 included."""

IMAGENET_MEAN = torch.tensor([0.485, 0.456, 0.406])
IMAGENET_STD = torch.tensor([0.229, 0.224, 0.225])


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
        If the file cannot be read, is no VGG-19, has a gap, or is one of another width.
    """
    if path is None and kind == "vgg19-compact":
        raise WeightsError(
            "the encoder vgg19-compact needs its weights: pass the NumPy archive with "
            "--vgg-weights FILE.npz, or train from scratch with --set generator.encoder=none"
        )
    file = path or download_torchvision()
    try:
        encoder.load_convolutions(_read_weights(file))
    except WeightsError as exc:
        raise WeightsError(
            f"{file}: {exc} (--vgg-weights takes torchvision's file, {TORCHVISION_URL}, or a NumPy "
            "archive of VGG-19)"
        ) from exc


def download_torchvision() -> Path:
    """Return torchvision's file in torch's cache, downloaded if it is not there yet.

    Raises
    ------
    WeightsError
        If it cannot be downloaded, or is not what its hash says.
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
            f"{path}: damaged, its SHA-256 does not begin with {TORCHVISION_SHA256}. Delete it, "
            "and it is downloaded again"
        )
    return path


def _read_weights(path: Path) -> dict[str, Tensor]:
    """Read ``conv1_1.weight`` and so on, as far as the file goes; conv1_1 takes one channel."""
    tensors = _read_tensors(path)
    if "conv0.weight" in tensors:
        weights = _rename(tensors, [name.replace("_", "") for name in convolution_names()])
        # The archive's 1x1 preparation of RGB in [0, 1].
        matrix, shift = tensors["conv0.weight"], tensors.get("conv0.bias")
        if matrix.shape != (3, 3, 1, 1) or shift is None or shift.shape != (3,):
            raise WeightsError("conv0 is no 1x1 layer from RGB to three channels")
        return _fold_input(weights, matrix.sum((1, 2, 3)), shift)
    layers = [f"features.{index}" for index in TORCHVISION_LAYERS]
    if any(_layer(key) not in layers for key in tensors if key.startswith("features.")):
        raise WeightsError("its layers are those of another network than VGG-19")
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
    except Exception as exc:  # of many types, and torch's text advises to unpickle any object
        raise WeightsError("neither a NumPy archive nor a PyTorch file of weights alone") from exc
    if not isinstance(content, dict):
        raise WeightsError("holds no weights by name")
    return {
        key: value.float()
        for key, value in content.items()
        if isinstance(value, Tensor) and value.is_floating_point()
    }


def _is_archive(path: Path) -> bool:
    """Tell a NumPy archive from torchvision's file: both may be zip files."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith(".npy") for name in archive.namelist())


def _rename(tensors: dict[str, Tensor], layers: Sequence[str]) -> dict[str, Tensor]:
    """Call the file's ``layers``, in forward order, ``conv1_1`` and so on."""
    names = dict(zip(layers, convolution_names(), strict=False))
    return {
        f"{names[layer]}.{key.rpartition('.')[2]}": value
        for key, value in tensors.items()
        if (layer := _layer(key)) in names
    }


def _layer(key: str) -> str:
    return key.rpartition(".")[0]


def _fold_input(weights: dict[str, Tensor], scale: Tensor, shift: Tensor) -> dict[str, Tensor]:
    """Fold ``scale * gray + shift`` per colour channel into a one-channel conv1_1."""
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
