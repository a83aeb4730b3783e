"""Make the pixel spacing a constant of a model's graph, so that a runtime folds the weights.

The weights of a graph of format 2 are computed from its input ``pixel_spacing``. Where the value
is known before the graph is loaded, a runtime can compute them once instead of for each slice.
"""

from __future__ import annotations

import struct

from rgan_sdk.model import SPACING_NAME

CONSTANT_INPUTS_IR = 3
"""Up to this IR version of ONNX, an input with an initializer of its name is a constant."""


def bind_pixel_spacing(content: bytes, pixel_spacing: float | None) -> bytes:
    """Return the bytes of a model of format 2 for one pixel spacing, with ``hu`` as only input.

    Parameters
    ----------
    content
        The bytes of the ONNX file.
    pixel_spacing
        In mm. None, for a model of format 1, changes nothing.

    Notes
    -----
    ONNX files are Protocol Buffers, where two messages in a row are one message: of a number the
    last one counts, lists are joined, and messages within are joined likewise. So a suffix of 31
    bytes sets the IR version and adds an initializer, and any program can append it without
    reading the file (Protocol Buffers, "Encoding: Last One Wins").
    """
    if pixel_spacing is None:
        return content
    tensor = (
        _varint_field(1, 1)  # dims
        + _varint_field(2, 1)  # data_type: FLOAT
        + _bytes_field(8, SPACING_NAME.encode())  # name
        + _bytes_field(9, struct.pack("<f", pixel_spacing))  # raw_data
    )
    graph = _bytes_field(5, tensor)  # initializer
    return content + _varint_field(1, CONSTANT_INPUTS_IR) + _bytes_field(7, graph)


def _varint_field(number: int, value: int) -> bytes:
    return bytes([number << 3, value])


def _bytes_field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content
