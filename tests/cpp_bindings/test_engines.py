"""Which runtime and device librgan takes, and the self-test that they must pass."""

import os
import subprocess
import sys
import threading
from ctypes import byref, c_void_p
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from support.librgan import (
    LIBRARY,
    Engine,
    LibraryError,
    Model,
    check,
    openvino_runtime,
    runtime,
)
from support.models import (
    disguise,
    make_card,
    make_domain_card,
    make_float16,
    make_model,
    make_network,
)

import rgan_sdk as rgan
from rgan_sdk.card import ErrorBound, ModelCard
from rgan_sdk.model import HarmonizationModel, packaged_models
from rgan_sdk.quantization import quantize

OPENVINO = {"engine": b"openvino", "runtime": os.fsencode(openvino_runtime())}
STRICT = {name: ErrorBound(max=0.0, p999=0.0) for name in ("fp16", "int8")}


@pytest.fixture(autouse=True)
def runtimes(monkeypatch):
    monkeypatch.setenv("RGAN_ONNXRUNTIME", str(runtime()))
    monkeypatch.setenv("RGAN_OPENVINO", str(openvino_runtime()))


def slices(count=2, rows=70, columns=53, seed=0):
    random = np.random.default_rng(seed)
    return random.uniform(-1100, 1500, (count, rows, columns)).astype(np.float32)


def in_python(path, hu, pixel_spacing, **engine):
    with rgan.Harmonizer.load(path, outside_domain=("spacing",), **engine) as harmonizer:
        return harmonizer(hu, pixel_spacing=pixel_spacing)


def write(tmp_path, model):
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def quantized(tmp_path):
    """Return the graph of an int8 model."""
    model = HarmonizationModel.open(write(tmp_path, make_network()))
    return onnx.load_model_from_string(quantize(model, list(slices()), limit=1e4).content)


MODELS = {
    "format 1": lambda _: make_model(make_card()),
    "format 2": lambda _: make_model(make_domain_card()),
    "fp16": lambda _: make_float16(make_domain_card()),
    "network": lambda _: make_network(card=make_domain_card(multiple=2)),
    "int8": quantized,
}


@pytest.mark.parametrize("kind", MODELS)
def test_openvino_gives_the_bits_that_it_gives_in_python(kind, tmp_path):
    path = write(tmp_path, MODELS[kind](tmp_path))
    with Model(path) as model, Engine(model, **OPENVINO) as engine:
        assert engine.description.startswith("openvino 20")
        for hu in (slices(), slices(1, 64, 65)):
            for spacing in (0.61, 0.7):
                found = engine.harmonize(hu, spacing, any_spacing=True)
                expected = in_python(path, hu, spacing, engine="openvino")
                assert np.array_equal(found, expected)


@pytest.mark.parametrize("name", packaged_models())
def test_openvino_runs_packaged_models(name):
    hu = slices(1, 96, 101)
    with Model(HarmonizationModel.open(name).content) as model, Engine(model, **OPENVINO) as engine:
        found = engine.harmonize(hu, 0.7)
    assert np.array_equal(found, in_python(name, hu, 0.7, engine="openvino"))


@pytest.mark.parametrize("options", [{"engine": b"onnxruntime"}, OPENVINO])
def test_what_was_checked_as_onnx_runs_as_onnx(options):
    content, hu = make_model(make_domain_card()).SerializeToString(), slices(1)
    with Model(content) as model, Engine(model, **options) as engine:
        expected = engine.harmonize(hu, 0.7)
    with Model(disguise(content)) as model, Engine(model, **options) as engine:
        assert np.array_equal(engine.harmonize(hu, 0.7), expected)


def test_a_stop_ends_openvino(tmp_path):
    def progress(done, total):
        return done < 2

    path = write(tmp_path, make_network())
    hu = slices(4)
    out = np.full_like(hu, 7)
    with Model(path) as model, Engine(model, **OPENVINO) as engine:
        with pytest.raises(LibraryError, match="CANCELLED"):
            engine.harmonize(hu, 0.7, out=out, progress=progress, any_spacing=True)
        assert (out[2:] == 7).all()


def test_another_thread_stops_openvino(tmp_path):
    stop = c_void_p()
    check(LIBRARY.rgan_stop_create(byref(stop)))
    begun = threading.Event()

    def request():
        begun.wait()
        LIBRARY.rgan_stop_request(stop)

    hu = slices(300, 512, 512)
    with (
        Model(HarmonizationModel.open("b40f-to-b70f").content) as model,
        Engine(model, **OPENVINO) as engine,
    ):
        expected = engine.harmonize(hu[:1], 0.7)
        other = threading.Thread(target=request)
        other.start()
        with pytest.raises(LibraryError, match="CANCELLED: stopped, as the caller asked"):
            engine.harmonize(hu, 0.7, progress=lambda done, total: not begun.set(), stop=stop)
        other.join()
        LIBRARY.rgan_stop_release(stop)
        assert np.array_equal(engine.harmonize(hu[:1], 0.7), expected)


def test_auto_takes_openvino_before_onnx_runtime_on_the_cpu():
    with Model(make_model(make_domain_card()).SerializeToString()) as model:
        with Engine(model, runtime=None) as engine:
            assert engine.description.startswith("openvino ")
        with Engine(model, runtime=None, engine=b"onnxruntime") as engine:
            assert engine.description.startswith("onnxruntime ")


