"""What is of a wrong type is refused by an error of the documented tree, whatever takes it."""

import math
from pathlib import Path

import numpy as np
import pytest
from support.models import make_card, write_model

import rgan_sdk as rgan
from rgan_sdk.errors import check_type


@pytest.fixture
def path(tmp_path):
    return write_model(tmp_path / "m.onnx")


@pytest.fixture
def model(path):
    return rgan.HarmonizationModel.open(path)


@pytest.fixture
def harmonizer(path):
    with rgan.Harmonizer.load(path, engine="identity") as harmonizer:
        yield harmonizer


@pytest.mark.parametrize(
    "source", [3, None, b"m.onnx", ["m.onnx"], 1.5, "a\0b", "\ud800", object()]
)
def test_a_model_that_is_no_path(source):
    for open_model in (rgan.Harmonizer.load, rgan.HarmonizationModel.open):
        with pytest.raises(rgan.ConfigurationError, match="model"):
            open_model(source)


@pytest.mark.parametrize("source", ["", ".", "/", "x" * 5000])
def test_a_model_that_is_no_file(source):
    with pytest.raises(rgan.ModelNotFoundError):
        rgan.Harmonizer.load(source)


def test_a_model_by_a_hash_that_is_no_text(path):
    with pytest.raises(rgan.ConfigurationError, match="sha256 must be str or None, not int"):
        rgan.HarmonizationModel.open(path, sha256=5)


@pytest.mark.parametrize("wrong", [None, 3, ["identity"], Path("identity"), {}])
@pytest.mark.parametrize("name", ["engine", "device", "precision"])
def test_names_that_are_no_text(path, model, name, wrong):
    with pytest.raises(rgan.ConfigurationError, match=f"{name} must be str"):
        rgan.Harmonizer.load(path, **{name: wrong})
    with pytest.raises(rgan.ConfigurationError, match=f"{name} must be str"):
        rgan.create_engine(model, **{name: wrong})


@pytest.mark.parametrize("wrong", ["m.onnx", None, Path("m.onnx")])
def test_an_engine_takes_an_opened_model(wrong):
    with pytest.raises(rgan.ConfigurationError, match="model must be HarmonizationModel"):
        rgan.create_engine(wrong)


@pytest.mark.parametrize("wrong", ["x", "4", 4.0, [4], math.nan])
def test_a_batch_size_that_is_no_whole_number(path, harmonizer, wrong):
    with pytest.raises(rgan.ConfigurationError, match="batch_size must be Integral or None"):
        rgan.Harmonizer.load(path, batch_size=wrong)
    with pytest.raises(rgan.ConfigurationError, match="batch_size"):
        harmonizer.with_batch_size(wrong)


def test_whole_numbers_of_numpy_are_whole_numbers(path, tmp_path):
    (tmp_path / "in").mkdir()
    options = rgan.RunOptions(workers=np.int64(2), shard=rgan.Shard(np.uint8(1), np.int32(2)))
    with rgan.Harmonizer.load(path, engine="onnxruntime", batch_size=np.int64(4)) as harmonizer:
        report = rgan.harmonize_directory(tmp_path / "in", tmp_path / "out", harmonizer, options)
    assert report.engine["batch_size"] == 4
    assert rgan.Shard(np.uint8(1), np.uint8(2)).holds("1.2.3") == rgan.Shard(1, 2).holds("1.2.3")


@pytest.mark.parametrize("wrong", [None, "b40f-to-b70f", 5])
def test_a_harmonizer_takes_an_engine(wrong):
    with pytest.raises(rgan.ConfigurationError, match="engine must be Engine"):
        rgan.Harmonizer(wrong)


@pytest.mark.parametrize("wrong", [None, [[0.0]], "an image"])
def test_an_engine_takes_arrays(model, wrong):
    with (
        rgan.create_engine(model, "onnxruntime", "cpu") as engine,
        pytest.raises(rgan.InferenceError, match="expected a float32 array"),
    ):
        engine.infer(wrong)


@pytest.mark.parametrize("call", [rgan.harmonize_directory, rgan.plan_directory])
@pytest.mark.parametrize("wrong", [5, None, ["a", "b"], b"in", object(), "a\0b"])
def test_folders_that_are_no_paths(harmonizer, tmp_path, call, wrong):
    (tmp_path / "in").mkdir()
    with pytest.raises(rgan.ConfigurationError, match="source"):
        call(wrong, tmp_path / "out", harmonizer)
    with pytest.raises(rgan.ConfigurationError, match="destination"):
        call(tmp_path / "in", wrong, harmonizer)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["in"]


