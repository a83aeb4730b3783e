"""Which compressed transfer syntaxes can be decoded with what is installed."""

from __future__ import annotations

from typing import Final

from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    UID,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

SYNTAXES: Final[dict[str, UID]] = {
    "RLE": RLELossless,
    "JPEG-LS": JPEGLSLossless,
    "JPEG 2000": JPEG2000Lossless,
    "HTJ2K": HTJ2KLossless,
    "JPEG Lossless": JPEGLosslessSV1,
}


def undecodable_syntaxes() -> list[str]:
    """Return the names of the families for which no decoder is installed."""
    return [name for name, syntax in SYNTAXES.items() if not get_decoder(syntax).is_available]