def test_auto_goes_on_where_openvino_is_absent(monkeypatch, tmp_path):
    monkeypatch.setenv("RGAN_OPENVINO", str(tmp_path / "libopenvino_c.so"))
    with Model(make_model(make_domain_card()).SerializeToString()) as model:
        with Engine(model, runtime=None) as engine:
            assert engine.description.startswith("onnxruntime ")
        with pytest.raises(LibraryError, match=r"ENGINE_UNAVAILABLE: OpenVINO cannot be loaded"):
            Engine(model, runtime=None, engine=b"openvino")


def test_no_runtime_at_all(monkeypatch, tmp_path):
    monkeypatch.setenv("RGAN_OPENVINO", str(tmp_path / "libopenvino_c.so"))
    monkeypatch.setenv("RGAN_ONNXRUNTIME", str(tmp_path / "libonnxruntime.so"))
    with (
        Model(make_model(make_domain_card()).SerializeToString()) as model,
        pytest.raises(LibraryError, match=r"no engine can run this model here") as caught,
    ):
        Engine(model, runtime=None)
    assert "openvino on cpu: OpenVINO cannot be loaded" in caught.value.text
    assert "onnxruntime on cpu: ONNX Runtime cannot be loaded" in caught.value.text


def test_a_library_that_is_not_openvino():
    with (
        Model(make_model(make_domain_card()).SerializeToString()) as model,
        pytest.raises(LibraryError, match="not OpenVINO's C interface"),
    ):
        Engine(model, engine=b"openvino", runtime=os.fsencode(runtime()))


@pytest.mark.parametrize(
    "options",
    [
        {"engine": b"tensorrt"},
        {"device": b"tpu"},
        {"device": b"cuda:x"},
        {"device": b"cuda:-1"},
        {"precision": b"bf16"},
    ],
)
def test_unknown_names(options):
    with (
        Model(make_model(make_domain_card()).SerializeToString()) as model,
        pytest.raises(LibraryError, match="INVALID_ARGUMENT: no such"),
    ):
        Engine(model, **options)


def test_a_precision_that_is_named():
    with Model(make_model(make_domain_card()).SerializeToString()) as model:
        with Engine(model, precision=b"fp32") as engine:
            assert engine.description.endswith("fp32)")
        with pytest.raises(LibraryError, match=r"ENGINE_UNAVAILABLE: .*in fp32, not in fp16"):
            Engine(model, precision=b"fp16")


def test_openvino_on_cuda():
    with (
        Model(make_model(make_domain_card()).SerializeToString()) as model,
        pytest.raises(LibraryError, match="ENGINE_UNAVAILABLE: OpenVINO runs on cpu here"),
    ):
        Engine(model, **OPENVINO, device=b"cuda")


IN_A_FRESH_PROCESS = f"""
import ctypes, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from support.librgan import Engine, Model
from support.models import make_model
with Model(make_model().SerializeToString()) as model, Engine(model):
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    print(getenv(b"ORT_DISABLE_TELEMETRY").decode())
"""


@pytest.mark.parametrize("chosen", [None, "0"])
def test_telemetry_is_off_unless_the_user_says_so(chosen):
    environment = {name: value for name, value in os.environ.items() if "TELEMETRY" not in name}
    if chosen is not None:
        environment["ORT_DISABLE_TELEMETRY"] = chosen
    done = subprocess.run(
        [sys.executable, "-c", IN_A_FRESH_PROCESS],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == (chosen or "1"), done.stderr


class TestSelfTest:
    @pytest.mark.parametrize("kind", ["fp16", "int8"])
    def test_lower_precisions_pass(self, kind, tmp_path):
        path = write(tmp_path, MODELS[kind](tmp_path))
        with Model(path) as model, Engine(model) as engine:
            assert f"(cpu, {kind})" in engine.description

    @pytest.mark.parametrize("kind", ["fp16", "int8"])
    def test_the_bound_on_the_card_counts(self, kind, tmp_path):
        path = write(tmp_path, with_bounds(MODELS[kind](tmp_path), STRICT))
        with Model(path) as model, pytest.raises(LibraryError) as caught:
            Engine(model)
        assert caught.value.status == "ACCURACY"
        assert "allowed are 0 and 0" in caught.value.text

    def test_the_reference_of_float16_has_the_rounded_weights(self, tmp_path):
        """Only the rounding of values between the casts is left: it stays below one HU here."""
        bounds = {"fp16": ErrorBound(max=1.0, p999=0.6)}
        coarse = make_float16(make_card())
        path = write(tmp_path, with_bounds(coarse, bounds))
        with Model(path) as model, Engine(model) as engine:
            assert engine.description.endswith("(cpu, fp16)")

    def test_a_broken_int8_model_fails(self, tmp_path):
        graph = quantized(tmp_path)
        scales = {node.input[1] for node in graph.graph.node if node.op_type == "QuantizeLinear"}
        for tensor in graph.graph.initializer:
            if tensor.name in scales:
                values = onnx.numpy_helper.to_array(tensor) / np.float32(50)
                tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
        path = write(tmp_path, graph)
        with Model(path) as model, pytest.raises(LibraryError, match=r"ACCURACY: .*int8"):
            Engine(model)


def with_bounds(model, bounds):
    """Return a model with other error bounds on its card."""
    (entry,) = (each for each in model.metadata_props if each.key == "rgan.card")
    card = ModelCard.from_json(entry.value)
    entry.value = replace(card, error_bounds=bounds).to_json()
    return model
