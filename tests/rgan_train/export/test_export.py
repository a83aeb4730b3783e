import builtins
import json
import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from support.requirements import require_data
from support.training import open_dataset, tiny_config

from rgan_sdk.card import TrainingData
from rgan_sdk.dicom.read.padding import PADDING_HU
from rgan_sdk.errors import (
    ConfigurationError,
    EngineUnavailableError,
    OutputError,
    TrainingError,
)
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.model import HarmonizationModel
from rgan_train.config import override
from rgan_train.export import files as exporting
from rgan_train.export.export import export_run, load_graph
from rgan_train.export.files import LEAST_BOUND
from rgan_train.export.onnx_graph import OPERATORS, to_onnx
from rgan_train.export.parity import add_extremes
from rgan_train.networks.graph import harmonize_slice
from rgan_train.pairs import PairedSample, SliceReader, read_pairs
from rgan_train.training import Job, RunFolder, fit


def run_of(scans, pairs_csv, folder, *assignments, **fields):
    job = Job(
        tiny_config(*assignments), open_dataset(scans), read_pairs(pairs_csv), RunFolder(folder)
    )
    fit(replace(job, **fields), lambda report: None)
    return job.folder


@pytest.fixture(scope="module")
def run(scans, pairs_csv, tmp_path_factory):
    return run_of(
        scans, pairs_csv, tmp_path_factory.mktemp("export") / "run", "optimizer.learning_rate=0.003"
    )


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    return export_run(run, tmp_path_factory.mktemp("models") / "model.onnx", version="2.0.1")


@pytest.fixture
def converted(exported, monkeypatch):
    """Spare the conversion, which takes seconds: give the graphs converted before."""

    def convert(graph):
        half = graph.network_dtype == torch.float16
        return onnx.load(exported.files["fp16" if half else "fp32"].path)

    monkeypatch.setattr(exporting, "to_onnx", convert)


def test_two_files_with_one_card(exported):
    files = exported.files
    assert [file.path.name for file in files.values()] == ["model.onnx", "model.fp16.onnx"]
    models = [HarmonizationModel.open(file.path) for file in files.values()]
    assert models[0].card == models[1].card == exported.card
    assert models[0].sha256 == files["fp32"].sha256
    assert files["fp16"].size < files["fp32"].size


def test_the_card(exported, run):
    card = exported.card
    assert (card.name, card.version) == ("b40f-to-b70f", "2.0.1")
    assert (card.source_kernels, card.target_kernel) == (("B40f",), "B70f")
    assert card.manufacturers == ("Scanner Works",)
    assert card.multiple == 4
    assert card.training_data[0].name == "phantom"
    (pair,) = read_pairs(run.pairs_csv)
    assert len(card.series_seen) == 2
    assert card.has_seen(pair.series_a)
    assert card.has_seen(pair.series_b)
    psnr, ssim = card.quality
    assert (psnr.metric, psnr.slices, psnr.data) == ("PSNR, dB", 1, "validation slices of phantom")
    assert psnr.output == pytest.approx(run.state("best").best_psnr, abs=1e-3)
    assert 0 < ssim.input < 1
    deviation = exported.files["fp16"].deviation
    bound = card.error_bounds["fp16"]
    assert deviation.max < bound.max <= max(2 * deviation.max + 0.01, LEAST_BOUND.max)
    assert deviation.p999 < bound.p999 <= max(2 * deviation.p999 + 0.01, LEAST_BOUND.p999)
    assert set(card.error_bounds) == {"fp16"}


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_graph_is_plain(exported, precision):
    model = onnx.load(exported.files[precision].path)
    operators = Counter(node.op_type for node in model.graph.node)
    assert set(operators) <= OPERATORS - {"Constant", "QuantizeLinear", "DequantizeLinear"}
    constants = {"", *(tensor.name for tensor in model.graph.initializer)}
    foldable = [node.name for node in model.graph.node if constants.issuperset(node.input)]
    assert not foldable
    assert operators["Cast"] == (2 if precision == "fp16" else 0)
    assert model.ir_version <= 10
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 20)]
    integers = {
        tensor.name
        for tensor in model.graph.initializer
        if tensor.data_type not in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    }
    for node in model.graph.node:
        assert not integers & set(node.input) or node.op_type == "Pad"
        assert not node.metadata_props
        assert not node.doc_string
    onnx.checker.check_model(model, full_check=True)


def test_everything_around_the_network_is_float32(exported):
    model = onnx.shape_inference.infer_shapes(onnx.load(exported.files["fp16"].path))
    kinds = {value.name: value.type.tensor_type.elem_type for value in model.graph.value_info}
    casts = [node for node in model.graph.node if node.op_type == "Cast"]
    assert [kinds[node.output[0]] for node in casts] == [
        onnx.TensorProto.FLOAT16,
        onnx.TensorProto.FLOAT,
    ]
    for node in model.graph.node:
        if node.op_type in ("Clip", "Div"):
            assert kinds.get(node.output[0], onnx.TensorProto.FLOAT) == onnx.TensorProto.FLOAT


