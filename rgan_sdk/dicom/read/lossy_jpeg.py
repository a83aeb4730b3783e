"""A check that a lossy JPEG frame is complete (ITU-T T.81, sequential with Huffman codes).

libjpeg-turbo invents pixels where data are missing, and drops data that are left over. How many
bits a block takes is known only to a decoder. So the decoder is asked again, with other data at
the end of each restart interval.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.read.frames import END_OF_IMAGE, iter_segments

Cells = NDArray[Any]

_SOF: Final = (0xC0, 0xC1)  # baseline and extended, sequential
_DRI: Final = 0xDD
_SOS: Final = 0xDA
_BLOCK: Final = 8  # pixels along a side
_FILLER: Final = bytes(range(33, 97))
_TAIL: Final = 16  # bytes


def check_lossy_jpeg(image: bytes, cells: Cells, decode: Callable[[bytes], Cells]) -> None:
    """Raise ValueError unless each restart interval holds the data of its pixels, and no more.

    Further bytes behind an interval must not change a pixel, because its pixels take none of them.
    Other bytes in place of its last ones must change one, because its pixels take these.

    Parameters
    ----------
    image
        One frame with one component.
    cells
        ``[H, W]`` what the frame was decoded to.
    decode
        The decoder.
    """
    start, blocks = _find_scan(image, cells)
    # Fill bytes may stand before any marker (T.81 B.1.1.2). Data never end with FF.
    parts = re.split(rb"\xff+([\xd0-\xd7])", image[start : -len(END_OF_IMAGE)].rstrip(b"\xff"))
    intervals, markers = parts[::2], [*(b"\xff" + code for code in parts[1::2]), END_OF_IMAGE]
    if any(re.search(rb"\xff[^\0]", data) for data in intervals):
        raise ValueError("the entropy-coded data hold a marker")

    def changes(edit: Callable[[bytes], bytes]) -> NDArray[np.bool_]:
        data = (edit(data) + marker for data, marker in zip(intervals, markers, strict=True))
        return _changed_intervals(decode(image[:start] + b"".join(data)) != cells, blocks)

    if changes(lambda data: data + _FILLER).any():
        raise ValueError("the frame holds less data than its pixels take")
    changed = changes(_change_tail)
    if len(changed) != len(intervals) or not changed.all():
        raise ValueError("the frame holds more data than its pixels take")


def _find_scan(image: bytes, cells: Cells) -> tuple[int, int]:
    """Return where the entropy-coded data begin, and how many blocks make a restart interval."""
    blocks, is_sequential = 0, False
    for marker, content, end in iter_segments(image):
        if marker == _DRI:
            blocks = int.from_bytes(content, "big")
        is_sequential |= marker in _SOF
        if marker == _SOS and is_sequential:
            rows, columns = cells.shape
            return end, blocks or -(-rows // _BLOCK) * -(-columns // _BLOCK)
    raise ValueError("the frame is not sequential JPEG with one scan")


def _change_tail(data: bytes) -> bytes:
    """Change bits in the last bytes of an interval; 00 follows each FF in it."""
    plain = data.replace(b"\xff\0", b"\xff")
    tail = bytes(byte ^ 0x55 for byte in plain[-_TAIL:])
    return (plain[:-_TAIL] + tail).replace(b"\xff", b"\xff\0")


def _changed_intervals(changed: NDArray[np.bool_], blocks: int) -> NDArray[np.bool_]:
    """Return for each interval of so many blocks whether a pixel in it has changed."""
    rows, columns = changed.shape
    padded = np.pad(changed, ((0, -rows % _BLOCK), (0, -columns % _BLOCK)))
    split = padded.reshape(padded.shape[0] // _BLOCK, _BLOCK, padded.shape[1] // _BLOCK, _BLOCK)
    of_blocks = split.any(axis=(1, 3)).ravel()
    return np.logical_or.reduceat(of_blocks, np.arange(0, of_blocks.size, blocks))
