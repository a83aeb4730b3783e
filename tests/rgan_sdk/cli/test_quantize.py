"""``rgan-harmonize quantize``."""

from pathlib import Path

import numpy as np
import pytest
from support.models import make_network, write_model
from support.runs import harmonize, write_inputs

from rgan_sdk.card import ErrorBound
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.engines.base import Deviation
from rgan_sdk.model import HarmonizationModel
from rgan_sdk.quantization import QuantizedModel

ACCEPTED = ("--outside-domain", "spacing")  # the network is of format 1
EVERYTHING = "kernel,manufacturer,spacing,reconstruction"


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "network.onnx"
    path.write_bytes(make_network().SerializeToString())
    return path


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans") / "series"
    write_inputs(folder, series=2, slices=3, size=64)
    return folder


@pytest.fixture(scope="module")
def quantized(network, series):
    output = series.parent / "small.onnx"
    result = harmonize("quantize", network, series, "-o", output, *ACCEPTED, "--slices", 2)
    assert result.exit_code == 0, result.output
    return output, result


@pytest.fixture
def ready(quantized, monkeypatch):
    """Have the result of the first time given again, for tests of what is around it."""
    deviation, bound = Deviation(2.0, 1.0, 0.1), ErrorBound(4.0, 2.0)
    result = QuantizedModel(quantized[0].read_bytes(), deviation, bound, (), {})
    seen = []

    def again(model, images, **options):
        seen.append((model, images, options))
        return result

    monkeypatch.setattr("rgan_sdk.quantization.quantize", again)
    return seen


def test_the_file_and_what_is_said_of_it(quantized):
    output, result = quantized
    model = HarmonizationModel.open(output)
    bound = model.card.error_bounds["int8"]
    assert model.precision == "int8"
    text = " ".join(result.output.split())
    for part in (
        "reading: 2 slices",
        "int8 in 3 layers: 4 slices",
        "int8 in 3 of 5 convolutions",
        f"sha256 {model.sha256}",
        "deviation from float32 on 2 slices and the self-test's: max ",
        f"the card allows max {bound.max:g}, p99.9 {bound.p999:g} HU",
        "first: sees the slice itself",
        "last: makes the slice",
    ):
        assert part in text
    assert text.endswith(" s")
    assert [path.name for path in output.parent.iterdir() if path.is_file()] == [output.name]


def test_an_int8_model_is_not_quantized_again(quantized, series):
    output, _ = quantized
    result = harmonize("quantize", output, series, "-o", output.with_name("again.onnx"), *ACCEPTED)
    assert result.exit_code == 1
    assert f"{output} is int8; int8 models are made from the float32 file" in result.output
    assert not output.with_name("again.onnx").exists()


@pytest.mark.usefixtures("ready")
def test_a_file_that_cannot_be_written_whole_is_not_there(network, series, tmp_path, monkeypatch):
    output = tmp_path / "small.onnx"
    output.write_text("what was there before")

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    result = harmonize("quantize", network, series, "-o", output, *ACCEPTED)
    assert result.exit_code == 1
    assert "cannot be written (No space left on device)" in result.output
    assert output.read_text() == "what was there before"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [output.name]


def test_other_kernels_are_listed(series, tmp_path):
    output = tmp_path / "small.onnx"
    result = harmonize("quantize", "b70f-to-b40f", series, "-o", output)
    assert result.exit_code == 1
    assert "no slices to calibrate on; found:" in result.output
    assert (
        result.output.count("3 slices: ConvolutionKernel (0018,1210) is B40f; the model takes B70f")
        == 2
    )
    assert "(or use --outside-domain kernel" in result.output
    assert not output.exists()


def test_series_outside_the_domain_can_be_accepted(series, tmp_path, ready):
    output = tmp_path / "small.onnx"
    command = ("quantize", "b70f-to-b40f", series, "-o", output)
    assert harmonize(*command, "--outside-domain", EVERYTHING).exit_code == 0
    assert output.exists()
    ((model, images, _),) = ready
    assert model.source == "b70f-to-b40f"
    assert len(images) == 6


def test_slices_are_taken_from_all_over(network, series, tmp_path, ready):
    command = ("quantize", network, series, "-o", tmp_path / "small.onnx", *ACCEPTED)
    assert harmonize(*command, "--slices", 3, "--limit", 2.5).exit_code == 0
    ((_, images, options),) = ready
    found = find_series(series).series
    files = [file for one in found for file in one.slices]
    expected = [read_slice(files[number].path).hu for number in (0, 2, 5)]
    assert np.array_equal(images, expected)
    assert options["limit"] == 2.5
    assert options["pixel_spacings"] == [found[0].mean_pixel_spacing] * 3


def test_a_folder_without_series(network, tmp_path):
    (tmp_path / "empty").mkdir()
    result = harmonize("quantize", network, tmp_path / "empty", "-o", tmp_path / "small.onnx")
    assert result.exit_code == 1
    assert "no CT series" in result.output


def test_the_model_itself_is_not_overwritten(series, tmp_path):
    model = write_model(tmp_path / "m.onnx")
    content = model.read_bytes()
    (tmp_path / "link.onnx").symlink_to(model)
    for output in (model, tmp_path / "link.onnx"):
        result = harmonize("quantize", model, series, "-o", output)
        assert result.exit_code == 2
        assert "is MODEL itself" in result.output
        assert model.read_bytes() == content


@pytest.mark.parametrize(
    ("name", "problem"),
    [("small.bin", "must be named .onnx"), ("missing/small.onnx", "there is no folder")],
)
def test_outputs_that_cannot_be(network, series, tmp_path, name, problem):
    result = harmonize("quantize", network, series, "-o", tmp_path / name)
    assert result.exit_code == 2
    assert problem in " ".join(result.output.split())
