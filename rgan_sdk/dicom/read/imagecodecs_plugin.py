"""Lets pydicom decode pixel data with imagecodecs, which leaves other threads at work meanwhile.

What pydicom asks of a plugin (its guide "Pixel Data Decoder Plugins"): ``is_available``,
``DECODER_DEPENDENCIES``, and the function that decodes a frame. HTJ2K is left to pydicom's own:
imagecodecs 2026.3 gives pixels for a broken frame, and may take minutes for it.
"""

from __future__ import annotations

from functools import cache
from importlib import util
from typing import TYPE_CHECKING, Final

import numpy as np
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    JPEG2000,
    UID,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

from rgan_sdk.dicom.read.frames import check_lossless_jpeg, read_frame_header

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

PLUGIN: Final = "imagecodecs"

_CODECS: Final[dict[UID, str]] = {
    JPEGLosslessSV1: "JPEG8",  # libjpeg-turbo: 2 to 16 bits, lossless too
    JPEGLSLossless: "JPEGLS",
    JPEGLSNearLossless: "JPEGLS",
    JPEG2000Lossless: "JPEG2K",
    JPEG2000: "JPEG2K",
}

SYNTAXES: Final = tuple(_CODECS)
DECODER_DEPENDENCIES: Final = dict.fromkeys(SYNTAXES, ("numpy", PLUGIN))


@cache
def is_available(uid: UID) -> bool:
    """Return whether frames of a transfer syntax can be decoded here."""
    if uid not in _CODECS or util.find_spec(PLUGIN) is None:
        return False
    import imagecodecs

    return bool(getattr(getattr(imagecodecs, _CODECS[uid], None), "available", False))


def register() -> None:
    """Make the plugin known to pydicom's decoders, once."""
    for syntax in SYNTAXES:
        decoder = get_decoder(syntax)
        if PLUGIN not in decoder.available_plugins:
            decoder.add_plugin(PLUGIN, (__name__, _decode_frame.__name__))


def _decode_frame(src: bytes, runner: DecodeRunner) -> bytes:
    """Return the cells of one frame, and tell the runner how wide they came out."""
    import imagecodecs

    syntax = runner.transfer_syntax
    header = read_frame_header(src)
    if (header.rows, header.columns, header.components) != (runner.rows, runner.columns, 1):
        raise ValueError("a frame that is not of the slice's size")
    if header.precision > runner.bits_allocated:
        raise ValueError("a frame of more bits than are allocated")
    is_signed = runner.pixel_representation == 1
    if syntax == JPEGLosslessSV1 and is_signed and header.precision < runner.bits_stored:
        # There is no telling whether the sign is at its highest bit; of the others pydicom knows.
        raise ValueError("a signed frame of fewer bits than are stored")
    decode = getattr(imagecodecs, f"{_CODECS[syntax].lower()}_decode")
    cells = decode(header.image)
    if cells.shape != (runner.rows, runner.columns) or cells.itemsize != header.itemsize:
        raise ValueError(f"a frame of {cells.dtype} {cells.shape}")
    if syntax == JPEGLosslessSV1:
        check_lossless_jpeg(header.image, cells)
    runner.set_option("bits_allocated", 8 * header.itemsize)
    return np.ascontiguousarray(cells).tobytes()
