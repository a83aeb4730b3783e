"""Pairs of QuantizeLinear and DequantizeLinear: into a float32 graph, and out of it again.

A pair rounds a tensor to eight bits and gives it back as float32. Runtimes compute in int8 what
stands between pairs. The weights stay in the file as float32, each behind a pair of its own, so
that the graph without its pairs is the float32 model.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import numpy as np
import onnx

from rgan_sdk.errors import ModelFormatError

SLICE_CHANNELS: Final = 4
"""A convolution of at most so many channels sees the slice itself, not features of it."""

MOVERS: Final = ("Concat", "MaxPool", "Pad", "Resize")
"""Operators that give only values that they were given (Resize: nearest neighbours)."""

Range = tuple[float, float]


def strip_quantization(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the float32 model that an int8 model was made from.

    Parameters
    ----------
    model
        With or without pairs of QuantizeLinear and DequantizeLinear; not changed. Its nodes stand
        in the order of computation, as ONNX has them.

    Returns
    -------
    onnx.ModelProto
        The same without the pairs, their scales and their zero points.

    Raises
    ------
    ModelFormatError
        If something was quantized before it was stored, so that its float32 values are not there.
    """
    stripped = onnx.ModelProto()
    stripped.CopyFrom(model)
    graph = stripped.graph
    rounded: dict[str, str] = {}  # what QuantizeLinear gives: what it was given
    original: dict[str, str] = {}  # what DequantizeLinear gives: the same
    constants: set[str] = set()
    kept: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type == "QuantizeLinear":
            rounded[node.output[0]] = original.get(node.input[0], node.input[0])
        elif node.op_type == "DequantizeLinear":
            if node.input[0] not in rounded:
                raise _no_float32(node.input[0])
            original[node.output[0]] = rounded[node.input[0]]
        else:
            node.input[:] = [original.get(name, name) for name in node.input]
            kept.append(node)
            continue
        constants.update(node.input[1:])
    used = {name for node in kept for name in node.input} | {each.name for each in graph.output}
    for name in used & (rounded.keys() | original.keys()):
        raise _no_float32(name)
    tensors = [tensor for tensor in graph.initializer if tensor.name not in constants - used]
    _replace(graph.node, kept)
    _replace(graph.initializer, tensors)
    return stripped


def quantizable_layers(model: onnx.ModelProto) -> dict[str, str]:
    """Return the convolutions of a float32 model, by the names of their weights.

    Returns
    -------
    dict
        Name to why it has to stay in float32, empty where it has not: the first convolutions see
        the slice itself, and the last one makes a slice.
    """
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    layers = {}
    for node in model.graph.node:
        if node.op_type == "Conv":
            outputs, inputs = weights[node.input[1]].dims[:2]
            if inputs <= SLICE_CHANNELS:
                layers[node.input[1]] = "sees the slice itself"
            else:
                layers[node.input[1]] = "makes the slice" if outputs == 1 else ""
    return layers


def quantized_tensors(model: onnx.ModelProto, layers: Collection[str]) -> dict[str, str]:
    """Return what has to be rounded for layers to run in int8.

    Runtimes run a convolution in int8 where its input, its weights and its output are rounded,
    and a mover where its input and its output are. What a mover is given and what it gives share
    one scale, so that rounding again changes nothing.

    Returns
    -------
    dict
        Tensor to its source in the group that shares a scale. Sources are no mover's output.
    """
    graph = _Graph(model)
    sources: dict[str, str] = {name: name for layer in layers for name in graph.around(layer)}
    for node in model.graph.node:
        moved = graph.moved(node)
        if moved and all(name in sources for name in moved):
            first = sources[moved[0]]
            merged = {sources[name] for name in moved}
            sources.update({name: first for name in sources if sources[name] in merged})
            sources[node.output[0]] = first
    return sources


