"""The float32 model that a model file of lower precision is compared with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rgan_sdk.model import HarmonizationModel

if TYPE_CHECKING:
    import onnx


def float32_model(model: HarmonizationModel) -> HarmonizationModel:
    """Return the model with a graph that computes in float32 throughout.

    For a float16 file that is a graph with the same rounded weights. An int8 file contains the
    float32 model that it was made from.
    """
    import onnx

    if model.precision == "fp32":
        return model
    graph = onnx.load_model_from_string(model.content)
    if model.precision == "fp16":
        _widen(graph)
    else:
        from rgan_sdk.quantized_graph import strip_quantization

        graph = strip_quantization(graph)
    return replace(model, content=graph.SerializeToString(), precision="fp32")


def _widen(model: onnx.ModelProto) -> None:
    """Change float16 weights and casts to float32, in place."""
    import onnx

    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    attributes = [attribute for node in model.graph.node for attribute in node.attribute]
    tensors = [attribute.t for attribute in attributes if attribute.HasField("t")]
    for tensor in (*model.graph.initializer, *tensors):
        if tensor.data_type == half:
            values = onnx.numpy_helper.to_array(tensor).astype("float32")
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    for attribute in attributes:
        if attribute.name == "to" and attribute.i == half:
            attribute.i = single
    del model.graph.value_info[:]
