"""ONNX Runtime on CUDA: what it is asked for, and how its failures are told, on a stand-in."""

import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from support.models import make_domain_card, write_model

from rgan_sdk.engines import cuda, onnxruntime
from rgan_sdk.engines.memory import lacks_memory
from rgan_sdk.engines.onnxruntime import OnnxRuntimeEngine
from rgan_sdk.errors import DeviceMemoryError, EngineUnavailableError
from rgan_sdk.model import HarmonizationModel

GPU = cuda.Device(1, "NVIDIA H100", "9.0", 132, 80 << 30)


class FakeRuntime:
    """The part of ``onnxruntime`` that the engine uses. The GPU adds one, or the spacing."""

    __version__ = "1.31.1"
    GraphOptimizationLevel = SimpleNamespace(ORT_ENABLE_ALL=99)

    def __init__(self):
        self.failure = None
        self.provider = "CUDAExecutionProvider"
        self.inputs, self.contents = {}, []
        self.severities, self.current_device, self.free = [], 0, 60 << 30
        self.OrtValue = SimpleNamespace(ortvalue_from_shape_and_type=self.allocate)

    def SessionOptions(self):
        return SimpleNamespace(add_session_config_entry=lambda *entry: None)

    def InferenceSession(self, content, sess_options, providers, enable_fallback):
        assert enable_fallback == 0
        if self.failure:
            raise self.failure
        self.contents.append(content)
        self.settings = providers[0][1]
        self.free = 0  # the arena has taken it
        return SimpleNamespace(
            get_providers=lambda: [self.provider, "CPUExecutionProvider"],
            io_binding=lambda: SimpleNamespace(
                bind_ortvalue_input=self.inputs.__setitem__,
                bind_ortvalue_output=lambda name, value: setattr(self, "target", value),
            ),
            run_with_iobinding=self.run,
        )

    def set_default_logger_severity(self, level):
        self.severities.append(level)

    def get_available_providers(self):
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def allocate(self, shape, kind, device, index):
        array = np.empty(shape, kind)

        def update(hu):
            assert self.current_device == index, "memory of another device than the thread's"
            array[:] = hu

        return SimpleNamespace(
            array=array, shape=lambda: shape, update_inplace=update, numpy=array.copy
        )

    def run(self, binding):
        if self.failure:
            raise self.failure
        spacing = self.inputs.get("pixel_spacing")
        added = 1 if spacing is None else spacing.array[0]
        self.target.array[:] = self.inputs["hu"].array + added


@pytest.fixture
def runtime(monkeypatch):
    fake = FakeRuntime()
    monkeypatch.setattr(onnxruntime, "import_onnxruntime", lambda: fake)
    monkeypatch.setattr(cuda, "why_no_device", lambda: "")
    monkeypatch.setattr(cuda, "find_device", lambda name: GPU)
    monkeypatch.setattr(cuda, "free_memory", lambda index: fake.free)

    def set_device(index):
        fake.current_device = index
        return (SimpleNamespace(value=0),)

    monkeypatch.setattr(cuda, "runtime", lambda: SimpleNamespace(cudaSetDevice=set_device))
    return fake


@pytest.fixture
def model(tmp_path):
    return HarmonizationModel.open(write_model(tmp_path / "m.onnx"))


@pytest.mark.parametrize(("precision", "tf32"), [("fp32", "0"), ("fp16", "1")])
def test_tf32_is_off_for_float32_only(runtime, model, precision, tf32):
    object.__setattr__(model, "precision", precision)
    OnnxRuntimeEngine(model, "cuda:1")
    assert runtime.settings["use_tf32"] == tf32
    assert "prefer_nhwc" not in runtime.settings  # off: cuDNN was four times slower with it


def test_the_batch_size_is_asked_before_the_arena_grows(runtime, model):
    engine = OnnxRuntimeEngine(model, "cuda:1")
    assert runtime.free == 0
    assert engine.default_batch_size == 32


