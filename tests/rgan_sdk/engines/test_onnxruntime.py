"""ONNX Runtime beside the engine: graphs that are no harmonization models."""

import sys

import numpy as np
import onnx
import pytest
from support.models import disguise, make_model

from rgan_sdk.engines.onnxruntime import run_graph
from rgan_sdk.errors import EngineUnavailableError, InferenceError


def extremes_graph() -> bytes:
    model = make_model()
    del model.graph.output[:]
    for reduce in ("ReduceMin", "ReduceMax"):
        model.graph.node.append(onnx.helper.make_node(reduce, ["hu"], [reduce], keepdims=0))
        output = onnx.helper.make_tensor_value_info(reduce, onnx.TensorProto.FLOAT, [])
        model.graph.output.append(output)
    return model.SerializeToString()


def test_a_graph_gives_its_outputs_by_name():
    images = [np.full((1, 1, 8, 8), hu, np.float32) for hu in (-7.0, 3.0)]
    images[1][0, 0, 2, 3] = 50.0
    assert list(run_graph(extremes_graph(), images)) == [
        {"ReduceMin": -7.0, "ReduceMax": -7.0},
        {"ReduceMin": 3.0, "ReduceMax": 50.0},
    ]


def test_a_graph_that_cannot_be_run():
    with pytest.raises(InferenceError, match="ONNX Runtime cannot run this graph"):
        next(run_graph(b"no graph", []))
    wrong = [np.zeros((8, 8), np.float32)]
    with pytest.raises(InferenceError, match="ONNX Runtime cannot run this graph"):
        next(run_graph(extremes_graph(), wrong))


def test_a_graph_that_begins_like_a_file_in_the_own_format_of_onnx_runtime():
    images = [np.full((1, 1, 8, 8), 3.0, np.float32)]
    assert list(run_graph(disguise(extremes_graph()), images)) == [
        {"ReduceMin": 3.0, "ReduceMax": 3.0}
    ]


def test_errors_of_the_caller_pass_through():
    def images():
        raise KeyError("the caller's")
        yield

    with pytest.raises(KeyError):
        next(run_graph(extremes_graph(), images()))


def test_without_onnx_runtime_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EngineUnavailableError, match=r"pip install 'rgan-sdk\[cpu\]'"):
        next(run_graph(b"", []))
