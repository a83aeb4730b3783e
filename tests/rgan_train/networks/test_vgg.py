import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from support.requirements import require_data
from torch.nn import functional

from rgan_sdk.errors import WeightsError
from rgan_train.config import GeneratorConfig
from rgan_train.methods.radiomicgan import build_generator
from rgan_train.networks import vgg_weights
from rgan_train.networks.vgg import (
    COMPACT_CHANNELS,
    CONVOLUTIONS_PER_GROUP,
    FULL_CHANNELS,
    VGGEncoder,
    convolution_names,
)
from rgan_train.networks.vgg_weights import load_pretrained, read_torchvision

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def plain_forward(x, weights, key, groups=4):
    """Compute the features of the first groups as VGG does, on RGB."""
    features = []
    names = iter(convolution_names())
    for count in CONVOLUTIONS_PER_GROUP[:groups]:
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


def archive(name):
    path = require_data(f"vgg/{name}.npz")
    with np.load(path) as file:
        return path, {key: torch.from_numpy(file[key]) for key in file.files}


COMPACT = "vgg19_16x_distilled_relu5_1"
PARTIAL = "vgg19_normalised_full_conv1_1_to_conv3_1"


@pytest.mark.parametrize(
    ("name", "kind", "channels", "groups"),
    [
        (COMPACT, "vgg19-compact", COMPACT_CHANNELS, 4),
        (PARTIAL, "vgg19", FULL_CHANNELS, 2),
    ],
)
def test_the_encoder_computes_what_its_archive_says(name, kind, channels, groups):
    path, weights = archive(name)
    encoder = VGGEncoder(channels)
    load_pretrained(encoder, kind, path)
    rgb = gray().expand(1, 3, -1, -1)
    prepared = functional.conv2d(rgb, weights["conv0.weight"], weights["conv0.bias"])
    wanted = plain_forward(prepared, weights, lambda n, k: f"{n.replace('_', '')}.{k}", groups)
    with torch.no_grad():
        assert close(encoder(gray())[:groups], wanted)


def test_an_archive_that_ends_early_is_loaded_as_far_as_it_goes():
    path, weights = archive(PARTIAL)
    encoder = VGGEncoder(FULL_CHANNELS)
    load_pretrained(encoder, "vgg19", path)
    convolutions = encoder.convolutions()
    frozen = [name for name, layer in convolutions.items() if not layer.weight.requires_grad]
    assert frozen == ["conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1"]
    assert encoder.trained_from_scratch() == tuple(convolutions)[5:]
    assert torch.equal(convolutions["conv3_1"].weight, weights["conv31.weight"])
    generator = build_generator(GeneratorConfig(encoder="vgg19"))
    load_pretrained(generator.encoder, "vgg19", path)
    (note,) = generator.notes()
    assert "conv1_1 to conv3_1 pretrained and frozen" in note
    assert "conv3_2 to conv4_4 are trained from scratch" in note


def test_what_is_frozen_builds_no_graph():
    path, _ = archive(PARTIAL)
    encoder = VGGEncoder(FULL_CHANNELS)
    load_pretrained(encoder, "vgg19", path)
    features = encoder(gray())
    assert [feature.requires_grad for feature in features] == [False, False, True, True]


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
    load_pretrained(encoder, "vgg19", path)
    assert not encoder.trained_from_scratch()
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
    monkeypatch.setattr(vgg_weights, "TORCHVISION_URL", named.as_uri())
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    with pytest.raises(WeightsError, match="Weights only load failed"):
        read_torchvision(None)
    assert not (tmp_path / "harm").exists()


def test_calibration_gives_unit_features():
    encoder = VGGEncoder((4, 8))
    images = torch.rand(2, 1, 16, 16)
    encoder.calibrate(images)
    for feature in encoder(images):
        assert feature.square().mean().item() == pytest.approx(1, rel=1e-3)


def test_a_download_that_is_not_what_it_should_be(tmp_path, monkeypatch):
    file = tmp_path / "vgg19-01234567.pth"
    torch.save(torchvision_like(COMPACT_CHANNELS), file)
    monkeypatch.setattr(vgg_weights, "TORCHVISION_URL", file.as_uri())
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    with pytest.raises(WeightsError, match="invalid hash value"):
        read_torchvision(None)


def test_without_a_network_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(vgg_weights, "TORCHVISION_URL", (tmp_path / "vgg19-0.pth").as_uri())
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    with pytest.raises(WeightsError, match=r"on a machine with network access and pass the file"):
        read_torchvision(None)


def test_a_pretrained_encoder_is_frozen_and_one_from_scratch_is_not():
    path, _ = archive(COMPACT)
    generator = build_generator(GeneratorConfig(encoder="vgg19-compact"))
    load_pretrained(generator.encoder, "vgg19-compact", path)
    assert not any(p.requires_grad for p in generator.encoder.parameters())
    assert all(p.requires_grad for p in generator.head.parameters())
    assert generator.notes() == ()
    scratch = build_generator(GeneratorConfig(encoder="none", widths=(4, 8)))
    assert all(p.requires_grad for p in scratch.parameters())
    assert scratch.notes() == ()


def test_the_compact_encoder_asks_for_its_file():
    with pytest.raises(WeightsError, match="--vgg-weights"):
        load_pretrained(VGGEncoder(COMPACT_CHANNELS), "vgg19-compact", None)


def test_weights_of_another_width(tmp_path):
    path = tmp_path / "vgg19.pth"
    torch.save(torchvision_like(COMPACT_CHANNELS), path)
    with pytest.raises(WeightsError, match="is this the file for the configured encoder") as error:
        load_pretrained(VGGEncoder(FULL_CHANNELS), "vgg19", path)
    assert str(path) in str(error.value)


def test_a_gap_in_the_weights(tmp_path):
    state = torchvision_like(COMPACT_CHANNELS)
    path = tmp_path / "vgg19.pth"
    torch.save({key: value for key, value in state.items() if ".5." not in key}, path)
    with pytest.raises(WeightsError, match="have conv2_2 but not conv2_1 before it"):
        load_pretrained(VGGEncoder(COMPACT_CHANNELS), "vgg19", path)


def write_text(path):
    path.write_text("no weights")


def write_zip(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("conv11.weight.npy", b"no array")


def write_other_arrays(path):
    with path.open("wb") as file:
        np.savez(file, other=np.zeros(3))


def write_list(path):
    torch.save([torch.zeros(1)], path)


@pytest.mark.parametrize("write", [write_text, write_zip, write_other_arrays, write_list])
@pytest.mark.parametrize("kind", ["vgg19", "vgg19-compact"])
def test_files_that_hold_no_weights(tmp_path, kind, write):
    path = tmp_path / "weights"
    write(path)
    with pytest.raises(WeightsError, match="weights"):
        load_pretrained(VGGEncoder(COMPACT_CHANNELS), kind, path)