def insert_quantization(
    model: onnx.ModelProto, layers: Collection[str], ranges: Mapping[str, Range]
) -> onnx.ModelProto:
    """Return an int8 model; ``strip_quantization`` gives back ``model``.

    Parameters
    ----------
    model
        A float32 model; not changed.
    layers
        Names of ``quantizable_layers`` to run in int8.
    ranges
        Lowest and highest value of each tensor of ``quantized_tensors`` that no mover gives.

    Returns
    -------
    onnx.ModelProto
        Weights are rounded to int8, symmetric, with a scale for each output channel; tensors to
        uint8, with one scale and zero point.
    """
    quantized = onnx.ModelProto()
    quantized.CopyFrom(model)
    graph = quantized.graph
    sources = quantized_tensors(model, layers)
    for source in dict.fromkeys(sources.values()):
        group = [name for name in sources if sources[name] == source]
        graph.initializer.extend(_uint8(source, [ranges[name] for name in group if name in ranges]))
    graph.initializer.extend(
        constant
        for tensor in model.graph.initializer
        if tensor.name in layers
        for constant in _int8(tensor)
    )
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        nodes += [each for name in node.input if name in layers for each in _pair(name, name, 0)]
        node.input[:] = [
            _dequantized(name) if name in sources or name in layers else name for name in node.input
        ]
        nodes.append(node)
        for name in node.output:
            if name in sources:
                nodes += _pair(name, sources[name])
    _replace(graph.node, nodes)
    return quantized


class _Graph:
    """Who makes a tensor, who uses it."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._nodes = model.graph.node
        self._makers = {name: node for node in self._nodes for name in node.output}

    def moved(self, node: onnx.NodeProto) -> list[str]:
        """Return the tensors that a mover moves; nothing for other nodes."""
        if node.op_type not in MOVERS:
            return []
        return list(node.input) if node.op_type == "Concat" else [node.input[0]]

    def around(self, layer: str) -> list[str]:
        """Return what a layer is computed from, before movers, and what it gives."""
        node = next(node for node in self._nodes if layer in node.input)
        return [*self._sources(node.input[0]), self._output(node)]

    def _sources(self, name: str) -> list[str]:
        moved = self.moved(self._makers[name])
        return [source for each in moved for source in self._sources(each)] or [name]

    def _output(self, node: onnx.NodeProto) -> str:
        """See a Relu as part of its convolution: the rounding cuts off what is below zero."""
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
        make("DequantizeLinear", [integers, *parameters], [_dequantized(name)], **options),
    ]


def _dequantized(name: str) -> str:
    return f"{name}.dequantized"


def _uint8(name: str, ranges: list[Range]) -> list[onnx.TensorProto]:
    """Return scale and zero point; 0 is among the values, as zero padding needs it."""
    lowest = min(0.0, *(low for low, _ in ranges))
    highest = max(0.0, *(high for _, high in ranges))
    scale = np.float32((highest - lowest) / 255 or 1)
    return _constants(name, scale, np.uint8(np.rint(-lowest / scale)))


def _int8(weights: onnx.TensorProto) -> list[onnx.TensorProto]:
    """Return a scale for each output channel, and zero points that are zero."""
    largest = np.abs(onnx.numpy_helper.to_array(weights)).max(axis=(1, 2, 3))
    scale = np.where(largest > 0, largest / np.float32(127), np.float32(1))
    return _constants(weights.name, scale, np.zeros(len(scale), np.int8))


def _constants(name: str, scale: Any, zero_point: Any) -> list[onnx.TensorProto]:
    make = onnx.numpy_helper.from_array
    return [
        make(np.asarray(scale), f"{name}.scale"),
        make(np.asarray(zero_point), f"{name}.zero_point"),
    ]


def _replace(field: Any, items: list[Any]) -> None:
    """Fill a repeated field with some of its own messages, or new ones."""
    copies = []
    for item in items:
        copies.append(type(item)())
        copies[-1].CopyFrom(item)
    del field[:]
    field.extend(copies)


def _no_float32(name: str) -> ModelFormatError:
    return ModelFormatError(
        f"{name!r} was quantized before it was stored, so the float32 model is not in the file; "
        "make the int8 model anew with `rgan-harmonize quantize`"
    )
