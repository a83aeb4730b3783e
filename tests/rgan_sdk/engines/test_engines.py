"""The engine contract, and each engine of the table."""

import sys
from importlib.abc import MetaPathFinder
from types import SimpleNamespace

import numpy as np
import pytest
from support.models import blur, disguise, make_card, make_domain_card, write_model

from rgan_sdk.engines import ENGINES, create_engine, cuda, engine_module, onnxruntime
from rgan_sdk.engines.base import Engine
from rgan_sdk.engines.tensorrt import engine as tensorrt
from rgan_sdk.errors import EngineUnavailableError, InferenceError, UnknownEngineError
from rgan_sdk.model import HarmonizationModel


@pytest.fixture
def model(tmp_path):
    return HarmonizationModel.open(write_model(tmp_path / "m.onnx"))


@pytest.fixture
def domain_model(tmp_path):
    return HarmonizationModel.open(write_model(tmp_path / "m2.onnx", make_domain_card()))


@pytest.fixture
def hu():
    rng = np.random.default_rng(0)
    batch = rng.uniform(-1500, 1500, (5, 1, 16, 24)).astype(np.float32)
    batch[0, 0, 0, :4] = -3024, 3071, -1024, 1000
    return batch


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_is_a_module_with_two_names(name):
    module = engine_module(name)
    kind = getattr(module, ENGINES[name][1])
    assert issubclass(kind, Engine)
    assert kind.name == name
    assert module.why_not("no device")


@pytest.mark.parametrize("name", [name for name in ENGINES if name != "tensorrt"])
def test_every_engine_keeps_the_contract(name, model, hu):
    before = hu.copy()
    with create_engine(model, name, "cpu") as engine:
        out = engine.infer(hu)
        assert engine.device == "cpu"
        assert engine.version
        assert engine.hardware
        assert engine.precision == "fp32"
    assert out.shape == hu.shape
    assert out.dtype == np.float32
    assert name == "identity" or not np.shares_memory(out, hu)
    assert (hu == before).all()


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_engines_compute_the_graph(name, model, hu):
    with create_engine(model, name, "cpu") as engine:
        out = engine.infer(hu)
    expected = blur(hu[:, 0], make_card())
    assert np.abs(out[:, 0] - expected).max() < 1e-3
    outside = (hu <= -1024) | (hu >= 1000)
    assert (out[outside] == hu[outside]).all()


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_engines_compute_the_weights_for_each_pixel_spacing(name, domain_model, hu):
    spacings = (0.6, 0.9, 0.65, 0.75, 0.8, 0.7, 0.6, np.float32(0.9))  # more than are kept
    with create_engine(domain_model, name, "cpu") as engine:
        for spacing in spacings:
            expected = blur(hu[:, 0], domain_model.card, spacing)
            assert np.abs(engine.infer(hu, spacing)[:, 0] - expected).max() < 1e-3


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_what_was_checked_as_onnx_runs_as_onnx(name, tmp_path, hu):
    path = write_model(tmp_path / "model.onnx")
    with create_engine(HarmonizationModel.open(path), name, "cpu") as engine:
        expected = engine.infer(hu)
    path.write_bytes(disguise(path.read_bytes()))
    with create_engine(HarmonizationModel.open(path), name, "cpu") as engine:
        assert (engine.infer(hu) == expected).all()


@pytest.mark.parametrize("name", ["onnxruntime", "openvino", "identity"])
@pytest.mark.parametrize("spacing", [None, 0.0, -0.7, np.nan, np.inf, 1e-60, 1e60, "0.7"])
def test_a_model_of_format_2_needs_a_pixel_spacing(name, domain_model, hu, spacing):
    with (
        create_engine(domain_model, name, "cpu") as engine,
        pytest.raises(InferenceError, match="needs the pixel spacing, a finite positive number"),
    ):
        engine.infer(hu, spacing)


def test_a_model_of_format_1_does_not_use_the_pixel_spacing(model, hu):
    with create_engine(model, "onnxruntime", "cpu") as engine:
        assert np.array_equal(engine.infer(hu, 0.5), engine.infer(hu))


def test_few_sessions_are_kept(domain_model, hu, monkeypatch):
    opened = []
    bind = onnxruntime.bind_pixel_spacing

    def counting(content, pixel_spacing):
        opened.append(pixel_spacing)
        return bind(content, pixel_spacing)

    monkeypatch.setattr(onnxruntime, "bind_pixel_spacing", counting)
    with onnxruntime.OnnxRuntimeEngine(domain_model, "cpu") as engine:
        for spacing in (0.7, 0.75, 0.5, 0.75, 1.0, 0.625, 0.875, 0.5, 0.75):
            engine.infer(hu, spacing)
    assert opened == [float(np.float32(0.7)), 0.75, 0.5, 1.0, 0.625, 0.875, 0.5, 0.75]


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_a_slice_has_the_same_bits_in_every_batch(name, model, hu):
    with create_engine(model, name, "cpu") as engine:
        assert engine.batch_invariant
        together = engine.infer(hu)
        alone = [engine.infer(hu[index : index + 1])[0] for index in reversed(range(len(hu)))]
    assert (together == np.stack(alone[::-1])).all()


def test_auto_takes_the_first_that_is_there_and_says_why_not_the_others(model):
    with create_engine(model, device="cpu") as engine:
        assert engine.name == "openvino"
        assert engine.passed_over == ()
    if cuda.why_no_device():
        with create_engine(model) as engine:
            assert engine.name == "openvino"
            assert [text.partition(":")[0] for text in engine.passed_over] == [
                "onnxruntime on cuda",
                "tensorrt on cuda",
            ]


