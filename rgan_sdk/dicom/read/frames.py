"""The header of a compressed frame, and a check that the frame is complete.

Decoders need both: some invent the pixels that are missing, and some allocate any size that a frame
claims. The formats are JPEG (ITU-T T.81), JPEG-LS (T.87), JPEG 2000 (T.800) and RLE (PS3.5 G).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

END_OF_IMAGE: Final = b"\xff\xd9"
_FILL: Final = 16  # bytes that some writers append to the end
_CODESTREAM: Final = b"\xff\x4f\xff\x51"  # SOC and SIZ of JPEG 2000

_DHT: Final = 0xC4
_DRI: Final = 0xDD
_SOS: Final = 0xDA
_SOF: Final = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0), 0xF7)
_SOF3: Final = 0xC3


class FrameHeader(NamedTuple):
    """Size and precision of one frame.

    Attributes
    ----------
    image
        The frame without the fill bytes after its end.
    precision
        Bits of each value.
    """

    image: bytes
    rows: int
    columns: int
    components: int
    precision: int

    @property
    def itemsize(self) -> int:
        """Bytes of each decoded value."""
        return 1 if self.precision <= 8 else 2


def read_frame_header(frame: bytes) -> FrameHeader:
    """Read the header of a JPEG, JPEG-LS or JPEG 2000 frame.

    Raises
    ------
    ValueError, IndexError, struct.error
        If the frame has no header, or is truncated.
    """
    end = frame.rfind(END_OF_IMAGE) + 2
    if end < max(4, len(frame) - _FILL):
        raise ValueError("the frame has no end")
    image = frame[:end]
    if image[:2] == b"\xff\xd8":
        for marker, content, _ in iter_segments(image):
            if marker in _SOF:
                precision, rows, columns, components = struct.unpack_from(">BHHB", content)
                return FrameHeader(image, rows, columns, components, precision)
        raise ValueError("the frame has no header")
    start = image.index(_CODESTREAM)
    right, bottom, left, top = struct.unpack_from(">4I", image, start + 8)
    components, depth = struct.unpack_from(">HB", image, start + 40)
    return FrameHeader(image, bottom - top, right - left, components, (depth & 0x7F) + 1)


def check_rle(frame: bytes, pixels: int) -> None:
    """Raise ValueError unless each segment of an RLE frame holds exactly one byte for each pixel.

    The check is needed because pydicom cuts off what a segment holds beyond its pixels: a damaged
    length shifts all pixels behind it.

    Parameters
    ----------
    frame
        One frame of a size that can be decoded.
    pixels
        Rows times Columns.
    """
    count, *offsets = struct.unpack_from("<16I", frame)
    ends = [*offsets[1:count], len(frame)]
    for start, end in zip(offsets[:count], ends, strict=True):
        _check_segment(frame[start:end], pixels)


def _check_segment(segment: bytes, pixels: int) -> None:
    at = decoded = 0
    while decoded < pixels:
        control = segment[at]
        if control < 128:  # bytes as they are
            decoded, at = decoded + control + 1, at + control + 2
        elif control > 128:  # one byte, repeated
            decoded, at = decoded + 257 - control, at + 2
        else:
            at += 1
    rest = segment[at:]  # a byte that makes the length even (PS3.5 G.3.1), or zeros of some writers
    if decoded > pixels or (len(rest) > 1 and any(rest)):
        raise ValueError("a segment holds more data than its pixels take")


def check_lossless_jpeg(image: bytes, cells: NDArray[Any]) -> None:
    """Raise ValueError unless a lossless JPEG holds exactly as much data as its pixels take.

    The check is needed because libjpeg-turbo invents pixels where data are missing.

    Parameters
    ----------
    image
        One frame with one scan and the predictor of selection value 1 (T.81 H.1.2). The transfer
        syntax 1.2.840.10008.1.2.4.70 allows no other predictor.
    cells
        ``[H, W]`` what the frame was decoded to.
    """
    tables: dict[int, dict[int, int]] = {}
    precision = 0
    for marker, content, end in iter_segments(image):
        if marker == _DHT:
            tables |= _code_lengths(content)
        elif marker == _SOF3:
            precision = content[0]
        elif marker == _DRI and any(content):
            raise ValueError("the frame has restart intervals")
        elif marker == _SOS:
            _, _, table, predictor, _, transform = struct.unpack(">BBBBBB", content)
            if predictor != 1 or transform & 0x0F:
                raise ValueError("the frame has another predictor, or a point transform")
            # Fill bytes may stand before any marker (T.81 B.1.1.2), so before the end marker too.
            # Data never end with FF, because 00 follows each FF in them.
            data = image[end : -len(END_OF_IMAGE)].rstrip(b"\xff")
            _check_length(data, cells, precision, tables[table >> 4])
            return
    raise ValueError("the frame has no scan")


def _check_length(
    data: bytes, cells: NDArray[Any], precision: int, lengths: dict[int, int]
) -> None:
    if re.search(rb"\xff[^\0]", data):
        raise ValueError("the entropy-coded data hold a marker")
    bits = 0
    for category, count in enumerate(np.bincount(_categories(cells, precision))):
        if count:
            bits += int(count) * (lengths[category] + category % 16)  # category 16 has no more bits
    if -(-bits // 8) != len(data.replace(b"\xff\0", b"\xff")):
        raise ValueError("the frame holds more or less data than its pixels take")


def _categories(cells: NDArray[Any], precision: int) -> NDArray[np.int32]:
    """Return the category of each value: the bits of its prediction error (T.81 table H.2)."""
    values = cells.astype(np.int32)
    differences = np.empty_like(values)
    differences[:, 1:] = values[:, 1:] - values[:, :-1]
    differences[1:, 0] = values[1:, 0] - values[:-1, 0]
    differences[0, 0] = values[0, 0] - (1 << (precision - 1))
    wrapped = np.abs((differences + 0x8000 & 0xFFFF) - 0x8000)
    _, bits = np.frexp(wrapped.astype(np.float32))
    return np.asarray(bits, np.int32).ravel()


def _code_lengths(content: bytes) -> dict[int, dict[int, int]]:
    """Return the code length of each category, for each table in a DHT segment (T.81 B.2.4.2)."""
    tables: dict[int, dict[int, int]] = {}
    while content:
        counts = content[1:17]
        symbols = iter(content[17 : 17 + sum(counts)])
        tables[content[0]] = {
            next(symbols): length for length, count in enumerate(counts, 1) for _ in range(count)
        }
        content = content[17 + sum(counts) :]
    return tables


def iter_segments(image: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Yield marker, content and end of each segment of a JPEG, up to the first scan header."""
    at = 2
    while True:
        while image[at + 1] == 0xFF:  # fill
            at += 1
        escape, marker, length = struct.unpack_from(">BBH", image, at)
        if escape != 0xFF or length < 2 or at + 2 + length > len(image):
            raise ValueError("the frame lacks a marker")
        yield marker, image[at + 4 : at + 2 + length], at + 2 + length
        if marker == _SOS:
            return
        at += 2 + length
