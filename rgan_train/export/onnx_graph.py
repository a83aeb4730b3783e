"""Convert PyTorch to a plain ONNX graph that every runtime accepts."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Any

import onnx
import torch
from torch.export import Dim

from rgan_sdk.errors import TrainingError
from rgan_sdk.model import IMAGE_SHAPE, INPUTS, MAX_IR_VERSION, OPERATORS, OPSET, OUTPUT_NAME
from rgan_train.networks.graph import HarmonizationGraph


def to_onnx(graph: HarmonizationGraph) -> onnx.ModelProto:
    """Convert to opset 20 with dynamic batch, height and width.

    Raises
    ------
    TrainingError
        If the graph needs an operator outside ``rgan_sdk.model.OPERATORS``.
    """
    multiple = graph.multiple
    # All dimensions differ and no free one is 1; otherwise the exporter would specialize.
    example = (torch.zeros(2, 1, 8 * multiple, 9 * multiple), torch.ones(1))
    dynamic = {0: Dim("batch"), 2: multiple * Dim("rows"), 3: multiple * Dim("columns")}
    with _silence_exporter():
        program = torch.onnx.export(
            graph.eval(),
            example,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(INPUTS),
            output_names=[OUTPUT_NAME],
            dynamic_shapes=(dynamic, None),
            external_data=False,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _tidy(model)
    foreign = {node.op_type for node in model.graph.node} - OPERATORS
    if foreign:
        raise TrainingError(
            f"the exported graph has operators {', '.join(sorted(foreign))}, which not every "
            "runtime accepts with free image sizes; change the network"
        )
    return model


def _tidy(model: onnx.ModelProto) -> None:
    """Name the dimensions, and remove metadata about the machine that exported the graph."""
    model.ir_version = MAX_IR_VERSION
    model.producer_name = "rgan-sdk"
    model.producer_version = metadata.version("rgan-sdk")
    graph = model.graph
    graph.name = "harmonization"
    del graph.value_info[:]
    described: list[Any] = [model, graph, *graph.node, *graph.initializer, *graph.input]
    for item in (*described, *graph.output):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    shapes = INPUTS | {OUTPUT_NAME: IMAGE_SHAPE}
    for value in (*graph.input, *graph.output):
        for dim, name in zip(value.type.tensor_type.shape.dim, shapes[value.name], strict=True):
            if isinstance(name, str):
                dim.dim_param = name


@contextmanager
def _silence_exporter() -> Iterator[None]:
    """Silence the exporter's messages about packages that are not needed here."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
