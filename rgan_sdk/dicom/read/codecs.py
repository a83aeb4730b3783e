"""Which compressed transfer syntaxes can be decoded with what is installed, and by what."""

from __future__ import annotations

from typing import Final

from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    HTJ2K,
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from rgan_sdk.dicom.read import imagecodecs_plugin

SYNTAXES: Final[dict[str, UID]] = {
    "RLE": RLELossless,
    "JPEG-LS": JPEGLSLossless,
    "JPEG 2000": JPEG2000Lossless,
    "HTJ2K": HTJ2KLossless,
    "JPEG Lossless": JPEGLosslessSV1,
}


CODECS_EXTRA: Final = (*imagecodecs_plugin.SYNTAXES, HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K)
"""What can be decoded with the extra ``[codecs]``."""

imagecodecs_plugin.register()


def preferred_plugin(syntax: UID) -> str:
    """Return the name of the pydicom plugin to decode with; empty leaves it to pydicom."""
    plugin = imagecodecs_plugin.PLUGIN
    return plugin if imagecodecs_plugin.is_available(syntax) else ""


def undecodable_syntaxes() -> list[str]:
    """Return the names of the families for which no decoder is installed."""
    return [name for name, syntax in SYNTAXES.items() if not get_decoder(syntax).is_available]
