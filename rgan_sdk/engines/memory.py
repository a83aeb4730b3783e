"""How many slices fit into the memory of a device, and which errors say that none do."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from rgan_sdk.model import INPUT_NAME

if TYPE_CHECKING:
    import onnx

LARGEST_BATCH = 32
SIZE = 512
RESERVE = 0.5
"""Share of the free memory that is left for the runtime's workspace and for other programs."""

OUT_OF_MEMORY = re.compile(
    "out of memory|out_of_memory|failed to allocate|could not allocate|ALLOC_FAILED"
    "|ALLOCATION_FAILED|bad_alloc|available memory of .* is smaller than requested",
    re.IGNORECASE,
)


def lacks_memory(error: BaseException) -> bool:
    """Return whether an error, of Python or of ONNX Runtime or OpenVINO, is a lack of memory."""
    return isinstance(error, MemoryError) or OUT_OF_MEMORY.search(str(error)) is not None


def slices_that_fit(content: bytes, free: int) -> int:
    """Return a batch size for slices of 512x512.

    Parameters
    ----------
    content
        The bytes of the ONNX file.
    free
        Free device memory in bytes.

    Returns
    -------
    int
        A power of two from 1 to ``LARGEST_BATCH``.
    """
    room = (1 - RESERVE) * free / bytes_per_slice(content)
    return int(min(LARGEST_BATCH, 2 ** math.floor(math.log2(max(room, 1)))))


def bytes_per_slice(content: bytes, size: int = SIZE) -> int:
    """Return the peak memory of a graph's feature maps for one slice, in bytes.

    Parameters
    ----------
    content
        The bytes of the ONNX file.
    size
        Rows and columns of the slice.
    """
    import onnx

    model = onnx.load_model_from_string(content)
    (hu,) = (value for value in model.graph.input if value.name == INPUT_NAME)
    for dim, value in zip(hu.type.tensor_type.shape.dim, (1, 1, size, size), strict=True):
        dim.dim_value = value
    graph = onnx.shape_inference.infer_shapes(model).graph
    sizes = {value.name: _bytes(value) for value in (hu, *graph.value_info)}
    last_use = {name: index for index, node in enumerate(graph.node) for name in node.input}
    held = peak = sizes[INPUT_NAME]
    for index, node in enumerate(graph.node):
        held += sum(sizes.get(name, 0) for name in node.output)
        peak = max(peak, held)
        held -= sum(sizes.get(name, 0) for name in set(node.input) if last_use[name] == index)
    return peak


def _bytes(value: onnx.ValueInfoProto) -> int:
    import onnx

    kind = value.type.tensor_type
    item = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).itemsize
    return int(item * math.prod(dim.dim_value for dim in kind.shape.dim))
