"""OpenVINO: which parts of a packaged model it computes in bfloat16, and how well."""

import subprocess
import sys

import numpy as np
import pytest
from support.models import make_domain_card, make_network

from rgan_sdk.engines import create_engine
from rgan_sdk.engines.binding import bind_pixel_spacing
from rgan_sdk.engines.openvino import OpenVINOEngine, import_openvino
from rgan_sdk.errors import AccuracyError, EngineUnavailableError
from rgan_sdk.model import HarmonizationModel

openvino = import_openvino()

WATCHED = """
import sys
sys.addaudithook(lambda event, _: event.startswith("socket.") and print(event, flush=True))
from rgan_sdk.harmonizer import Harmonizer
with Harmonizer.load("b40f-to-b70f", engine=sys.argv[1]) as harmonizer:
    print(harmonizer.engine.version)
"""


@pytest.fixture(scope="module")
def model():
    return HarmonizationModel.open("b40f-to-b70f")


def lowered(model, pixel_spacing):
    from rgan_sdk.engines.openvino_bf16 import lower_to_bfloat16

    graph = openvino.Core().read_model(bind_pixel_spacing(model.content, pixel_spacing))
    graph.reshape([1, 1, 64, 64])
    lower_to_bfloat16(graph)
    return graph


def test_inner_convolutions_are_lowered_and_the_edges_are_not(model):
    kinds = {}
    for node in lowered(model, 0.7).get_ordered_ops():
        if node.get_type_name() == "Convolution":
            out, into = node.input(1).get_partial_shape().to_shape()[:2]
            is_inner = into > 4 and out > 1
            kinds.setdefault(is_inner, set()).add(node.get_output_element_type(0))
        if node.get_type_name() in ("Clamp", "Subtract", "Divide", "Multiply", "AvgPool"):
            assert node.get_output_element_type(0) == openvino.Type.f32
    assert kinds == {True: {openvino.Type.bf16}, False: {openvino.Type.f32}}


def test_types_change_back_and_forth_as_seldom_as_can_be(model):
    """Nothing between two inner convolutions becomes float32 again: that would cost the gain."""
    for node in lowered(model, 0.7).get_ordered_ops():
        if node.get_type_name() == "Convert" and node.get_output_element_type(0) == (
            openvino.Type.f32
        ):
            (end,) = node.output(0).get_target_inputs()
            assert end.get_node().get_type_name() == "Convolution"  # the last, of one channel


def test_computed_weights_are_folded_before_types_are_lowered(tmp_path):
    path = tmp_path / "network.onnx"
    path.write_bytes(make_network(card=make_domain_card(multiple=2)).SerializeToString())
    graph = lowered(HarmonizationModel.open(path), 0.8)
    operations = graph.get_ordered_ops()
    assert "Log" not in {node.get_type_name() for node in operations}
    kinds = [
        node.get_output_element_type(0)
        for node in operations
        if node.get_type_name() == "Convolution"
    ]
    bf16, f32 = openvino.Type.bf16, openvino.Type.f32
    assert kinds == [f32, bf16, bf16, bf16, f32]


def can_bf16():
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@pytest.fixture
def network(tmp_path):
    path = tmp_path / "network.onnx"
    path.write_bytes(make_network().SerializeToString())
    return HarmonizationModel.open(path)


def test_bf16_is_within_the_bound_or_refused(network):
    if not can_bf16():
        with pytest.raises(EngineUnavailableError, match="does not compute in bf16"):
            create_engine(network, "openvino", precision="bf16")
        return
    with create_engine(network, "openvino", precision="bf16") as engine:
        assert engine.precision == "bf16"
        assert 0 < engine.deviation.p999 <= 2


def test_a_network_that_bf16_is_too_coarse_for_is_refused(model):
    if not can_bf16():
        return
    with pytest.raises(AccuracyError, match="allowed are max 30"):
        create_engine(model, "openvino", precision="bf16")


def test_fp32_is_float32_whatever_the_processor_prefers(model):
    with create_engine(model, "openvino") as engine:
        assert engine.precision == "fp32"
        assert engine.deviation.max < 0.05


def test_pixels_outside_the_window_stay(model):
    hu = np.random.default_rng(0).normal(0, 800, (2, 1, 64, 64)).astype(np.float32)
    hu[:, :, :4] = 3071
    outside = (hu <= model.card.window.lower) | (hu >= model.card.window.upper)
    for precision in ("fp32", "bf16") if can_bf16() else ("fp32",):
        with OpenVINOEngine(model, precision=precision) as engine:
            assert (engine.infer(hu, 0.7)[outside] == hu[outside]).all()


def test_each_size_is_compiled_once_and_few_are_kept(model, monkeypatch):
    compiled = []
    compile_one = OpenVINOEngine._compile

    def counting(self, rows, columns, pixel_spacing):
        compiled.append((rows, columns))
        return compile_one(self, rows, columns, pixel_spacing)

    monkeypatch.setattr(OpenVINOEngine, "_compile", counting)
    rng = np.random.default_rng(0)
    with OpenVINOEngine(model) as engine:
        del compiled[:]
        for rows in (16, 24, 16, 32, 40, 48, 16):
            hu = rng.normal(0, 300, (1, 1, rows, 64)).astype(np.float32)
            assert engine.infer(hu, 0.7).shape == hu.shape
    assert compiled == [(16, 64), (24, 64), (32, 64), (40, 64), (48, 64)]


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_nothing_is_told_to_anybody(name, tmp_path, monkeypatch):
    """Telemetry of both runtimes would write to the home folder and look up a host."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("RGAN_CACHE", str(tmp_path / "cache"))
    for variable in ("CI", "ORT_DISABLE_TELEMETRY"):
        monkeypatch.delenv(variable, raising=False)
    command = [sys.executable, "-c", WATCHED, name]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.startswith(f"{name} ")
    assert done.stdout.count("\n") == 1
    assert not list(home.rglob("*"))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_bits_do_not_depend_on_the_number_of_threads(network, monkeypatch, precision):
    if precision == "bf16" and not can_bf16():
        return
    hu = np.random.default_rng(0).normal(0, 300, (1, 1, 96, 128)).astype(np.float32)
    bits = set()
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        with OpenVINOEngine(network, precision=precision) as engine:
            bits.add(engine.infer(hu).tobytes())
    assert len(bits) == 1
