"""librgan on CUDA, by ONNX Runtime."""

import numpy as np
import onnxruntime
import pytest
from support.librgan import Engine, LibraryError, Model, runtime
from support.models import make_card, make_domain_card, make_float16, make_model, make_network

from rgan_sdk.engines.onnxruntime import why_not

MODELS = {
    "format 1": lambda: make_model(make_card()),
    "format 2": lambda: make_model(make_domain_card()),
    "fp16": lambda: make_float16(make_domain_card()),
    "network": lambda: make_network(card=make_domain_card(multiple=2)),
}


def test_cuda_needs_a_runtime_that_was_built_with_it():
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("gpu: this runtime was built with it")
    with (
        Model(make_model().SerializeToString()) as model,
        pytest.raises(LibraryError, match=r"ENGINE_UNAVAILABLE: .*without CUDA"),
    ):
        Engine(model, device=b"cuda")


@pytest.mark.gpu
@pytest.mark.parametrize("kind", MODELS)
def test_cuda_agrees_with_the_cpu(kind):
    if reason := why_not("cuda"):
        pytest.skip(f"gpu: {reason}")
    hu = np.random.default_rng(0).uniform(-1100, 1500, (2, 70, 53)).astype(np.float32)
    content = MODELS[kind]().SerializeToString()
    with (
        Model(content) as model,
        Engine(model, device=b"cuda") as gpu,
        Engine(model, device=b"cpu") as cpu,
    ):
        assert f"(cuda:0, {'fp16' if kind == 'fp16' else 'fp32'})" in gpu.description
        for spacing in (0.61, 0.7):
            found = gpu.harmonize(hu, spacing, any_spacing=True)
            expected = cpu.harmonize(hu, spacing, any_spacing=True)
            assert np.abs(found - expected).max() < 1


@pytest.mark.gpu
def test_auto_takes_cuda_first(monkeypatch):
    if reason := why_not("cuda"):
        pytest.skip(f"gpu: {reason}")
    monkeypatch.setenv("RGAN_ONNXRUNTIME", str(runtime()))
    with Model(make_model().SerializeToString()) as model, Engine(model, runtime=None) as engine:
        assert "(cuda:0" in engine.description


@pytest.mark.gpu
def test_a_device_that_is_absent():
    if reason := why_not("cuda"):
        pytest.skip(f"gpu: {reason}")
    with (
        Model(make_model().SerializeToString()) as model,
        pytest.raises(LibraryError, match="ENGINE_UNAVAILABLE"),
    ):
        Engine(model, device=b"cuda:77")