@pytest.mark.parametrize("call", [rgan.harmonize_directory, rgan.plan_directory])
def test_a_file_in_place_of_the_output_folder(harmonizer, path, tmp_path, call):
    (tmp_path / "in").mkdir()
    with pytest.raises(rgan.RganError, match=r"m\.onnx"):
        call(tmp_path / "in", path, harmonizer)


@pytest.mark.parametrize("call", [rgan.harmonize_directory, rgan.plan_directory])
@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("harmonizer", None),
        ("harmonizer", "b40f-to-b70f"),
        ("options", "fast"),
        ("options", {}),
        ("options", 0),
        ("others", None),
        ("others", 5),
        ("others", "cuda:1"),
        ("others", [None]),
        ("observer", print),
        ("observer", 0),
    ],
)
def test_what_a_run_cannot_use(harmonizer, tmp_path, call, name, wrong):
    if name == "observer" and call is rgan.plan_directory:
        return
    (tmp_path / "in").mkdir()
    arguments = {"harmonizer": harmonizer, name: wrong}
    with pytest.raises(rgan.ConfigurationError, match=name):
        call(tmp_path / "in", tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("workers", "3"),
        ("workers", 2.0),
        ("workers", [2]),
        ("shard", "1/4"),
        ("shard", (1, 4)),
        ("resume", "no"),
        ("durable", None),
        ("preview", 1),
        ("outside_domain", "kernel"),
        ("checksums", []),
    ],
)
def test_options_of_a_wrong_type(name, wrong):
    with pytest.raises(rgan.ConfigurationError, match=f"{name} must be"):
        rgan.RunOptions(**{name: wrong})


@pytest.mark.parametrize(("number", "count"), [("1", 4), (1, "4"), (None, 4), (1, 4.5), ([1], 4)])
def test_a_shard_of_no_numbers(number, count):
    with pytest.raises(rgan.ConfigurationError, match="must be Integral"):
        rgan.Shard(number, count)


def test_a_shard_holds_uids():
    with pytest.raises(rgan.ConfigurationError, match="series_instance_uid must be str"):
        rgan.Shard(1, 2).holds(5)


@pytest.mark.parametrize(
    ("lower", "upper"), [("-100", "100"), ("a", "b"), (None, 5), (5, [6]), (1j, 2), (math.nan, 0)]
)
def test_a_window_of_no_numbers(lower, upper):
    with pytest.raises(rgan.ConfigurationError):
        rgan.HUWindow(lower, upper)


@pytest.mark.parametrize(
    "changes",
    [
        {"window": 3},
        {"window": None},
        {"name": 5},
        {"handover": math.nan},
        {"handover": np.float32(8)},
        {"source_kernels": {"B40f"}},
        {"source_kernels": None},
        {"training_data": "none"},
        {"error_bounds": []},
        {"multiple": "4"},
    ],
)
def test_a_card_with_a_field_of_a_wrong_type(changes):
    with pytest.raises(rgan.ModelFormatError, match="model card"):
        make_card(**changes).to_json()


@pytest.mark.parametrize("text", [None, 5, [], "5", "[]", b"\xff\xfe\xfd"])
def test_a_card_that_is_no_text(text):
    with pytest.raises(rgan.ModelFormatError, match="model card"):
        rgan.ModelCard.from_json(text)


def test_a_kernel_that_is_no_text():
    with pytest.raises(rgan.ConfigurationError, match="convolution_kernel must be str or None"):
        make_card().accepts_kernel(["B40f"])


def test_a_report_is_written_to_a_path(tmp_path):
    report = rgan.Report(environment={})
    report.write(str(tmp_path / "report.json"))
    assert (tmp_path / "report.json").exists()
    with pytest.raises(rgan.ConfigurationError, match="path must be str or PathLike, not int"):
        report.write(5)
    with pytest.raises(rgan.OutputError, match="cannot write"):
        report.write(tmp_path)


def test_the_message_tells_the_type_and_not_the_value():
    with pytest.raises(rgan.ConfigurationError) as caught:
        check_type("hu", np.zeros(5), str, type(None))
    assert str(caught.value) == "hu must be str or None, not numpy.ndarray"
