from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from support.requirements import require_data
from torch.nn import functional

from rgan_sdk.errors import WeightsError
from rgan_train.config import GeneratorConfig
from rgan_train.networks import build_generator, vgg
from rgan_train.networks.vgg import (
    COMPACT_CHANNELS,
    CONVOLUTIONS_PER_GROUP,
    VGGEncoder,
    convolution_names,
    load_compact,
    load_torchvision,
)

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def plain_forward(x, weights, key):
    """Compute the features of the four groups as VGG does, on RGB."""
    features = []
    names = iter(convolution_names())
    for count in CONVOLUTIONS_PER_GROUP:
        for _ in range(count):
            weight, bias = (weights[key(name, kind)] for name in [next(names)] for kind in KINDS)
            x = functional.relu(
                functional.conv2d(functional.pad(x, (1,) * 4, "reflect"), weight, bias)
            )
        features.append(x)
        x = functional.max_pool2d(x, 2)
    return features


KINDS = ("weight", "bias")


def gray(size=32):
    return torch.rand(1, 1, size, size, generator=torch.Generator().manual_seed(0))


def close(ours, wanted):
    return all(
        torch.allclose(a, b, rtol=1e-4, atol=1e-4 * float(b.abs().max()))
        for a, b in zip(ours, wanted, strict=True)
    )


def test_the_compact_encoder_computes_what_its_file_says():
    path = require_data("vgg/vgg19_16x_distilled_relu5_1.npz")
    with np.load(path) as archive:
        weights = {key: torch.from_numpy(archive[key]) for key in archive.files}
    encoder = VGGEncoder(COMPACT_CHANNELS)
    encoder.load_convolutions(load_compact(path))
    rgb = gray().expand(1, 3, -1, -1)
    prepared = functional.conv2d(rgb, weights["conv0.weight"], weights["conv0.bias"])
    wanted = plain_forward(prepared, weights, lambda n, k: f"{n.replace('_', '')}.{k}")
    with torch.no_grad():
        assert close(encoder(gray()), wanted)


def torchvision_like(channels):
    """Random weights under torchvision's names: features.N with pooling between."""
    generator = torch.Generator().manual_seed(1)
    state, index, before = {}, 0, 3
    for width, count in zip(channels, CONVOLUTIONS_PER_GROUP, strict=True):
        for _ in range(count):
            scale = (2 / (9 * before)) ** 0.5
            state[f"features.{index}.weight"] = scale * torch.randn(
                width, before, 3, 3, generator=generator
            )
            state[f"features.{index}.bias"] = torch.randn(width, generator=generator)
            before, index = width, index + 2
        index += 1
    return state


def test_torchvision_weights_with_their_preparation(tmp_path):
    state = torchvision_like(COMPACT_CHANNELS)
    path = tmp_path / "vgg19.pth"
    torch.save(state, path)
    encoder = VGGEncoder(COMPACT_CHANNELS)
    encoder.load_convolutions(load_torchvision(path))
    indices = [key.split(".")[1] for key in state if key.endswith("weight")]
    number = dict(zip(convolution_names(), indices, strict=True))
    prepared = (gray().expand(1, 3, -1, -1) - MEAN) / STD
    wanted = plain_forward(prepared, state, lambda n, k: f"features.{number[n]}.{k}")
    with torch.no_grad():
        assert close(encoder(gray()), wanted)


def test_a_download_unpickles_nothing_but_weights(tmp_path, monkeypatch):
    class Harmful:
        """Leaves a file behind where it is unpickled."""

        def __reduce__(self):
            return Path.touch, (tmp_path / "harm",)

    file = tmp_path / "vgg19.pth"
    torch.save({"features.0.weight": Harmful()}, file)
    named = file.rename(tmp_path / f"vgg19-{sha256(file.read_bytes()).hexdigest()[:8]}.pth")
    monkeypatch.setattr(vgg, "TORCHVISION_URL", named.as_uri())
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    with pytest.raises(WeightsError, match="Weights only load failed"):
        load_torchvision(None)
    assert not (tmp_path / "harm").exists()


def test_calibration_gives_unit_features():
    encoder = VGGEncoder((4, 8))
    images = torch.rand(2, 1, 16, 16)
    encoder.calibrate(images)
    for feature in encoder(images):
        assert feature.square().mean().item() == pytest.approx(1, rel=1e-3)


def test_pretrained_encoders_are_frozen():
    path = require_data("vgg/vgg19_16x_distilled_relu5_1.npz")
    generator = build_generator(GeneratorConfig(encoder="vgg19-compact"), path)
    assert not any(p.requires_grad for p in generator.encoder.parameters())
    assert all(p.requires_grad for p in generator.head.parameters())
    scratch = build_generator(GeneratorConfig(encoder="none", widths=(4, 8)))
    assert all(p.requires_grad for p in scratch.parameters())


def test_the_compact_encoder_asks_for_its_file():
    with pytest.raises(WeightsError, match="--vgg-weights"):
        build_generator(GeneratorConfig(encoder="vgg19-compact"))


def test_weights_of_another_width(tmp_path):
    path = tmp_path / "vgg19.pth"
    torch.save(torchvision_like(COMPACT_CHANNELS), path)
    with pytest.raises(WeightsError, match="is this the file for the configured encoder"):
        build_generator(GeneratorConfig(encoder="vgg19"), path)


@pytest.mark.parametrize("encoder", ["vgg19", "vgg19-compact"])
def test_files_that_hold_no_weights(tmp_path, encoder):
    path = tmp_path / "weights"
    path.write_text("no weights")
    with pytest.raises(WeightsError, match="weights"):
        build_generator(GeneratorConfig(encoder=encoder), path)
