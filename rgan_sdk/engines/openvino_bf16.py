"""Let OpenVINO compute only the inner convolutions of a model in bfloat16.

OpenVINO's own precision hint would also round the slice itself, to steps of up to 8 HU. So the
types are written into the graph instead. Operations between convolutions with many channels become
bfloat16. Clipping, scaling, the first and the last convolutions, and the sum stay float32.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rgan_sdk.quantized_graph import SLICE_CHANNELS

if TYPE_CHECKING:
    import openvino

PASSED_THROUGH = frozenset(("Relu", "PRelu", "Pad", "MaxPool", "Interpolate", "Concat"))
"""Operations that hardly change values. They take the type of their neighbours."""


def lower_to_bfloat16(model: openvino.Model) -> None:
    """Change the inner operations of a model to bfloat16, in place.

    Parameters
    ----------
    model
        With static shapes, so that the shapes of biases are constants.
    """
    import openvino
    from openvino import opset13, passes

    manager = passes.Manager()
    manager.register_pass(passes.ConstantFolding())
    manager.run_passes(model)
    operations = model.get_ordered_ops()
    inner = _inner(operations)
    converted: dict[tuple[str, int, bool], openvino.Output] = {}

    def convert(output: openvino.Output, lower: bool) -> openvino.Output:
        key = (output.get_node().get_friendly_name(), output.get_index(), lower)
        if key not in converted:
            kind = openvino.Type.bf16 if lower else openvino.Type.f32
            converted[key] = opset13.convert(output, kind).output(0)
        return converted[key]

    for operation in operations:
        lower = operation.get_friendly_name() in inner
        for end in operation.inputs():
            source = end.get_source_output()
            was_lowered = source.get_node().get_friendly_name() in inner
            if end.get_element_type() == openvino.Type.f32 and lower != was_lowered:
                end.replace_source_output(convert(source, lower))
    model.validate_nodes_and_infer_types()


def _inner(operations: Iterable[openvino.Node]) -> set[str]:
    """Return the names of the inner convolutions and of the operations between them."""
    operations = list(operations)
    inner = {op.get_friendly_name() for op in operations if _is_inner_convolution(op)}
    for op in operations:
        sources = _image_sources(op)
        follows = op.get_type_name() in {*PASSED_THROUGH, "Add"}  # Add adds the bias
        if follows and sources and inner.issuperset(sources):
            inner.add(op.get_friendly_name())
    for op in reversed(operations):
        consumers = {
            end.get_node().get_friendly_name()
            for output in op.outputs()
            for end in output.get_target_inputs()
        }
        if op.get_type_name() in PASSED_THROUGH and inner.issuperset(consumers):
            inner.add(op.get_friendly_name())
    return inner


def _is_inner_convolution(operation: openvino.Node) -> bool:
    if operation.get_type_name() != "Convolution":
        return False
    channels_out, channels_in = operation.input(1).get_partial_shape().to_shape()[:2]
    return bool(channels_in > SLICE_CHANNELS and channels_out > 1)


def _image_sources(operation: openvino.Node) -> set[str]:
    """Return the names of the operations whose images an operation takes; no constants."""
    nodes = [end.get_source_output().get_node() for end in operation.inputs()]
    return {node.get_friendly_name() for node in nodes if node.get_type_name() != "Constant"}
