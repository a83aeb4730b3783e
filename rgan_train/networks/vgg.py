"""The first four groups of VGG-19 as an encoder of one-channel CT slices.

The weights come from torchvision's ImageNet file (full width) or from a NumPy
archive of a VGG-19 at a quarter of the width. Both were trained on RGB images
after a per-channel preparation. A CT slice goes in as three equal channels, so the
preparation and the first convolution fold into one convolution of one channel. The
fold is exact because the encoder pads by reflection, never with zeros.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from rgan_sdk.errors import WeightsError

CONVOLUTIONS_PER_GROUP = (2, 2, 4, 4)
FULL_CHANNELS = (64, 128, 256, 512)
COMPACT_CHANNELS = (16, 32, 64, 128)

TORCHVISION_URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
IMAGENET_MEAN = torch.tensor([0.485, 0.456, 0.406])
IMAGENET_STD = torch.tensor([0.229, 0.224, 0.225])


class VGGEncoder(nn.Module):
    """Four groups of 3x3 convolutions with max pooling between them.

    Parameters
    ----------
    channels
        Width of the four groups: ``FULL_CHANNELS`` or ``COMPACT_CHANNELS`` for
        pretrained weights, anything for training from scratch.

    Notes
    -----
    Paper, section 2.1: "only the first four groups of convolutional layers of a
    pre-trained VGG-19 network are adopted".
    """

    gain: Tensor

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.channels = channels
        self.groups = nn.ModuleList()
        in_channels = 1
        for width, count in zip(channels, CONVOLUTIONS_PER_GROUP, strict=False):
            layers: list[nn.Module] = []
            for _ in range(count):
                layers += [
                    nn.Conv2d(in_channels, width, 3, padding=1, padding_mode="reflect"),
                    nn.ReLU(inplace=True),
                ]
                in_channels = width
            self.groups.append(nn.Sequential(*layers))
        self.pool = nn.MaxPool2d(2)
        self.register_buffer("gain", torch.ones(len(channels)))

    def forward(self, normalized: Tensor) -> list[Tensor]:
        """Return the features of each group before pooling, finest first.

        Parameters
        ----------
        normalized
            ``[N, 1, H, W]``, the window mapped to [0, 1]; H and W divisible by
            ``2 ** (groups - 1)``.
        """
        features = []
        x = normalized
        for index, group in enumerate(self.groups):
            x = group(x if index == 0 else self.pool(x))
            features.append(x * self.gain[index])
        return features

    @torch.no_grad()
    def calibrate(self, normalized: Tensor) -> None:
        """Fix one gain per group so that its features have unit root mean square.

        Pretrained activations differ in scale by orders of magnitude from group to
        group and from file to file. The gain is measured once, on training slices,
        and is a constant afterwards: no slice depends on its neighbours in a batch.
        """
        self.gain.fill_(1.0)
        for index, feature in enumerate(self(normalized)):
            self.gain[index] = feature.square().mean().clamp_min(1e-12).rsqrt()

    def freeze(self) -> None:
        """Stop all training of the encoder."""
        self.requires_grad_(False)

    def convolutions(self) -> list[nn.Conv2d]:
        """All convolutions in order, conv1_1 to conv4_4."""
        return [layer for layer in self.modules() if isinstance(layer, nn.Conv2d)]

    @torch.no_grad()
    def load_convolutions(self, weights: Mapping[str, Tensor]) -> None:
        """Load ``conv1_1.weight`` ... ``conv4_4.bias``, conv1_1 with one channel already.

        Raises
        ------
        WeightsError
            If a layer is missing or has another shape.
        """
        for name, convolution in zip(convolution_names(), self.convolutions(), strict=False):
            for kind in ("weight", "bias"):
                key = f"{name}.{kind}"
                parameter: Tensor = getattr(convolution, kind)
                if key not in weights:
                    raise WeightsError(f"the VGG-19 weights have no layer {key}")
                if weights[key].shape != parameter.shape:
                    raise WeightsError(
                        f"VGG-19 layer {key} has shape {tuple(weights[key].shape)}, "
                        f"expected {tuple(parameter.shape)}: is this the file for the "
                        "configured encoder?"
                    )
                parameter.copy_(weights[key])


def convolution_names() -> list[str]:
    """``conv1_1`` ... ``conv4_4``, in forward order."""
    return [
        f"conv{group}_{index}"
        for group, count in enumerate(CONVOLUTIONS_PER_GROUP, start=1)
        for index in range(1, count + 1)
    ]


def load_compact(path: Path) -> dict[str, Tensor]:
    """Read a compact VGG-19 from a NumPy archive (``conv0``, ``conv11`` ... ``conv44``).

    ``conv0`` is the archive's 1x1 preparation of RGB in [0, 1].
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: torch.from_numpy(archive[key]) for key in archive.files}
    except (OSError, ValueError) as exc:
        raise WeightsError(f"{path}: not a readable NumPy archive of weights ({exc})") from exc
    weights = {
        f"{name}.{kind}": arrays[key]
        for name in convolution_names()
        for kind in ("weight", "bias")
        if (key := f"{name.replace('_', '')}.{kind}") in arrays
    }
    if "conv0.weight" not in arrays or "conv1_1.weight" not in weights:
        raise WeightsError(f"{path}: has no layers conv0 and conv11, so it is no compact VGG-19")
    preparation = arrays["conv0.weight"].flatten(1).sum(1)
    return _fold_input(weights, scale=preparation, shift=arrays["conv0.bias"])


def load_torchvision(path: Path | None) -> dict[str, Tensor]:
    """Read torchvision's VGG-19 weight file (``features.N.weight``), or download it.

    Parameters
    ----------
    path
        The ``.pth`` file; None downloads it once to torch's cache and checks its hash.
    """
    try:
        if path is None:
            state = torch.hub.load_state_dict_from_url(
                TORCHVISION_URL, check_hash=True, weights_only=True
            )
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as exc:  # torch raises many types here: OSError, URLError, UnpicklingError...
        source = path or TORCHVISION_URL
        raise WeightsError(
            f"{source}: the VGG-19 weights could not be loaded ({exc}). Download "
            f"{TORCHVISION_URL} on a machine with network access and pass the file "
            "with --vgg-weights."
        ) from exc
    features = [key for key in state if key.startswith("features.") and key.endswith(".weight")]
    features.sort(key=lambda key: int(key.split(".")[1]))
    weights = {}
    for name, key in zip(convolution_names(), features, strict=False):
        weights[f"{name}.weight"] = state[key]
        weights[f"{name}.bias"] = state[key.replace("weight", "bias")]
    if "conv1_1.weight" not in weights:
        raise WeightsError(f"{path}: has no layers named features.N.weight; is it VGG-19?")
    return _fold_input(weights, scale=1 / IMAGENET_STD, shift=-IMAGENET_MEAN / IMAGENET_STD)


def _fold_input(weights: dict[str, Tensor], scale: Tensor, shift: Tensor) -> dict[str, Tensor]:
    """Fold ``scale * gray + shift`` per colour channel into a one-channel conv1_1."""
    kernel, bias = weights["conv1_1.weight"], weights["conv1_1.bias"]
    weights["conv1_1.weight"] = (kernel * scale.view(1, -1, 1, 1)).sum(1, keepdim=True)
    weights["conv1_1.bias"] = bias + (kernel * shift.view(1, -1, 1, 1)).sum((1, 2, 3))
    return weights