@pytest.mark.parametrize(("precision", "limit"), [("fp32", 0.05), ("fp16", 5.0)])
def test_any_size_and_batch_gives_what_pytorch_gives(exported, run, precision, limit):
    graph = load_graph(run, run.config(), "best")
    rng = np.random.default_rng(0)
    with Harmonizer.load(
        exported.files[precision].path, device="cpu", outside_domain=("spacing",)
    ) as harmonizer:
        for shape in ((3, 64, 64), (1, 37, 50)):
            hu = rng.normal(0, 600, shape).astype(np.float32)
            hu = np.stack([add_extremes(image) for image in hu])
            out = harmonizer(hu, pixel_spacing=0.7)
            wanted = np.stack([harmonize_slice(graph, image, 0.7) for image in hu])
            assert np.abs(out - wanted).max() < limit
            assert not np.array_equal(out, hu)
            outside = (hu <= -1032) | (hu >= 1008)
            assert {-3024.0, 3071.0} <= set(hu[outside])
            assert np.array_equal(out[outside], hu[outside])


@pytest.mark.usefixtures("converted")
def test_the_name_can_be_given(run, tmp_path):
    export_run(run, tmp_path / "last.onnx", name="my-model")
    assert HarmonizationModel.open(tmp_path / "last.onnx").card.name == "my-model"


def test_last_and_best_are_different_checkpoints(run, tmp_path):
    run = RunFolder(shutil.copytree(run.path, tmp_path / "run"))
    state = run.state("last")
    run.save(replace(state, epoch=9), run.load(state) | {"generator": zeros(run, state)})
    last, best = (load_graph(run, run.config(), which) for which in ("last", "best"))
    hu = torch.rand(1, 1, 16, 16) * 100
    assert torch.equal(last(hu, torch.tensor([0.7])), hu)
    assert not torch.equal(best(hu, torch.tensor([0.7])), hu)


def zeros(run, state):
    return {name: torch.zeros_like(t) for name, t in run.load(state)["generator"].items()}


