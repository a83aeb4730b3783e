import pickle
import sys
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
from rgan_train.networks.vgg_weights import load_pretrained

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


def test_the_last_layer_of_an_archive_that_ends_early():
    path, weights = archive(PARTIAL)
    encoder = VGGEncoder(FULL_CHANNELS)
    load_pretrained(encoder, "vgg19", path)
    prepared = functional.conv2d(
        gray().expand(1, 3, -1, -1), weights["conv0.weight"], weights["conv0.bias"]
    )
    key = lambda name, kind: f"{name.replace('_', '')}.{kind}"  # noqa: E731
    pooled = functional.max_pool2d(plain_forward(prepared, weights, key, groups=2)[-1], 2)
    padded = functional.pad(pooled, (1,) * 4, "reflect")
    wanted = functional.conv2d(padded, weights["conv31.weight"], weights["conv31.bias"]).relu()
    with torch.no_grad():
        fine = encoder(gray())[1]
        assert close([encoder.groups[2][:2](encoder.pool(fine))], [wanted])


def test_an_archive_that_ends_early_is_loaded_as_far_as_it_goes():
    path, weights = archive(PARTIAL)
    encoder = VGGEncoder(FULL_CHANNELS)
    load_pretrained(encoder, "vgg19", path)
    convolutions = encoder.convolutions()
    frozen = [name for name, layer in convolutions.items() if not layer.weight.requires_grad]
    assert frozen == ["conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1"]
    assert encoder.convolutions_from_scratch() == tuple(convolutions)[5:]
    assert torch.equal(convolutions["conv3_1"].weight, weights["conv31.weight"])
    generator = build_generator(GeneratorConfig(encoder="vgg19"))
    load_pretrained(generator.encoder, "vgg19", path)
    (note,) = generator.notes()
    assert "conv1_1 to conv3_1 pretrained and frozen" in note
    assert "conv3_2 to conv4_4 are trained from scratch" in note


def test_what_is_frozen_builds_no_graph_and_keeps_nothing():
    path, _ = archive(PARTIAL)
    encoder = VGGEncoder(FULL_CHANNELS)
    load_pretrained(encoder, "vgg19", path)
    kept = []

    def keep(tensor):
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        features = encoder(gray())
    assert [feature.requires_grad for feature in features] == [False, False, True, True]
    # Of 32x32 and 16x16 pixels, as in the frozen groups, there is nothing.
    assert {tuple(tensor.shape[2:]) for tensor in kept if tensor.ndim == 4} >= {(10, 10), (8, 8)}
    assert not any(tensor.shape[-1] >= 16 for tensor in kept if tensor.ndim == 4)
    (features[2].sum() + features[3].sum()).backward()
    convolutions = encoder.convolutions()
    assert [name for name, layer in convolutions.items() if layer.weight.grad is not None] == list(
        encoder.convolutions_from_scratch()
    )


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
    assert not encoder.convolutions_from_scratch()
    indices = [key.split(".")[1] for key in state if key.endswith("weight")]
    number = dict(zip(convolution_names(), indices, strict=True))
    prepared = (gray().expand(1, 3, -1, -1) - MEAN) / STD
    wanted = plain_forward(prepared, state, lambda n, k: f"features.{number[n]}.{k}")
    with torch.no_grad():
        assert close(encoder(gray()), wanted)


def test_torchvision_weights_that_end_early(tmp_path):
    state = torchvision_like(COMPACT_CHANNELS)
    path = tmp_path / "vgg19.pth"
    torch.save({key: value for key, value in state.items() if int(key.split(".")[1]) <= 10}, path)
    encoder = VGGEncoder(COMPACT_CHANNELS)
    load_pretrained(encoder, "vgg19", path)
    assert encoder.convolutions_from_scratch() == tuple(encoder.convolutions())[5:]
    assert torch.equal(encoder.convolutions()["conv3_1"].weight, state["features.10.weight"])


@pytest.mark.parametrize("name", ["weights", "weights.npz", "weights.pth"])
@pytest.mark.parametrize("zipped", [True, False])
def test_content_decides_not_the_name(tmp_path, name, zipped):
    state = torchvision_like(COMPACT_CHANNELS)
    torch.save(state, tmp_path / name, _use_new_zipfile_serialization=zipped)
    encoder = VGGEncoder(COMPACT_CHANNELS)
    load_pretrained(encoder, "vgg19-compact", tmp_path / name)
    assert torch.equal(encoder.convolutions()["conv4_4"].weight, state["features.25.weight"])


class Harmful:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def served(tmp_path, monkeypatch):
    """What is to be downloaded, under torchvision's name; and torch's empty cache."""
    (tmp_path / "server").mkdir()
    file = tmp_path / "server" / Path(vgg_weights.TORCHVISION_URL).name
    monkeypatch.setattr(vgg_weights, "TORCHVISION_URL", file.as_uri())
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    return file


def download(monkeypatch, served, content):
    """Serve ``content`` with its right hash, and load it."""
    torch.save(content, served)
    digest = sha256(served.read_bytes()).hexdigest()[:8]
    monkeypatch.setattr(vgg_weights, "TORCHVISION_SHA256", digest)
    encoder = VGGEncoder(COMPACT_CHANNELS)
    load_pretrained(encoder, "vgg19", None)
    return encoder


def test_a_download_needs_no_torchvision_and_is_done_once(served, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)  # an import would raise
    encoder = download(monkeypatch, served, torchvision_like(COMPACT_CHANNELS))
    assert not encoder.convolutions_from_scratch()
    served.unlink()
    load_pretrained(VGGEncoder(COMPACT_CHANNELS), "vgg19", None)


