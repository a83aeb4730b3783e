"""Lets pydicom decode pixel data with imagecodecs, which leaves other threads at work meanwhile.

What pydicom asks of a plugin (its guide "Pixel Data Decoder Plugins"): ``is_available``,
``DECODER_DEPENDENCIES``, and the function that decodes a frame. HTJ2K is left to pydicom's own:
imagecodecs 2026.3 gives pixels for a broken frame, and may take minutes for it.
"""

from __future__ import annotations

from importlib import util
from typing import TYPE_CHECKING, Final

import numpy as np
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    JPEG2000,
    UID,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

PLUGIN: Final = "imagecodecs"

_FUNCTIONS: Final[dict[UID, str]] = {
    JPEGLossless: "jpeg8_decode",  # of libjpeg-turbo: 2 to 16 bits, lossless too
    JPEGLosslessSV1: "jpeg8_decode",
    JPEGLSLossless: "jpegls_decode",
    JPEGLSNearLossless: "jpegls_decode",
    JPEG2000Lossless: "jpeg2k_decode",
    JPEG2000: "jpeg2k_decode",
}

# Ends a frame of each (ITU-T T.81, T.87, T.800); some decoders make up what is cut off before it.
_END_OF_IMAGE: Final = b"\xff\xd9"


SYNTAXES: Final = tuple(_FUNCTIONS)
DECODER_DEPENDENCIES: Final = dict.fromkeys(SYNTAXES, ("numpy", PLUGIN))


def is_available(uid: UID) -> bool:
    """Return whether frames of a transfer syntax can be decoded here."""
    return uid in _FUNCTIONS and util.find_spec(PLUGIN) is not None


def register() -> None:
    """Make the plugin known to pydicom's decoders, once."""
    for syntax in SYNTAXES:
        decoder = get_decoder(syntax)
        if PLUGIN not in decoder.available_plugins:
            decoder.add_plugin(PLUGIN, (__name__, _decode_frame.__name__))


def _decode_frame(src: bytes, runner: DecodeRunner) -> bytes:
    """Return the cells of one frame, and tell the runner how wide they came out."""
    import imagecodecs

    if not src.rstrip(b"\0").endswith(_END_OF_IMAGE):
        raise ValueError("a frame without its end")
    decode = getattr(imagecodecs, _FUNCTIONS[runner.transfer_syntax])
    # JPEG and JPEG-LS would make room for whatever size a frame claims, were there none for it.
    room = None
    if runner.transfer_syntax not in (JPEG2000Lossless, JPEG2000):
        width = 1 if runner.bits_stored <= 8 else 2
        room = np.empty((runner.rows, runner.columns), f"u{width}")
    frame = decode(src, out=room)
    if frame.shape != (runner.rows, runner.columns) or frame.dtype.kind not in "iu":
        raise ValueError(f"a frame of {frame.dtype} {frame.shape}")
    runner.set_option("bits_allocated", 8 * frame.itemsize)
    cells: bytes = frame.tobytes()
    return cells