@pytest.mark.usefixtures("converted")
def test_a_graph_that_deviates_is_not_written(run, tmp_path, monkeypatch):
    monkeypatch.setitem(exporting.LIMITS, "fp32", 0.0)
    with pytest.raises(TrainingError, match="deviates from PyTorch by up to"):
        export_run(run, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("converted")
def test_fp32_does_not_wait_for_fp16(run, tmp_path, monkeypatch):
    export_run(run, tmp_path / "model.onnx")
    monkeypatch.setitem(exporting.LIMITS, "fp16", 0.0)
    exported = export_run(run, tmp_path / "model.onnx", version="2.0.0")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    assert HarmonizationModel.open(tmp_path / "model.onnx").card == exported.card
    assert (exported.card.version, exported.card.error_bounds) == ("2.0.0", {})
    assert list(exported.files) == ["fp32"]
    *_, why, removed = exported.warnings
    assert "no fp16 file was written" in why
    assert "deviates from PyTorch by up to" in why
    assert "model.fp16.onnx of an earlier export was removed" in removed


@pytest.mark.usefixtures("converted")
def test_fp16_can_be_left_out(run, tmp_path):
    exported = export_run(run, tmp_path / "model.onnx", fp16=False)
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    (loss,) = exported.warnings  # of a model that was hardly trained
    assert "the model is worse than the source" in loss


@pytest.mark.usefixtures("converted")
def test_an_earlier_fp16_file_that_cannot_be_replaced(run, tmp_path):
    (tmp_path / "model.fp16.onnx").mkdir()
    with pytest.raises(OutputError, match=r"model.fp16.onnx: cannot be replaced"):
        export_run(run, tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.fp16.onnx"]


@pytest.mark.usefixtures("converted")
@pytest.mark.parametrize(("which", "inside"), [("best", "stage 1 of 8"), ("last", "stage 2 of 8")])
def test_a_run_that_stopped_inside_a_growing_window(run, tmp_path, which, inside):
    folder = RunFolder(shutil.copytree(run.path, tmp_path / "run"))
    config = override(folder.config(), {"curriculum": {"schedule": "growing"}})
    for name, stage in (("epoch-0001", 2), ("epoch-0002", 3)):
        path = folder.path / "checkpoints" / name
        if not path.exists():
            shutil.copytree(folder.path / "checkpoints" / folder.state("last").name, path)
        state = json.loads((path / "state.json").read_text())
        curriculum = {"phase": "growing", "stage": stage, "lower": -1024, "upper": 0, "epochs": 0}
        state |= {"epoch": int(name[-4:]), "best": "epoch-0001", "curriculum": curriculum}
        (path / "state.json").write_text(json.dumps(state))
    exported = export_run(folder, tmp_path / "m.onnx", config, checkpoint=which, fp16=False)
    warning, _ = exported.warnings
    assert f"stopped inside the growing window [-1024, {-769 if '1' in inside else -513}]" in (
        warning.replace(".0", "")
    )
    assert inside in warning


@pytest.mark.usefixtures("converted")
def test_test_slices_are_not_measured(run, scans, tmp_path, monkeypatch):
    from rgan_sdk.dicom.read import batches

    read, opened = batches.read_hu, set()
    monkeypatch.setattr(
        batches, "read_hu", lambda path, shape: opened.add(path) or read(path, shape)
    )
    export_run(run, tmp_path / "model.onnx")
    dataset = open_dataset(scans)
    used = (*dataset.train, *dataset.validation)
    assert opened == {path for item in used for path in (item.source, item.target)}


def two_validation_slices(run):
    ranges = {"train_slices": "0-7", "validation_slices": "8-9", "test_slices": "10-11"}
    return override(run.config(), {"data": ranges})


def blank_slices(monkeypatch, *numbers):
    """Make slices padding alone; the names of their files end with their numbers."""
    read = SliceReader.read
    endings = tuple(f"-{number:02d}" for number in numbers)

    def read_blank(self, files):
        sample = read(self, files)
        blank = PairedSample(*np.full_like(sample, PADDING_HU))
        return blank if files.source.stem.endswith(endings) else sample

    monkeypatch.setattr(SliceReader, "read", read_blank)


@pytest.mark.usefixtures("converted")
def test_a_validation_slice_of_padding_alone_is_left_out(run, tmp_path, monkeypatch):
    blank_slices(monkeypatch, 9)
    exported = export_run(run, tmp_path / "model.onnx", two_validation_slices(run), fp16=False)
    for figure in exported.card.quality:
        assert figure.slices == 1
        assert np.isfinite([figure.input, figure.output]).all()


def test_validation_slices_that_are_all_padding(run, tmp_path, monkeypatch):
    blank_slices(monkeypatch, 8, 9)
    with pytest.raises(TrainingError, match="the validation slices are padding alone"):
        export_run(run, tmp_path / "model.onnx", two_validation_slices(run))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("converted")
def test_training_data_that_nobody_named(run, tmp_path):
    unnamed = override(run.config(), {"data": {"name": "", "licence": ""}})
    exported = export_run(run, tmp_path / "model.onnx", unnamed)
    assert exported.card.training_data == (TrainingData("not stated", "not stated", ""),)
    assert {figure.data for figure in exported.card.quality} == {"validation slices"}
    warning, _ = exported.warnings
    assert "--data-name and --data-licence" in warning


def test_a_file_of_another_kind(run, tmp_path):
    with pytest.raises(ConfigurationError, match=r"must be named \.onnx"):
        export_run(run, tmp_path / "model")


def test_no_checkpoint_yet(run, tmp_path):
    empty = RunFolder(tmp_path / "empty")
    empty.create(run.config(), run.provenance(), {})
    with pytest.raises(TrainingError, match="has no best checkpoint"):
        export_run(empty, tmp_path / "model.onnx")


@pytest.mark.usefixtures("converted")
def test_without_onnx_runtime(run, tmp_path, monkeypatch):
    original = builtins.__import__

    def without(name, *arguments, **keywords):
        if name == "onnxruntime":
            raise ImportError(name)
        return original(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(EngineUnavailableError, match=r"pip install 'rgan-sdk\[cpu\]'"):
        export_run(run, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_an_operator_that_is_not_plain(run):
    graph = load_graph(run, run.config(), "best")
    graph.network.head.append(torch.nn.Sigmoid())
    with pytest.raises(TrainingError, match="operators Sigmoid"):
        to_onnx(graph)


def test_a_frozen_encoder(scans, pairs_csv, tmp_path):
    archive = require_data("vgg/vgg19_16x_distilled_relu5_1.npz")
    run = run_of(
        scans,
        pairs_csv,
        tmp_path / "run",
        "generator.encoder=vgg19-compact",
        "training.epochs=1",
        vgg_weights=archive,
    )
    exported = export_run(run, tmp_path / "model.onnx")
    assert exported.card.multiple == 16
    assert exported.files["fp32"].deviation.max < 0.05


def test_a_name_that_no_card_may_have_is_refused_at_once(run, tmp_path):
    with pytest.raises(ConfigurationError, match="must match"):
        export_run(run, tmp_path / "m.onnx", name="My Model/2")
