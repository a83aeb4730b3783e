"""Insert pairs of QuantizeLinear and DequantizeLinear into a float32 graph, and remove them.

A pair rounds a tensor to eight bits and returns it as float32. Runtimes compute the operations
between pairs in int8. The weights stay in the file as float32, or are computed in float32, each
followed by a pair of its own, so that the graph without its pairs is the float32 model.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

from rgan_sdk.errors import ModelFormatError

SLICE_CHANNELS: Final = 4
"""A convolution with at most this many input channels sees the slice itself, not features."""

MOVERS: Final = ("Concat", "MaxPool", "Pad", "Resize")
"""Operators whose output values are all among their input values (Resize: nearest neighbour)."""

Range = tuple[float, float]
"""The lowest and the highest value of a tensor."""


def strip_quantization(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the float32 model that an int8 model was made from.

    Parameters
    ----------
    model
        With or without pairs of QuantizeLinear and DequantizeLinear. It is not changed. Its nodes
        are in topological order, as ONNX demands.

    Returns
    -------
    onnx.ModelProto
        The model without the pairs, their scales and their zero points.

    Raises
    ------
    ModelFormatError
        If a tensor is stored in integers, so that its float32 values are lost.
    """
    stripped = onnx.ModelProto()
    stripped.CopyFrom(model)
    graph = stripped.graph
    rounded: dict[str, str] = {}  # output of QuantizeLinear: its float32 input
    original: dict[str, str] = {}  # output of DequantizeLinear: the float32 input of its pair
    constants: set[str] = set()
    kept: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type == "QuantizeLinear":
            rounded[node.output[0]] = original.get(node.input[0], node.input[0])
        elif node.op_type == "DequantizeLinear":
            if node.input[0] not in rounded:
                raise _missing_float32(node.input[0])
            original[node.output[0]] = rounded[node.input[0]]
        else:
            node.input[:] = [original.get(name, name) for name in node.input]
            kept.append(node)
            continue
        constants.update(node.input[1:])
    used = {name for node in kept for name in node.input} | {each.name for each in graph.output}
    for name in used & (rounded.keys() | original.keys()):
        raise _missing_float32(name)
    tensors = [tensor for tensor in graph.initializer if tensor.name not in constants - used]
    _replace(graph.node, kept)
    _replace(graph.initializer, tensors)
    return stripped


def quantizable_layers(model: onnx.ModelProto) -> dict[str, str]:
    """Return the convolutions of a float32 model, and which of them can run in int8.

    Returns
    -------
    dict of str to str
        The name of a convolution's weights, and why it must stay in float32; empty if it can run in
        int8. The first convolutions see the slice itself, and the last one makes a slice.
    """
    shapes = _weight_shapes(model)
    layers = {}
    for node in model.graph.node:
        if node.op_type == "Conv":
            outputs, inputs = shapes[node.input[1]][:2]
            if inputs <= SLICE_CHANNELS:
                layers[node.input[1]] = "sees the slice itself"
            else:
                layers[node.input[1]] = "makes the slice" if outputs == 1 else ""
    return layers


def computed_weights(model: onnx.ModelProto, layers: Collection[str]) -> list[str]:
    """Return those layers whose weights the graph computes from the pixel spacing."""
    stored = {tensor.name for tensor in model.graph.initializer}
    return [name for name in layers if name not in stored]


def _weight_shapes(model: onnx.ModelProto) -> dict[str, list[int]]:
    """Return the shapes of all weights, also of those that the graph computes."""
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in onnx.shape_inference.infer_shapes(model).graph.value_info
    }
    return shapes | {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}


def quantized_tensors(model: onnx.ModelProto, layers: Collection[str]) -> dict[str, str]:
    """Return the tensors that must be rounded for layers to run in int8.

    Runtimes run a convolution in int8 if its input, weights and output are rounded. They run one of
    ``MOVERS`` in int8 if its input and output are. Input and output of a mover share one scale, so
    that rounding a second time changes nothing.

    Parameters
    ----------
    layers
        Names from ``quantizable_layers``.

    Returns
    -------
    dict of str to str
        Each tensor, and the tensor that gives its group the name. All tensors of a group share one
        scale. The naming tensor is never the output of a mover.
    """
    graph = _Graph(model)
    sources: dict[str, str] = {name: name for layer in layers for name in graph.around(layer)}
    for node in model.graph.node:
        moved = graph.moved_tensors(node)
        if moved and all(name in sources for name in moved):
            first = sources[moved[0]]
            merged = {sources[name] for name in moved}
            sources.update({name: first for name in sources if sources[name] in merged})
            sources[node.output[0]] = first
    return sources


