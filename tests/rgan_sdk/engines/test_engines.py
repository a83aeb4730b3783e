"""The engine contract, and each engine of the table."""

import sys

import numpy as np
import pytest
from support.models import blur, make_card, write_model

from rgan_sdk.engines import ENGINES, create_engine, onnxruntime
from rgan_sdk.engines.base import Engine
from rgan_sdk.errors import EngineUnavailableError, InferenceError, UnknownEngineError
from rgan_sdk.model import HarmonizationModel


@pytest.fixture
def model(tmp_path):
    return HarmonizationModel.open(write_model(tmp_path / "m.onnx"))


@pytest.fixture
def hu():
    rng = np.random.default_rng(0)
    batch = rng.uniform(-1500, 1500, (5, 1, 16, 24)).astype(np.float32)
    batch[0, 0, 0, :4] = -3024, 3071, -1024, 1000
    return batch


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_keeps_the_contract(name, model, hu):
    before = hu.copy()
    with create_engine(model, name, "cpu") as engine:
        out = engine.infer(hu)
        assert engine.device == "cpu"
        assert engine.version
    assert out.shape == hu.shape
    assert out.dtype == np.float32
    assert name == "identity" or not np.shares_memory(out, hu)
    assert (hu == before).all()


def test_onnxruntime_computes_the_graph(model, hu):
    with create_engine(model, "onnxruntime", "cpu") as engine:
        out = engine.infer(hu)
    expected = blur(hu[:, 0], make_card())
    assert np.abs(out[:, 0] - expected).max() < 1e-3
    outside = (hu <= -1024) | (hu >= 1000)
    assert (out[outside] == hu[outside]).all()


def test_auto_takes_onnxruntime(model):
    with create_engine(model) as engine:
        assert engine.name == "onnxruntime"


def test_an_unknown_engine_lists_the_valid_ones(model):
    with pytest.raises(UnknownEngineError, match="onnxruntime, identity"):
        create_engine(model, "tensorflow")


@pytest.mark.parametrize("device", ["cuda:99", "tpu", "cuda:x"])
def test_an_absent_device_never_falls_back(model, device):
    for name in ENGINES:
        with pytest.raises(EngineUnavailableError):
            create_engine(model, name, device)


@pytest.mark.gpu
def test_cuda_gives_the_cpus_values(model, hu):
    if not onnxruntime.cuda_is_usable():
        pytest.skip("gpu: no CUDA device that ONNX Runtime can use")
    with (
        create_engine(model, "onnxruntime", "cpu") as cpu,
        create_engine(model, device="cuda") as gpu,
    ):
        assert np.abs(cpu.infer(hu) - gpu.infer(hu)).max() < 1


def test_without_onnxruntime_the_error_says_what_to_install(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EngineUnavailableError, match=r"pip install 'rgan-sdk\[cpu\]'"):
        create_engine(model)


def test_both_runtimes_at_once_are_refused(model, monkeypatch):
    both = ["onnxruntime", "onnxruntime-gpu"]
    monkeypatch.setattr(onnxruntime, "installed_distributions", lambda: both)
    assert not onnxruntime.is_available()
    with pytest.raises(EngineUnavailableError, match="keep one"):
        create_engine(model)


class ScriptedEngine(Engine):
    """Returns what the test wants."""

    name = "scripted"
    version = "1"

    def __init__(self, model, result):
        super().__init__(model, "cpu")
        self.result = result

    def _infer(self, hu):
        return self.result(hu)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda hu: np.where(hu == hu[0, 0, 3, 3], np.nan, hu).astype(np.float32), "NaN"),
        (lambda hu: hu * np.float32(np.inf), "NaN or infinite"),
        (lambda hu: hu[..., 1:], "does not keep the shape"),
        (lambda hu: hu.astype(np.float64), "float64"),
    ],
)
def test_impossible_output_is_an_error(model, hu, result, message):
    with pytest.raises(InferenceError, match=message):
        ScriptedEngine(model, result).infer(hu)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda hu: hu.astype(np.float64),
        lambda hu: hu[:, 0],
        lambda hu: hu[:, :, :15],
        lambda hu: hu[:0],
        lambda hu: hu[:, :, ::2],
        lambda hu: np.concatenate([hu, hu], axis=1),
    ],
)
def test_impossible_input_is_an_error(model, hu, spoil):
    with pytest.raises(InferenceError):
        ScriptedEngine(model, lambda hu: hu).infer(spoil(hu))


def test_a_closed_engine_computes_no_more(model, hu):
    engine = create_engine(model, "onnxruntime", "cpu")
    engine.close()
    with pytest.raises(InferenceError):
        engine.infer(hu)