def test_a_worker_computes_on_the_engines_device(runtime, model):
    engine = OnnxRuntimeEngine(model, "cuda:1")
    runtime.current_device = 0  # as in a thread that has not used CUDA
    hu = np.eye(16, dtype=np.float32)[None, None]
    assert (engine.infer(hu) == hu + 1).all()


def test_the_pixel_spacing_stays_an_input(runtime, tmp_path):
    model = HarmonizationModel.open(write_model(tmp_path / "m.onnx", make_domain_card()))
    engine = OnnxRuntimeEngine(model, "cuda:1")
    assert runtime.contents == [model.content]
    hu = np.eye(16, dtype=np.float32)[None, None]
    for spacing in (0.75, 0.625):
        assert (engine.infer(hu, spacing) == hu + spacing).all()
    assert runtime.contents == [model.content]


@pytest.mark.parametrize(
    "text",
    [
        "This session contains graph nodes that are assigned to the default CPU EP, but fallback "
        "to CPU EP has been explicitly disabled by the user.",
        "libcublasLt.so.13: cannot open shared object file: No such file or directory",
        "Failed to load library libonnxruntime_providers_cuda.so with error: libcudnn.so.9",
    ],
)
def test_missing_libraries_are_named(runtime, model, capfd, text):
    runtime.failure = RuntimeError(text)
    with pytest.raises(EngineUnavailableError, match=r"libraries are missing.*LD_LIBRARY_PATH"):
        OnnxRuntimeEngine(model, "cuda:1")
    assert capfd.readouterr().out == ""
    assert runtime.severities == [onnxruntime.FATAL, onnxruntime.WARNING]


def test_another_provider_is_refused(runtime, model):
    runtime.provider = "CPUExecutionProvider"
    with pytest.raises(EngineUnavailableError, match="does not run on cuda:1"):
        OnnxRuntimeEngine(model, "cuda:1")


@pytest.mark.parametrize(
    "text",
    [
        "CUDNN failure 4: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "Available memory of 1048576 is smaller than requested bytes of 4194304",
        "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED",
        "Failed to allocate memory for requested buffer of size 4194304",
    ],
)
def test_too_little_memory_is_told_from_other_failures(runtime, model, text):
    engine = OnnxRuntimeEngine(model, "cuda:1")
    runtime.failure = RuntimeError(text)
    with pytest.raises(DeviceMemoryError):
        engine.infer(np.eye(16, dtype=np.float32)[None, None])
    assert not lacks_memory(RuntimeError("CUDA failure 700: an illegal memory access"))


def install(folder: Path, distribution: str, package: str = "onnxruntime") -> None:
    """Make a folder look as if a distribution with one empty package was installed there."""
    (folder / package).mkdir(parents=True, exist_ok=True)
    (folder / package / "__init__.py").touch()
    info = folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two installation folders, searched before all others."""
    paths = tmp_path / "first", tmp_path / "second"
    monkeypatch.setattr(sys, "path", [*map(str, paths), *sys.path])
    for name in {"onnxruntime", *sys.modules}:
        if name.partition(".")[0] == "onnxruntime":
            monkeypatch.setitem(sys.modules, name, None)  # what is imported instead goes at the end
            del sys.modules[name]
    return paths


def test_a_runtime_that_another_one_hides_does_no_harm(folders):
    first, second = folders
    install(first, "onnxruntime-gpu")
    install(second, "onnxruntime")
    assert metadata.version("onnxruntime") == metadata.version("onnxruntime-gpu") == "1.0"
    assert onnxruntime.installed_distributions() == ["onnxruntime-gpu"]
    onnxruntime.import_onnxruntime()


def test_two_runtimes_in_one_folder_are_refused(folders):
    install(folders[0], "onnxruntime-gpu")
    install(folders[0], "onnxruntime")
    with pytest.raises(EngineUnavailableError, match="keep one"):
        onnxruntime.import_onnxruntime()
