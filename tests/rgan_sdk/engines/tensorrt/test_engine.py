"""The TensorRT engine: what it refuses and why, its plans, and on a GPU what it computes.

Where a plan is built without a GPU, TensorRT for RTX stands in for TensorRT.
"""

import sys
from importlib import import_module
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from support.models import make_card, make_domain_card, make_model, write_model
from support.requirements import require_module

from rgan_sdk.cli import main
from rgan_sdk.engines import create_engine, cuda
from rgan_sdk.engines.tensorrt import engine as tensorrt
from rgan_sdk.engines.tensorrt import plans
from rgan_sdk.engines.tensorrt.engine import TensorRTEngine, load_or_build_plan
from rgan_sdk.engines.tensorrt.profile import make_profile
from rgan_sdk.engines.tensorrt.session import split_batch
from rgan_sdk.errors import DeviceMemoryError, EngineUnavailableError, InferenceError
from rgan_sdk.model import HarmonizationModel

# Timing caches do nothing in TensorRT for RTX, which says so.
pytestmark = pytest.mark.filterwarnings("ignore:.*Timing cache operations:DeprecationWarning")

GPU = cuda.Device(0, "NVIDIA H100", "9.0", 132, 80 << 30)
PROFILE = make_profile(4)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tensorrt"


@pytest.fixture
def model(tmp_path):
    return HarmonizationModel.open(write_model(tmp_path / "m.onnx"))


@pytest.fixture
def rtx():
    require_module("tensorrt_rtx", "make test")
    return import_module("tensorrt_rtx")


@pytest.fixture
def driver(monkeypatch):
    """Make CUDA answer like a driver that supports a given version of CUDA."""
    require_module("cuda", "make test")
    runtime = import_module("cuda.bindings.runtime")
    success = runtime.cudaError_t.cudaSuccess

    def pretend(version):
        properties = SimpleNamespace(
            name=b"NVIDIA H100", major=9, minor=0, multiProcessorCount=132, totalGlobalMem=80 << 30
        )
        for name, answer in {
            "cudaDriverGetVersion": (success, version),
            "cudaRuntimeGetVersion": (success, 13050),
            "cudaGetDeviceCount": (success, 1),
            "cudaGetDeviceProperties": (success, properties),
            "cudaSetDevice": (success,),
            "cudaMemGetInfo": (success, 70 << 30, 80 << 30),
        }.items():
            monkeypatch.setattr(runtime, name, lambda *_, answer=answer: answer)

    return pretend


@pytest.fixture
def installed(rtx, monkeypatch):
    """Put TensorRT for RTX in TensorRT's place."""
    monkeypatch.setitem(sys.modules, "tensorrt", rtx)
    monkeypatch.setattr(tensorrt, "MIN_VERSION", (1, 0))


@pytest.mark.usefixtures("installed")
def test_a_gpu_is_needed(driver):
    driver(13000)
    assert tensorrt.why_not("cuda") == tensorrt.why_not("cuda:0") == tensorrt.why_not("auto") == ""
    assert "NVIDIA GPUs only" in tensorrt.why_not("cpu")
    assert "no such device" in tensorrt.why_not("cuda:1")
    assert "unknown device" in tensorrt.why_not("tpu")


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("version", "message"), [(0, "no NVIDIA driver"), (12080, "update the driver")]
)
def test_a_driver_is_needed(driver, version, message, model):
    driver(version)
    assert message in tensorrt.why_not("cuda")
    with pytest.raises(EngineUnavailableError, match=f"TensorRT on cuda:0.*{message}"):
        create_engine(model, "tensorrt", "cuda:0")


@pytest.mark.parametrize("device", ["auto", "cuda", "cuda:0"])
def test_asked_for_but_not_installed(monkeypatch, driver, model, device):
    driver(13000)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert r"pip install 'rgan-sdk[tensorrt]'" in tensorrt.why_not(device)
    with pytest.raises(EngineUnavailableError, match=r"pip install 'rgan-sdk\[tensorrt\]'"):
        create_engine(model, "tensorrt", device)


