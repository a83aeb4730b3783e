"""A pixel spacing that is appended to a file is a constant to every reader of ONNX."""

import numpy as np
import onnx
import pytest
from support.models import blur, make_domain_card, make_model
from support.requirements import require_module

from rgan_sdk.engines.binding import bind_pixel_spacing
from rgan_sdk.engines.onnxruntime import import_onnxruntime
from rgan_sdk.engines.openvino import import_openvino
from rgan_sdk.model import INPUT_NAME, SPACING_NAME

CARD = make_domain_card()
CONTENT = make_model(CARD).SerializeToString()
HU = np.random.default_rng(0).normal(0, 300, (1, 1, 16, 16)).astype(np.float32)


@pytest.mark.parametrize("spacing", [0.6, 0.7, 0.9])
def test_onnxruntime_needs_the_image_alone_and_folds_the_weights(tmp_path, spacing):
    require_module("onnxruntime", "make test")
    ort = import_onnxruntime()
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "folded.onnx")
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    session = ort.InferenceSession(bind_pixel_spacing(CONTENT, spacing), options)
    assert [value.name for value in session.get_inputs()] == [INPUT_NAME]
    out = session.run(None, {INPUT_NAME: HU})[0]
    np.testing.assert_allclose(out[:, 0], blur(HU[:, 0], CARD, spacing), atol=1e-3)
    folded = onnx.load(tmp_path / "folded.onnx")
    assert "Log" not in {node.op_type for node in folded.graph.node}


def test_openvino_needs_the_image_alone():
    require_module("openvino", "make test")
    core = import_openvino().Core()
    graph = core.read_model(bind_pixel_spacing(CONTENT, 0.8))
    assert [value.get_any_name() for value in graph.inputs] == [INPUT_NAME]
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    out = core.compile_model(graph, "CPU", settings)([HU])[0]
    np.testing.assert_allclose(out[:, 0], blur(HU[:, 0], CARD, 0.8), atol=1e-3)


def test_the_file_itself_is_unchanged_before_the_suffix():
    bound = bind_pixel_spacing(CONTENT, 0.8)
    assert bound.startswith(CONTENT)
    (value,) = [t for t in onnx.load_from_string(bound).graph.initializer if t.name == SPACING_NAME]
    assert onnx.numpy_helper.to_array(value) == np.float32([0.8])
