"""An engine is accepted only if its output is close to that of the float32 model."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from support.models import blur, make_card, make_domain_card, make_float16, write_model

from rgan_sdk.cache import cache_folder
from rgan_sdk.card import ErrorBound
from rgan_sdk.engines import create_engine, cuda
from rgan_sdk.engines.acceptance import accept, measure, self_test_slices
from rgan_sdk.engines.base import Engine
from rgan_sdk.engines.onnxruntime import OnnxRuntimeEngine
from rgan_sdk.engines.openvino import OpenVINOEngine
from rgan_sdk.engines.reference import float32_model
from rgan_sdk.errors import AccuracyError, DeviceMemoryError, EngineUnavailableError
from rgan_sdk.model import HarmonizationModel


@pytest.fixture
def model(tmp_path):
    return HarmonizationModel.open(write_model(tmp_path / "m.onnx"))


pytestmark = pytest.mark.usefixtures("empty_cache")


class OffEngine(OnnxRuntimeEngine):
    """Computes the model, and adds to some pixels."""

    name = "off"

    default_batch_size = 3

    def __init__(self, model, error, share=1.0):
        super().__init__(model, "cpu")
        self.error, self.share, self.calls, self.shapes = error, share, 0, []

    def _infer(self, hu, pixel_spacing):
        self.calls += 1
        self.shapes.append(hu.shape)
        out = super()._infer(hu, pixel_spacing)
        out.reshape(-1)[: int(self.share * out.size)] += self.error
        return out


def test_the_reference_needs_no_test(model):
    with OnnxRuntimeEngine(model, "cpu") as engine:
        assert accept(engine) is None


def test_an_engine_that_computes_the_same_is_accepted(model):
    with OffEngine(model, 0.0) as engine:
        assert accept(engine).max == 0
        assert engine.shapes == [(3, 1, 512, 512), (1, 1, 128, 256)]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda hu, out: out[::-1],  # slices of a batch in another order
        lambda hu, out: np.concatenate([out[:1], *[out[:1]] * (len(out) - 1)]),
        lambda hu, out: out + 1 if hu.shape[2] != 512 else out,  # another size than the usual
    ],
)
def test_batches_and_another_size_are_tested_too(model, spoil):
    class Spoiled(OffEngine):
        def _infer(self, hu, pixel_spacing):
            return np.ascontiguousarray(spoil(hu, super()._infer(hu, pixel_spacing)))

    Spoiled.name = f"spoiled {id(spoil)}"
    with Spoiled(model, 0.0) as engine, pytest.raises(AccuracyError):
        accept(engine)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "null",
        "[1]",
        '{"max": 0.0, "p999": 0.0, "mean": 0.0}',  # as earlier versions kept it
        '{"deviation": {"max": 1.0}, "halvings": 0}',
        '{"deviation": {"max": "0", "p999": 0.0, "mean": 0.0}, "halvings": 0}',
        '{"deviation": {"max": NaN, "p999": 0.0, "mean": 0.0}, "halvings": 0}',
        '{"deviation": {"max": -1.0, "p999": 0.0, "mean": 0.0}, "halvings": 0}',
        '{"deviation": {"max": 0.0, "p999": 0.0, "mean": 0.0}, "halvings": -1}',
        '{"deviation": {"max": 0.0, "p999": 0.0, "mean": 0.0}, "halvings": "2"}',
    ],
)
def test_kept_figures_that_cannot_be_are_measured_anew(model, content):
    with OffEngine(model, 0.01) as engine:
        first = accept(engine)
        (kept,) = cache_folder("self-tests").iterdir()
        kept.write_text(content)
        assert accept(engine) == first


def test_figures_that_others_could_have_written_are_not_trusted(model):
    with OffEngine(model, 1.0) as engine:
        with pytest.raises(AccuracyError):
            accept(engine)
        (kept,) = cache_folder("self-tests").iterdir()
        kept.write_text('{"deviation": {"max": 0.0, "p999": 0.0, "mean": 0.0}, "halvings": 0}')
        kept.chmod(0o666)
        with pytest.raises(AccuracyError):
            accept(engine)


def test_a_cache_that_cannot_be_used_only_costs_time(model, monkeypatch, caplog):
    monkeypatch.setenv("RGAN_CACHE", "/proc/nothing")
    with OffEngine(model, 0.01) as engine:
        assert accept(engine) == accept(engine)
        assert engine.calls == 4
    assert "set RGAN_CACHE to a folder that can be written to" in caplog.text


def test_other_code_or_circumstances_are_tested_anew(model, monkeypatch):
    with OffEngine(model, 0.01) as engine:
        accept(engine)
        monkeypatch.setattr(OffEngine, "circumstances", ("another driver",))
        accept(engine)
        monkeypatch.setattr("rgan_sdk.engines.acceptance._code", lambda: "another version")
        accept(engine)
        assert engine.calls == 6


def test_what_to_set_against_tf32_is_tested_anew(model, monkeypatch):
    """Where it is set and where it is taken away."""

    class OnGpu(OffEngine):
        circumstances = property(lambda self: cuda.circumstances())

    monkeypatch.setattr(cuda, "driver_version", lambda: (13, 0))
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    with OnGpu(model, 0.1) as engine:
        with pytest.raises(AccuracyError):
            accept(engine)
        monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
        engine.error = 0.0
        assert accept(engine).max == 0
        monkeypatch.delenv("NVIDIA_TF32_OVERRIDE")
        with pytest.raises(AccuracyError):
            accept(engine)


@pytest.mark.parametrize(("error", "share"), [(0.6, 1e-5), (0.06, 0.01), (3e4, 1e-5)])
def test_one_that_is_off_is_refused_with_figures(model, error, share):
    with OffEngine(model, error, share) as engine, pytest.raises(AccuracyError) as caught:
        accept(engine)
    assert "allowed are max 0.5, p99.9 0.05 HU" in str(caught.value)


def test_tf32_on_a_gpu_is_refused_with_what_to_set(model):
    """ONNX Runtime computes in TF32 without a word where it finds no float32 plan."""
    with OffEngine(model, 0.146, 0.01) as engine:
        engine.device = "cuda:0"
        with pytest.raises(AccuracyError, match="set NVIDIA_TF32_OVERRIDE=0"):
            accept(engine)


@pytest.mark.parametrize(("largest", "left"), [(1, 1), (2, 2), (3, 2)])
def test_a_batch_that_does_not_fit_is_halved(model, largest, left):
    class Small(OffEngine):
        default_batch_size = 8

        def _infer(self, hu, pixel_spacing):
            if len(hu) > largest:
                raise DeviceMemoryError("out of memory")
            return super()._infer(hu, pixel_spacing)

    Small.name = f"small {largest}"
    halved = 8 // left
    for free in (8, 8, 32, 1):  # all but the first take it from the cache
        with Small(model, 0.0) as engine:
            engine.default_batch_size = free
            assert accept(engine).max == 0
            assert engine.default_batch_size == max(1, free // halved)


def test_a_batch_that_fits_sets_no_limit_for_later(model):
    """The first process may have found less free memory than the next one."""
    for free in (4, 8):
        with OffEngine(model, 0.0) as engine:
            engine.default_batch_size = free
            accept(engine)
            assert engine.default_batch_size == free


def test_an_engine_without_room_for_one_slice_is_refused(model):
    class Full(OffEngine):
        def _infer(self, hu, pixel_spacing):
            raise DeviceMemoryError("out of memory")

    with Full(model, 0.0) as engine, pytest.raises(DeviceMemoryError):
        accept(engine)


def test_the_cards_bound_decides(tmp_path):
    card = make_card(error_bounds={"bf16": ErrorBound(max=2.0, p999=2.0)})
    model = HarmonizationModel.open(write_model(tmp_path / "m.onnx", card))
    for error, accepted in ((1.9, True), (2.1, False)):
        with OffEngine(model, error) as engine:
            engine.precision, engine.name = "bf16", f"off by {error}"
            if accepted:
                assert accept(engine).p999 == pytest.approx(1.9, abs=0.01)
            else:
                with pytest.raises(AccuracyError, match=r"allowed are max 2\.0"):
                    accept(engine)


def test_figures_are_kept_for_the_same_model_engine_and_device_only(model, tmp_path):
    with OffEngine(model, 0.01) as engine:
        first = accept(engine)
        calls = engine.calls
        assert accept(engine) == first
        assert engine.calls == calls
        (kept,) = cache_folder("self-tests").iterdir()
        kept.write_text("{")  # cut off
        assert accept(engine) == first
        assert engine.calls == 2 * calls
    other = HarmonizationModel.open(write_model(tmp_path / "o.onnx", make_card(version="2.0.0")))
    for changed in (OffEngine(other, 0.01), OffEngine(model, 0.01)):
        if changed.model is model:
            changed.device = "cuda:0"
        with changed as engine:
            accept(engine)
            assert engine.calls == calls


def test_a_refused_engine_stays_refused(model):
    with OffEngine(model, 1.0) as engine:
        for _ in range(2):
            with pytest.raises(AccuracyError):
                accept(engine)


def test_auto_takes_the_next_where_one_is_off(model, monkeypatch):
    infer = OpenVINOEngine._infer
    monkeypatch.setattr(OpenVINOEngine, "_infer", lambda self, *given: infer(self, *given) + 1)
    with create_engine(model, device="cpu") as engine:
        assert engine.name == "onnxruntime"
        assert engine.passed_over[0].startswith("openvino on cpu: openvino")
        assert "deviates" in engine.passed_over[0]
    with pytest.raises(AccuracyError):
        create_engine(model, "openvino")


def test_slices_hold_extremes_and_are_the_same_each_time(model):
    first, again = (list(self_test_slices(model, 2)) for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert {-3024.0, 3071.0} <= set(np.unique(first[0]))
    assert not (first[0] == first[1]).all()


def test_other_sizes_are_made_for_odd_multiples(tmp_path):
    model = HarmonizationModel.open(write_model(tmp_path / "m.onnx", make_card(multiple=24)))
    (hu,) = self_test_slices(model, 1)
    assert hu.shape == (1, 1, 528, 528)


def open_float16(tmp_path, card=None):
    graph = make_float16(card)
    onnx.checker.check_model(graph)
    path = tmp_path / "m.fp16.onnx"
    path.write_bytes(graph.SerializeToString())
    return HarmonizationModel.open(path)


def test_the_ends_of_the_spacings_are_tested_too(tmp_path):
    """And an error at one of them counts in full, though most pixels are at the reference."""
    card = make_domain_card()
    model = HarmonizationModel.open(write_model(tmp_path / "m.onnx", card))
    spacings = [float(np.float32(value)) for value in (0.7, 0.6, 0.9)]

    class Wrong(OffEngine):
        def _infer(self, hu, pixel_spacing):
            tested.append(pixel_spacing)
            out = OnnxRuntimeEngine._infer(self, hu, pixel_spacing)
            return out + 1 if pixel_spacing == wrong else out

    for wrong in (0.0, spacings[2]):
        tested = []
        Wrong.name = f"wrong at {wrong}"
        with Wrong(model, 0.0) as engine:
            assert measure(engine, 1).p999 == pytest.approx(1 if wrong else 0, abs=1e-3)
        assert tested == [spacings[0], spacings[0], *spacings[1:]]


def test_a_float16_file_with_computed_weights_is_compared_with_float32(tmp_path):
    card = make_domain_card()
    model = open_float16(tmp_path, card)
    assert model.precision == "fp16"
    hu = np.random.default_rng(0).normal(0, 300, (1, 1, 32, 32)).astype(np.float32)
    with OnnxRuntimeEngine(float32_model(model), "cpu") as reference:
        for spacing in (0.6, 0.9):
            exact = reference.infer(hu, spacing)
            np.testing.assert_allclose(exact[0], blur(hu[0], card, spacing), atol=1e-3)
    with OnnxRuntimeEngine(model, "cpu") as engine:
        assert 0 < measure(engine, 1).max < 1


def test_a_float16_file_is_compared_with_its_weights_in_float32(tmp_path):
    model = open_float16(tmp_path)
    assert model.precision == "fp16"
    wide = float32_model(model)
    assert wide.precision == "fp32"
    hu = np.random.default_rng(0).normal(0, 300, (1, 1, 32, 32)).astype(np.float32)
    with OnnxRuntimeEngine(wide, "cpu") as reference:
        exact = reference.infer(hu)
    inside = np.pad(np.clip(hu[0, 0], -1024, 1000).astype(np.float64), 1)
    weight = float(np.float16(1 / 9))
    blurred = sum(inside[i : i + 32, j : j + 32] * weight for i in range(3) for j in range(3))
    middle = (np.abs(hu[0, 0]) < 900) & (np.abs(blurred) < 2000)
    assert np.abs(exact[0, 0] - blurred)[middle].max() < 1e-3
    with OnnxRuntimeEngine(model, "cpu") as engine:
        assert measure(engine, 1).max < 1
        assert accept(engine).p999 < 1


def test_bf16_is_for_float32_models_and_engines_that_have_it(tmp_path, model):
    with pytest.raises(EngineUnavailableError, match="fp16 model"):
        create_engine(open_float16(tmp_path), "openvino", precision="bf16")
    with pytest.raises(EngineUnavailableError, match="--engine openvino"):
        create_engine(model, "onnxruntime", "cpu", precision="bf16")


def test_without_the_reference_nothing_is_accepted(model, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EngineUnavailableError, match=r"rgan-sdk\[cpu\]"):
        create_engine(model, "openvino")


def test_a_refused_engine_is_closed(model, monkeypatch):
    closed = []
    infer = OpenVINOEngine._infer
    monkeypatch.setattr(OpenVINOEngine, "_infer", lambda self, *given: infer(self, *given) + 1)
    monkeypatch.setattr(Engine, "close", lambda self: closed.append(self.name))
    monkeypatch.setattr(OpenVINOEngine, "close", lambda self: closed.append(self.name))
    with pytest.raises(AccuracyError):
        create_engine(replace(model), "openvino")
    assert "openvino" in closed