def test_auto_goes_on_where_a_runtime_is_not_installed(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with create_engine(model, device="cpu") as engine:
        assert engine.name == "onnxruntime"
        assert engine.passed_over == (
            "openvino on cpu: OpenVINO is not installed: pip install 'rgan-sdk[openvino]'",
        )
    with pytest.raises(EngineUnavailableError, match=r"pip install 'rgan-sdk\[openvino\]'"):
        create_engine(model, "openvino")


def test_auto_goes_on_where_tensorrt_cannot_keep_its_plan(model, monkeypatch):
    monkeypatch.setenv("RGAN_CACHE", "/proc/nothing")
    monkeypatch.setattr(cuda, "why_no_device", lambda: "ONNX Runtime is passed over")
    gpu = cuda.Device(0, "NVIDIA H100", "9.0", 132, 80 << 30)
    runtime = SimpleNamespace(__name__="tensorrt", __version__="10.13.0")
    for name, answer in {"why_not": "", "usable_device": gpu}.items():
        monkeypatch.setattr(tensorrt, name, lambda device, answer=answer: answer)
    monkeypatch.setattr(tensorrt, "import_tensorrt", lambda: runtime)
    monkeypatch.setattr(cuda, "free_memory", lambda index: 70 << 30)
    with create_engine(model) as engine:
        assert engine.name == "openvino"
        assert "set RGAN_CACHE to a folder that can be written to" in engine.passed_over[1]
    with pytest.raises(EngineUnavailableError, match="TensorRT on cuda:0: the cache folder cannot"):
        create_engine(model, "tensorrt", "cuda")


def test_a_device_without_any_engine_lists_the_reasons(model, monkeypatch):
    monkeypatch.setattr(cuda, "why_no_device", lambda: "no NVIDIA driver is installed")
    with pytest.raises(EngineUnavailableError) as caught:
        create_engine(model, device="cuda")
    assert "tensorrt on cuda: " in str(caught.value)
    assert "onnxruntime on cuda: " in str(caught.value)
    assert "openvino" not in str(caught.value)


def test_an_unknown_engine_lists_the_valid_ones(model):
    with pytest.raises(UnknownEngineError, match="onnxruntime, openvino, identity"):
        create_engine(model, "tensorflow")


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("error", [ImportError("libgomp.so.1"), OSError("bad file")])
def test_a_broken_runtime_is_told_and_passed_over(model, monkeypatch, name, error):
    """A runtime that is installed but broken must not end ``auto``, nor be reported as absent."""

    class Broken(MetaPathFinder):
        def find_spec(self, wanted, path, target=None):
            if wanted == name:
                raise error

    for module in [key for key in sys.modules if key.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(EngineUnavailableError, match=f"cannot be loaded .{error}"):
        create_engine(model, name, "cpu")
    if name == "openvino":
        with create_engine(model, device="cpu") as engine:
            assert engine.name == "onnxruntime"
            assert "cannot be loaded" in engine.passed_over[0]


@pytest.mark.parametrize("device", ["cuda:99", "tpu", "cuda:x", "cpu:0", "auto:1", "CUDA"])
def test_an_absent_device_never_falls_back(model, device):
    for name in ENGINES:
        with pytest.raises(EngineUnavailableError):
            create_engine(model, name, device)


@pytest.mark.gpu
def test_cuda_gives_the_cpus_values(model, hu):
    if reason := onnxruntime.why_not("cuda"):
        pytest.skip(f"gpu: {reason}")
    with (
        create_engine(model, "onnxruntime", "cpu") as cpu,
        create_engine(model, "onnxruntime", "cuda") as gpu,
    ):
        assert np.abs(cpu.infer(hu) - gpu.infer(hu)).max() < 1


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["onnxruntime", "tensorrt"])
def test_cuda_computes_the_weights_for_each_pixel_spacing(name, domain_model, hu):
    if reason := engine_module(name).why_not("cuda"):
        pytest.skip(f"gpu: {reason}")
    with (
        create_engine(domain_model, "onnxruntime", "cpu") as cpu,
        create_engine(domain_model, name, "cuda") as gpu,
    ):
        for spacing in (0.6, 0.9, 0.6, 0.7):
            assert np.abs(cpu.infer(hu, spacing) - gpu.infer(hu, spacing)).max() < 0.05


def test_without_onnxruntime_the_error_says_what_to_install(model, monkeypatch, empty_cache):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EngineUnavailableError, match=r"pip install 'rgan-sdk\[cpu\]'"):
        create_engine(model)


def test_both_runtimes_at_once_are_refused(model, monkeypatch, empty_cache):
    both = ["onnxruntime", "onnxruntime-gpu"]
    monkeypatch.setattr(onnxruntime, "installed_distributions", lambda: both)
    assert "keep one" in onnxruntime.why_not("cpu")
    with pytest.raises(EngineUnavailableError, match="keep one"):
        create_engine(model)


class ScriptedEngine(Engine):
    """Returns what the test demands."""

    name = "scripted"
    version = "1"

    def __init__(self, model, result):
        super().__init__(model, "cpu")
        self.result = result

    def _infer(self, hu, pixel_spacing):
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


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_a_closed_engine_computes_no_more(name, model, hu):
    engine = create_engine(model, name, "cpu")
    for _ in range(2):
        engine.close()
        with pytest.raises(InferenceError, match="closed"):
            engine.infer(hu)