def test_a_download_unpickles_nothing_but_weights(served, tmp_path, monkeypatch):
    with pytest.raises(WeightsError, match="nor a PyTorch file of weights alone") as error:
        download(monkeypatch, served, {"features.0.weight": Harmful(tmp_path / "harm")})
    assert not (tmp_path / "harm").exists()
    assert "weights_only" not in str(error.value)


def test_a_download_that_is_not_what_it_should_be(served, tmp_path):
    torch.save(torchvision_like(COMPACT_CHANNELS), served)
    with pytest.raises(WeightsError, match=r'invalid hash value \(expected "dcbb9e9d"'):
        load_pretrained(VGGEncoder(COMPACT_CHANNELS), "vgg19", None)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_cached_file_that_was_changed(served, tmp_path, monkeypatch):
    download(monkeypatch, served, torchvision_like(COMPACT_CHANNELS))
    (cached,) = (path for path in (tmp_path / "cache").rglob("*") if path.is_file())
    cached.write_bytes(cached.read_bytes()[:-1])
    with pytest.raises(WeightsError, match=r"damaged.* Delete it") as error:
        load_pretrained(VGGEncoder(COMPACT_CHANNELS), "vgg19", None)
    assert str(cached) in str(error.value)


def test_without_a_network_it_says_what_to_do(served):
    with pytest.raises(WeightsError, match=r"network access and pass it with --vgg-weights") as e:
        load_pretrained(VGGEncoder(COMPACT_CHANNELS), "vgg19", None)
    assert served.as_uri() in str(e.value)


def test_calibration_gives_unit_features():
    encoder = VGGEncoder((4, 8))
    images = torch.rand(2, 1, 16, 16)
    encoder.calibrate(images)
    for feature in encoder(images):
        assert feature.square().mean().item() == pytest.approx(1, rel=1e-3)


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


@pytest.mark.parametrize(
    ("given", "configured", "hint"),
    [
        (COMPACT_CHANNELS, FULL_CHANNELS, "--set generator.encoder=vgg19-compact"),
        (FULL_CHANNELS, COMPACT_CHANNELS, "--set generator.encoder=vgg19 "),
        ((8, 16, 32, 64), FULL_CHANNELS, "is this the file for the configured encoder"),
    ],
)
def test_weights_of_another_width(tmp_path, given, configured, hint):
    path = tmp_path / "vgg.pth"
    torch.save(torchvision_like(given), path)
    with pytest.raises(WeightsError, match=hint) as error:
        load_pretrained(VGGEncoder(configured), "vgg19", path)
    assert str(path) in str(error.value)


def test_a_gap_in_the_weights(tmp_path):
    state = torchvision_like(COMPACT_CHANNELS)
    path = tmp_path / "vgg19.pth"
    torch.save({key: value for key, value in state.items() if ".5." not in key}, path)
    with pytest.raises(WeightsError, match="have conv2_2 but not conv2_1 before it"):
        load_pretrained(VGGEncoder(COMPACT_CHANNELS), "vgg19", path)


def write_text(path):
    path.write_text("no weights")


def write_nothing(path):
    path.touch()


def write_object(path):
    path.write_bytes(pickle.dumps(Harmful(path.with_name("harm")), protocol=2))


def write_torch_object(path):
    torch.save({"features.0.weight": Harmful(path.with_name("harm"))}, path)


def write_zip(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("conv11.weight.npy", b"no array")


def write_zip_of_text(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("README", "no weights")


def write_arrays(path, **arrays):
    with path.open("wb") as file:
        np.savez(file, **arrays)


def write_other_arrays(path):
    write_arrays(path, other=np.zeros(3))


def write_objects(path):
    write_arrays(path, **{"conv0.weight": np.array([Harmful(path.with_name("harm"))])})


def write_list(path):
    torch.save([torch.zeros(1)], path)


WRITERS = [
    write_text,
    write_nothing,
    write_object,
    write_torch_object,
    write_zip,
    write_zip_of_text,
    write_other_arrays,
    write_objects,
    write_list,
    Path.mkdir,
    lambda path: None,
]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("kind", ["vgg19", "vgg19-compact"])
def test_files_that_hold_no_weights(tmp_path, kind, write):
    path = tmp_path / "weights"
    write(path)
    with pytest.raises(WeightsError, match="--vgg-weights takes torchvision's file") as error:
        load_pretrained(VGGEncoder(COMPACT_CHANNELS), kind, path)
    assert str(error.value).startswith(f"{path}: ")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"features.0.weight": 3},
        {"features.0.bias": None},
        {"features.0.bias": torch.zeros(3)},
        {"features.0.weight": torch.zeros(16, 1, 3, 3)},
        {"features.3.weight": torch.zeros(16)},  # VGG-19 has no layer there
        {"features.12.bias": None},
        {"conv0.weight": torch.zeros(1, 1, 1, 1)},
    ],
)
def test_files_that_are_almost_vgg(tmp_path, change):
    path = tmp_path / "vgg19.pth"
    torch.save({**torchvision_like(COMPACT_CHANNELS), **change}, path)
    with pytest.raises(WeightsError) as error:
        load_pretrained(VGGEncoder(COMPACT_CHANNELS), "vgg19", path)
    assert str(error.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    "change",
    [
        {"conv0.weight": np.ones((1, 1, 1, 1), np.float32)},
        {"conv0.bias": np.ones(1, np.float32)},
        {"conv11.weight": np.ones((16, 1, 3, 3), np.float32)},
    ],
)
def test_archives_without_a_right_preparation(tmp_path, change):
    _, weights = archive(COMPACT)
    path = tmp_path / "vgg.npz"
    write_arrays(path, **{**weights, **change})
    with pytest.raises(WeightsError, match=r"conv0 is not a 1x1 layer|not that for RGB"):
        load_pretrained(VGGEncoder(COMPACT_CHANNELS), "vgg19-compact", path)