def test_the_cpu_is_refused(model):
    with pytest.raises(EngineUnavailableError, match="use --engine onnxruntime"):
        create_engine(model, "tensorrt", "cpu")


@pytest.mark.usefixtures("installed")
def test_without_cuda_bindings(monkeypatch):
    monkeypatch.setattr(cuda, "_finds_driver", lambda: True)
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    assert "cuda-bindings is not installed" in tensorrt.why_not("cuda")


def test_what_is_installed_must_be_whole_and_new_enough(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(EngineUnavailableError, match="not installed"):
        tensorrt.import_tensorrt()
    old = ModuleType("tensorrt")
    for old.__version__ in ("10.12.0", "8.6.1.post1", "unknown"):
        monkeypatch.setitem(sys.modules, "tensorrt", old)
        with pytest.raises(EngineUnavailableError, match=r"too old; 10\.13 or newer"):
            tensorrt.import_tensorrt()
    del old.__version__
    with pytest.raises(EngineUnavailableError, match="without a version is too old"):
        tensorrt.import_tensorrt()
    for old.__version__ in ("10.13.0", "11.4.0.12"):
        assert tensorrt.import_tensorrt() is old


def test_libraries_that_are_missing(monkeypatch, tmp_path):
    (tmp_path / "tensorrt.py").write_text("raise OSError('libnvinfer.so.11: cannot open')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    with pytest.raises(EngineUnavailableError, match=r"libnvinfer\.so\.11.*reinstall it"):
        tensorrt.import_tensorrt()


def test_a_plan_is_built_once(rtx, driver, model, cache, caplog):
    driver(13000)
    built = load_or_build_plan(rtx, model, GPU, PROFILE)
    assert built.seconds > 0
    assert "takes minutes" in caplog.text
    assert {path.suffix for path in cache.iterdir()} == {".plan", ".timings"}
    caplog.clear()
    assert load_or_build_plan(rtx, model, GPU, PROFILE) == (built.content, built.path, 0)
    assert not caplog.text


def test_progress_takes_the_place_of_the_warning(rtx, driver, model, caplog):
    driver(13000)
    shares = []
    load_or_build_plan(rtx, model, GPU, PROFILE, lambda phase, share: shares.append(share))
    assert shares[-1] == 1
    assert not caplog.text


@pytest.mark.parametrize("spoil", [lambda plan: plan[:-1], lambda plan: b"foreign" + plan])
def test_a_spoilt_plan_is_built_anew(rtx, driver, model, spoil):
    driver(13000)
    plan = load_or_build_plan(rtx, model, GPU, PROFILE)
    plan.path.write_bytes(spoil(plan.path.read_bytes()))
    again = load_or_build_plan(rtx, model, GPU, PROFILE)
    assert again.seconds > 0
    assert again.path == plan.path
    assert load_or_build_plan(rtx, model, GPU, PROFILE).seconds == 0


def test_another_version_another_card_another_size_another_plan(rtx, driver, model, monkeypatch):
    driver(13000)
    kept = [load_or_build_plan(rtx, model, GPU, PROFILE)]
    kept.append(load_or_build_plan(rtx, model, GPU, make_profile(4, 768, 768)))
    kept.append(
        load_or_build_plan(rtx, model, cuda.Device(0, "NVIDIA L4", "8.9", 58, 24 << 30), PROFILE)
    )
    monkeypatch.setattr(rtx, "__version__", "99.0.0")
    kept.append(load_or_build_plan(rtx, model, GPU, PROFILE))
    assert all(plan.seconds > 0 for plan in kept)
    assert len({plan.path for plan in kept}) == len(kept)


def test_the_same_card_beside_it_shares_the_plan(rtx, driver, model):
    driver(13000)
    load_or_build_plan(rtx, model, GPU, PROFILE)
    second = cuda.Device(1, GPU.name, GPU.compute_capability, GPU.multiprocessors, 80 << 30)
    assert load_or_build_plan(rtx, model, second, PROFILE).seconds == 0


@pytest.mark.usefixtures("installed")
def test_a_plan_that_does_not_load_is_built_anew_once(rtx, driver, model, monkeypatch):
    driver(13000)
    stale = load_or_build_plan(rtx, model, GPU, PROFILE).path
    loaded = []

    def refuse(trt, plan, *_, **__):
        loaded.append(plan)
        raise InferenceError("TensorRT failed: the plan is of another driver")

    monkeypatch.setattr(tensorrt, "Session", refuse)
    with pytest.raises(EngineUnavailableError, match=r"cuda:0: .*another driver"):
        TensorRTEngine(model, "cuda")
    assert len(loaded) == 2
    assert stale.exists()


@pytest.mark.usefixtures("installed")
def test_a_size_without_a_plan_fails_alone(driver, model, monkeypatch):
    """Slices after one for which no plan can be built are computed as before."""
    driver(13000)

    class Session:
        def __init__(self, trt, plan, profile, index):
            self.profile = profile
            if profile != PROFILE:
                raise DeviceMemoryError("the GPU's memory does not suffice")

        def run(self, hu, out, pixel_spacing):
            assert pixel_spacing is None
            out[:] = hu + 1

        def close(self):
            pass

    monkeypatch.setattr(tensorrt, "Session", Session)
    engine = TensorRTEngine(model, "cuda")
    small, large = (np.eye(size, dtype=np.float32)[None, None] for size in (64, 640))
    for _ in range(2):
        with pytest.raises(
            InferenceError, match=r"no TensorRT plan for slices of 640x640: .*memory"
        ):
            engine.infer(large)
        assert (engine.infer(small) == small + 1).all()
    engine.close()
    with pytest.raises(InferenceError, match="closed"):
        engine.infer(small)


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 16, 31, 32, 33, 100])
def test_a_batch_is_cut_into_even_chunks(count):
    size, chunks = split_batch(count, 8)
    assert size <= 8
    assert [index for chunk in chunks for index in range(count)[chunk]] == list(range(count))
    assert [chunk.stop - chunk.start for chunk in chunks[:-1]] == [size] * (len(chunks) - 1)
    assert len(chunks) == -(-count // 8)


def test_build_says_why_it_cannot(monkeypatch, driver):
    result = CliRunner().invoke(main, ["build", "b40f-to-b70f", "--device", "cpu"])
    assert result.exit_code == 1
    assert "NVIDIA GPUs only" in result.output
    driver(13000)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    result = CliRunner().invoke(main, ["build", "b40f-to-b70f"])
    assert result.exit_code == 1
    assert "TensorRT on cuda: TensorRT is not installed" in result.output


@pytest.mark.usefixtures("installed")
def test_build_checks_all_devices_before_it_starts(rtx, driver, model, cache):
    driver(13000)
    result = CliRunner().invoke(main, ["build", model.source, "--device", "cuda:0,cuda:1"])
    assert result.exit_code == 1
    assert "cuda:1: no such device" in result.output
    assert not cache.exists()


def refuse_to_load(*_, **__):
    raise InferenceError("no session without a GPU")


@pytest.mark.usefixtures("installed")
def test_build_leaves_the_plan_that_the_engine_will_want(rtx, driver, model, monkeypatch):
    """The self-test that follows the build needs a GPU, so it fails here."""
    driver(13000)
    monkeypatch.setattr(tensorrt, "Session", refuse_to_load)
    result = CliRunner().invoke(main, ["build", model.source])
    assert result.exit_code == 1
    assert "building test-blur for cuda" in result.output
    assert "no session without a GPU" in result.output
    version = f"tensorrt_rtx {rtx.__version__}"
    key = plans.PlanKey(model.sha256, "fp32", version, "NVIDIA H100", "9.0", 132, make_profile(4))
    assert plans.load(key)


@pytest.mark.usefixtures("installed")
def test_one_plan_serves_all_pixel_spacings(driver, cache, tmp_path, monkeypatch):
    driver(13000)
    content, opened = make_model(make_domain_card()).SerializeToString(), []

    class Session:
        def __init__(self, trt, plan, profile, index):
            self.profile = profile
            opened.append(plan)

        def run(self, hu, out, pixel_spacing):
            out[:] = hu + pixel_spacing

        def close(self):
            pass

    monkeypatch.setattr(tensorrt, "Session", Session)
    (tmp_path / "domain.onnx").write_bytes(content)
    engine = TensorRTEngine(HarmonizationModel.open(tmp_path / "domain.onnx"), "cuda")
    hu = np.eye(64, dtype=np.float32)[None, None]
    for spacing in (0.75, 0.625):
        assert (engine.infer(hu, spacing) == hu + spacing).all()
    assert len(opened) == len(list(cache.glob("*.plan"))) == 1


@pytest.fixture(scope="module")
def hu():
    """Slices of noise with the extremes that a scanner writes."""
    batch = np.random.default_rng(0).uniform(-1500, 1500, (33, 1, 64, 48)).astype(np.float32)
    batch[:, 0, 0, :2] = -3024, 3071
    return batch


@pytest.fixture
def gpu_model(model):
    if why := tensorrt.why_not("cuda"):
        pytest.skip(f"gpu: {why}")
    return model


@pytest.mark.gpu
@pytest.mark.parametrize("size", [(64, 48), (16, 16)])
def test_batches_of_any_length_are_computed(gpu_model, hu, size):
    hu = np.ascontiguousarray(hu[..., : size[0], : size[1]])
    with (
        create_engine(gpu_model, "onnxruntime", "cpu") as cpu,
        TensorRTEngine(gpu_model, "cuda") as gpu,
    ):
        expected = cpu.infer(hu)
        for count in (1, 3, 8, 9, 17, 32, 33, 8, 33):
            for _ in range(3):
                out = gpu.infer(hu[:count])
                assert np.abs(out - expected[:count]).max() < 0.05
        window = make_card().window
        outside = (hu <= window.lower) | (hu >= window.upper)
        assert (out[outside] == hu[outside]).all()


@pytest.mark.gpu
def test_the_same_batch_gives_the_same_bits(gpu_model, hu):
    with create_engine(gpu_model, "tensorrt", "cuda") as engine:
        first = engine.infer(hu)
        engine.infer(hu[:5])
        assert (engine.infer(hu) == first).all()
    with create_engine(gpu_model, "tensorrt", "cuda:0") as engine:
        assert (engine.infer(hu) == first).all()


@pytest.mark.gpu
def test_larger_slices_get_a_plan_of_their_own(gpu_model, cache):
    hu = np.random.default_rng(0).normal(0, 300, (3, 1, 640, 768)).astype(np.float32)
    with (
        create_engine(gpu_model, "onnxruntime", "cpu") as cpu,
        create_engine(gpu_model, "tensorrt", "cuda") as gpu,
    ):
        for batch in (hu, np.ascontiguousarray(hu[..., :64, :64]), hu):
            assert np.abs(gpu.infer(batch) - cpu.infer(batch)).max() < 0.05
    assert len(list(cache.glob("*.plan"))) == 2


@pytest.mark.gpu
def test_memory_comes_back(gpu_model, hu):
    TensorRTEngine(gpu_model, "cuda").close()  # allocates what CUDA itself keeps
    free = cuda.free_memory(0)
    for _ in range(5):
        with TensorRTEngine(gpu_model, "cuda") as engine:
            engine.infer(hu)
    assert cuda.free_memory(0) > free - (64 << 20)


@pytest.mark.gpu
def test_a_closed_engine_computes_no_more(gpu_model, hu):
    engine = TensorRTEngine(gpu_model, "cuda")
    engine.close()
    engine.close()
    with pytest.raises(InferenceError, match="closed"):
        engine.infer(hu)
