"""OpenVINO: which parts of a packaged model it computes in bfloat16, and how well."""

import subprocess
import sys

import numpy as np
import pytest

from rgan_sdk.engines import create_engine
from rgan_sdk.engines.openvino import MAX_SHAPES, OpenVINOEngine, import_openvino
from rgan_sdk.errors import EngineUnavailableError
from rgan_sdk.model import HarmonizationModel

openvino = import_openvino()

WATCHED = """
import sys
sys.addaudithook(lambda event, _: event.startswith("socket.") and print(event, flush=True))
from rgan_sdk.harmonizer import Harmonizer
with Harmonizer.load("b40f-to-b70f", engine="openvino") as harmonizer:
    print(harmonizer.engine.version)
"""


@pytest.fixture(scope="module")
def model():
    return HarmonizationModel.open("b40f-to-b70f")


def lowered(model):
    from rgan_sdk.engines.openvino_bf16 import lower_to_bfloat16

    graph = openvino.Core().read_model(model.content)
    graph.reshape([1, 1, 64, 64])
    lower_to_bfloat16(graph)
    return graph


def test_inner_convolutions_are_lowered_and_the_edges_are_not(model):
    kinds = {}
    for node in lowered(model).get_ordered_ops():
        if node.get_type_name() == "Convolution":
            out, into = node.input(1).get_partial_shape().to_shape()[:2]
            is_inner = into > 4 and out > 1
            kinds.setdefault(is_inner, set()).add(node.get_output_element_type(0))
        if node.get_type_name() in ("Clamp", "Subtract", "Divide", "Multiply", "AvgPool"):
            assert node.get_output_element_type(0) == openvino.Type.f32
    assert kinds == {True: {openvino.Type.bf16}, False: {openvino.Type.f32}}


def test_types_change_back_and_forth_as_seldom_as_can_be(model):
    """Between two inner convolutions nothing is widened: that would cost the gain."""
    for node in lowered(model).get_ordered_ops():
        if node.get_type_name() == "Convert" and node.get_output_element_type(0) == (
            openvino.Type.f32
        ):
            (end,) = node.output(0).get_target_inputs()
            assert end.get_node().get_type_name() == "Convolution"  # the last, of one channel


def can_bf16():
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def test_bf16_is_within_the_bound_or_refused(model):
    if not can_bf16():
        with pytest.raises(EngineUnavailableError, match="does not compute in bf16"):
            create_engine(model, "openvino", precision="bf16")
        return
    with create_engine(model, "openvino", precision="bf16") as engine:
        assert engine.precision == "bf16"
        assert 0 < engine.deviation.p999 <= 2


def test_fp32_is_float32_whatever_the_processor_prefers(model):
    with create_engine(model, "openvino") as engine:
        assert engine.precision == "fp32"
        assert engine.deviation.max < 0.05


def test_pixels_outside_the_window_stay(model):
    hu = np.random.default_rng(0).normal(0, 800, (2, 1, 64, 64)).astype(np.float32)
    hu[:, :, :4] = 3071
    outside = (hu <= model.card.window.lower) | (hu >= model.card.window.upper)
    precisions = ("auto", "bf16") if can_bf16() else ("auto",)
    for precision in precisions:
        with create_engine(model, "openvino", precision=precision) as engine:
            assert (engine.infer(hu)[outside] == hu[outside]).all()


def test_each_size_is_compiled_once_and_few_are_kept(model, monkeypatch):
    compiled = []
    compile_one = OpenVINOEngine._compile

    def counting(self, rows, columns):
        compiled.append((rows, columns))
        return compile_one(self, rows, columns)

    monkeypatch.setattr(OpenVINOEngine, "_compile", counting)
    rng = np.random.default_rng(0)
    with OpenVINOEngine(model) as engine:
        del compiled[:]
        for rows in (16, 24, 16, 32, 40, 48, 16):
            hu = rng.normal(0, 300, (1, 1, rows, 64)).astype(np.float32)
            assert engine.infer(hu).shape == hu.shape
    assert compiled == [(16, 64), (24, 64), (32, 64), (40, 64), (48, 64)]
    assert MAX_SHAPES == 4


def test_nothing_is_told_to_anybody(tmp_path, monkeypatch):
    """OpenVINO's telemetry would look up a host and write to the home folder on import."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    command = [sys.executable, "-c", WATCHED]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.startswith("openvino ")
    assert done.stdout.count("\n") == 1
    assert not list(tmp_path.iterdir())