def insert_quantization(
    model: onnx.ModelProto,
    layers: Collection[str],
    ranges: Mapping[str, Range],
    largest: Mapping[str, NDArray[np.float32]] | None = None,
) -> onnx.ModelProto:
    """Return an int8 model, from which ``strip_quantization`` restores ``model``.

    Parameters
    ----------
    model
        A float32 model. It is not changed.
    layers
        Names from ``quantizable_layers`` that shall run in int8.
    ranges
        The range of each tensor in ``quantized_tensors`` that is not the output of a mover. Other
        tensors are ignored.
    largest
        For each of ``computed_weights``, the largest magnitude in each output channel at any pixel
        spacing.

    Returns
    -------
    onnx.ModelProto
        Weights are rounded to int8, symmetrically, with one scale for each output channel. Other
        tensors are rounded to uint8, with one scale and one zero point.
    """
    quantized = onnx.ModelProto()
    quantized.CopyFrom(model)
    graph = quantized.graph
    sources = quantized_tensors(model, layers)
    for source in dict.fromkeys(sources.values()):
        group = [name for name in sources if sources[name] == source]
        graph.initializer.extend(
            _uint8_constants(source, [ranges[name] for name in group if name in ranges])
        )
    magnitudes = dict(largest or {})
    for tensor in model.graph.initializer:
        if tensor.name in layers:
            magnitudes[tensor.name] = largest_magnitudes(onnx.numpy_helper.to_array(tensor))
    graph.initializer.extend(
        constant
        for name, magnitude in magnitudes.items()
        if name in layers
        for constant in _int8_constants(name, magnitude)
    )
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        nodes += [each for name in node.input if name in layers for each in _pair(name, name, 0)]
        node.input[:] = [
            _dequantized_name(name) if name in sources or name in layers else name
            for name in node.input
        ]
        nodes.append(node)
        for name in node.output:
            if name in sources:
                nodes += _pair(name, sources[name])
    _replace(graph.node, nodes)
    return quantized


class _Graph:
    """Finds the nodes that make and use a tensor."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._nodes = model.graph.node
        self._makers = {name: node for node in self._nodes for name in node.output}

    def moved_tensors(self, node: onnx.NodeProto) -> list[str]:
        """Return the input tensors that a mover moves; none for other nodes."""
        if node.op_type not in MOVERS:
            return []
        return list(node.input) if node.op_type == "Concat" else [node.input[0]]

    def around(self, layer: str) -> list[str]:
        """Return the input tensors of a layer, traced back through movers, and its output."""
        node = next(node for node in self._nodes if layer in node.input)
        return [*self._sources(node.input[0]), self._output(node)]

    def _sources(self, name: str) -> list[str]:
        moved = self.moved_tensors(self._makers[name])
        return [source for each in moved for source in self._sources(each)] or [name]

    def _output(self, node: onnx.NodeProto) -> str:
        """Return the output of a convolution with its Relu, which rounding to uint8 can replace."""
        users = [user for user in self._nodes if node.output[0] in user.input]
        last = users[0] if [user.op_type for user in users] == ["Relu"] else node
        output: str = last.output[0]
        return output


def _pair(name: str, constants: str, axis: int | None = None) -> list[onnx.NodeProto]:
    options: dict[str, Any] = {} if axis is None else {"axis": axis}
    parameters = [f"{constants}.scale", f"{constants}.zero_point"]
    integers, make = f"{name}.quantized", onnx.helper.make_node
    return [
        make("QuantizeLinear", [name, *parameters], [integers], **options),
        make("DequantizeLinear", [integers, *parameters], [_dequantized_name(name)], **options),
    ]


def _dequantized_name(name: str) -> str:
    return f"{name}.dequantized"


def _uint8_constants(name: str, ranges: list[Range]) -> list[onnx.TensorProto]:
    """Return scale and zero point. The range is extended to 0, which zero padding needs."""
    lowest = min(0.0, *(low for low, _ in ranges))
    highest = max(0.0, *(high for _, high in ranges))
    scale = np.float32((highest - lowest) / 255 or 1)
    return _constants(name, scale, np.uint8(np.rint(-lowest / scale)))


def largest_magnitudes(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the largest magnitude in each output channel of a convolution's weights."""
    largest: NDArray[np.float32] = np.abs(weights).max(axis=(1, 2, 3))
    return largest


def _int8_constants(name: str, largest: NDArray[np.float32]) -> list[onnx.TensorProto]:
    """Return a scale for each output channel, and zero points of 0."""
    scale = np.where(largest > 0, largest / np.float32(127), np.float32(1))
    return _constants(name, scale, np.zeros(len(scale), np.int8))


def _constants(name: str, scale: Any, zero_point: Any) -> list[onnx.TensorProto]:
    make = onnx.numpy_helper.from_array
    return [
        make(np.asarray(scale), f"{name}.scale"),
        make(np.asarray(zero_point), f"{name}.zero_point"),
    ]


def _replace(field: Any, items: list[Any]) -> None:
    """Replace the messages of a repeated field. ``items`` may be some of its own messages."""
    copies = []
    for item in items:
        copies.append(type(item)())
        copies[-1].CopyFrom(item)
    del field[:]
    field.extend(copies)


def _missing_float32(name: str) -> ModelFormatError:
    return ModelFormatError(
        f"{name!r} was quantized before it was stored, so the float32 model is not in the file; "
        "make the int8 model again with `rgan-harmonize quantize`"
    )
