"""A plug-in for pydicom that decodes pixel data with imagecodecs.

imagecodecs releases the GIL while it decodes, so that several threads decode at once.

pydicom demands three names of such a module (its guide "Pixel Data Decoder Plugins"):
``is_available``, ``DECODER_DEPENDENCIES``, and the function that decodes a frame. HTJ2K is left to
other plug-ins: imagecodecs 2026.3 returns pixels for a broken frame, and may take minutes for it.
"""

from __future__ import annotations

import threading
from functools import cache
from importlib import util
from typing import TYPE_CHECKING, Final

import numpy as np
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    JPEG2000,
    UID,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

from rgan_sdk.dicom.read.frames import check_lossless_jpeg, read_frame_header
from rgan_sdk.dicom.read.lossy_jpeg import check_lossy_jpeg

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

PLUGIN: Final = "imagecodecs"
"""The plug-in's name in pydicom, and the package that it needs."""

_CODECS: Final[dict[UID, str]] = {
    JPEGLosslessSV1: "JPEG8",  # libjpeg-turbo: 2 to 16 bits, lossless too
    JPEGLSLossless: "JPEGLS",
    JPEGLSNearLossless: "JPEGLS",
    JPEG2000Lossless: "JPEG2K",
    JPEG2000: "JPEG2K",
    JPEGBaseline8Bit: "JPEG8",
    JPEGExtended12Bit: "JPEG8",
}

LOSSY_JPEG: Final = (JPEGBaseline8Bit, JPEGExtended12Bit)
"""The transfer syntaxes of lossy JPEG, of 8 and of 12 bits."""

SYNTAXES: Final = tuple(_CODECS)
_lock = threading.Lock()

DECODER_DEPENDENCIES: Final = dict.fromkeys(SYNTAXES, ("numpy", PLUGIN))


@cache
def is_available(uid: UID) -> bool:
    """Return whether this plug-in can decode frames of a transfer syntax here."""
    if uid not in _CODECS or util.find_spec(PLUGIN) is None:
        return False
    import imagecodecs

    return bool(getattr(getattr(imagecodecs, _CODECS[uid], None), "available", False))


@cache
def register() -> None:
    """Register the plug-in with pydicom's decoders, where imagecodecs is installed.

    It may be called often, and from any thread.
    """
    with _lock:  # pydicom's decoders are not safe in threads
        for syntax in SYNTAXES:
            decoder = get_decoder(syntax)
            if is_available(syntax) and PLUGIN not in decoder.available_plugins:
                decoder.add_plugin(PLUGIN, (__name__, _decode_frame.__name__))


def _decode_frame(src: bytes, runner: DecodeRunner) -> bytes:
    """Decode one frame to pixel cells, and tell the runner how wide they are.

    Raises
    ------
    ValueError
        If the frame is damaged or does not fit the header.
    """
    import imagecodecs

    syntax = runner.transfer_syntax
    header = read_frame_header(src)
    if (header.rows, header.columns, header.components) != (runner.rows, runner.columns, 1):
        raise ValueError("the frame and the slice differ in size")
    if header.precision > runner.bits_allocated:
        raise ValueError("the frame has more bits than are allocated")
    is_signed = runner.pixel_representation == 1
    if syntax == JPEGLosslessSV1 and is_signed and header.precision < runner.bits_stored:
        # The position of the sign bit is unknown here. For other syntaxes pydicom knows it.
        raise ValueError("the frame is signed and has fewer bits than are stored")
    if syntax in LOSSY_JPEG and not _bits_agree(header.precision, runner.bits_stored):
        raise ValueError("the frame and the slice differ in bits")
    decode = getattr(imagecodecs, f"{_CODECS[syntax].lower()}_decode")
    cells = decode(header.image)
    if cells.shape != (runner.rows, runner.columns) or cells.itemsize != header.itemsize:
        raise ValueError(f"the frame decodes to {cells.dtype} {cells.shape}")
    if syntax == JPEGLosslessSV1:
        check_lossless_jpeg(header.image, cells)
    elif syntax in LOSSY_JPEG:
        check_lossy_jpeg(header.image, cells, decode)
    runner.set_option("bits_allocated", 8 * header.itemsize)
    return np.ascontiguousarray(cells).tobytes()


def _bits_agree(precision: int, bits_stored: int) -> bool:
    """Return whether a lossy frame may be of a slice with so many bits.

    Lossy values fill all bits of their frame. So the header of a slice with 12 bits and a frame
    with 8 is about another image.
    """
    return precision <= bits_stored and (precision > 8 or bits_stored <= 8)
