"""Each of several threads gets the output of its own input, whatever the engine."""

import threading
import time
from contextlib import suppress

import numpy as np
import pytest
from support.models import make_network, write_model
from support.threads import call_at_once

from rgan_sdk.engines import engine_module
from rgan_sdk.engines.base import Engine
from rgan_sdk.engines.identity import IdentityEngine
from rgan_sdk.engines.onnxruntime import OnnxRuntimeEngine
from rgan_sdk.engines.openvino import OpenVINOEngine, import_openvino
from rgan_sdk.engines.tensorrt.engine import TensorRTEngine
from rgan_sdk.errors import DeviceMemoryError, EngineUnavailableError, InferenceError
from rgan_sdk.model import HarmonizationModel

ROUNDS = 20


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(make_network().SerializeToString())
    return HarmonizationModel.open(path)


def batches():
    """Return a batch for each thread: two of one shape, and one of another."""
    rng = np.random.default_rng(0)
    shapes = [(3, 1, 32, 48), (3, 1, 32, 48), (1, 1, 64, 32)]
    return [rng.normal(-300, 300, shape).astype(np.float32) for shape in shapes]


def check(engine):
    hu = batches()
    alone = [engine.infer(batch).copy() for batch in hu]

    def infer_all(batch):
        return [engine.infer(batch) for _ in range(ROUNDS)]

    together = call_at_once([lambda batch=batch: infer_all(batch) for batch in hu])
    for outputs, expected in zip(together, alone, strict=True):
        assert all(np.array_equal(output, expected) for output in outputs)


@pytest.mark.parametrize("kind", [IdentityEngine, OnnxRuntimeEngine, OpenVINOEngine])
def test_on_a_cpu(kind, model):
    with kind(model, "cpu") as engine:
        check(engine)


def test_in_bfloat16(model):
    if "BF16" not in import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        with pytest.raises(EngineUnavailableError, match="does not compute in bf16"):
            OpenVINOEngine(model, "cpu", "bf16")
        return
    with OpenVINOEngine(model, "cpu", "bf16") as engine:
        check(engine)


@pytest.mark.gpu
@pytest.mark.parametrize("kind", [OnnxRuntimeEngine, TensorRTEngine])
def test_on_a_gpu(kind, model):
    if reason := engine_module(kind.name).why_not("cuda"):
        pytest.skip(f"gpu: {reason}")
    with kind(model, "cuda") as engine:
        check(engine)


class OneBuffer(Engine):
    """Computes in buffers that all calls share, as on a GPU."""

    name = "one-buffer"
    version = "1"

    def __init__(self, model):
        super().__init__(model, "cpu")
        self.buffer = np.empty(0, np.float32)
        self.is_released = False

    def _infer(self, hu, pixel_spacing):
        assert not self.is_released
        self.buffer = hu.copy()
        time.sleep(0.002)
        return self.buffer + 1

    def _release(self):
        self.is_released = True


def test_an_engine_may_share_its_buffers_between_calls(tmp_path):
    with OneBuffer(HarmonizationModel.open(write_model(tmp_path / "m.onnx"))) as engine:
        check(engine)


def test_close_waits_for_a_call(tmp_path):
    engine = OneBuffer(HarmonizationModel.open(write_model(tmp_path / "m.onnx")))
    (hu, *_), closed, first = batches(), threading.Event(), threading.Event()

    def infer_until_closed():
        with suppress(InferenceError):  # the engine is closed
            infer()

    def infer():
        while not closed.is_set():
            assert np.array_equal(engine.infer(hu), hu + 1)
            first.set()

    def close():
        first.wait(timeout=60)
        engine.close()
        closed.set()

    call_at_once([infer_until_closed, close])


def test_a_lack_of_memory_is_told_from_other_failures(tmp_path, monkeypatch):
    def fail(hu, pixel_spacing):
        raise MemoryError

    engine = OneBuffer(HarmonizationModel.open(write_model(tmp_path / "m.onnx")))
    monkeypatch.setattr(engine, "_infer", fail)
    with pytest.raises(DeviceMemoryError, match="not enough memory"):
        engine.infer(batches()[0])
