"""Which compressed transfer syntaxes can be decoded here, and with which plug-in."""

from __future__ import annotations

from typing import Final

from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    HTJ2K,
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGExtended12Bit,
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
    "JPEG Extended": JPEGExtended12Bit,
}
"""One transfer syntax of each family that is supported."""

CODECS_EXTRA: Final = (*imagecodecs_plugin.SYNTAXES, HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K)
"""The transfer syntaxes that the extra ``[codecs]`` can decode."""

_EIGHT_BITS_ONLY: Final = "pillow"
"""The pydicom plug-in that decodes lossy JPEG of 8 bits, and none of 12."""


def is_decodable(syntax: UID, bits_stored: int) -> bool:
    """Return whether pixel data of a transfer syntax can be decoded here.

    Raises
    ------
    NotImplementedError
        If pydicom does not support the transfer syntax.
    """
    decoder = get_decoder(syntax)
    if imagecodecs_plugin.is_available(syntax):
        return True
    if bits_stored > 8 and syntax in imagecodecs_plugin.LOSSY_JPEG:
        return any(plugin != _EIGHT_BITS_ONLY for plugin in decoder.available_plugins)
    return decoder.is_available


def choose_plugin(syntax: UID) -> str:
    """Return the name of the pydicom plug-in to decode with; empty leaves the choice to pydicom.

    The plug-in is registered with pydicom when it is chosen for the first time.
    """
    if not imagecodecs_plugin.is_available(syntax):
        return ""
    imagecodecs_plugin.register()
    return imagecodecs_plugin.PLUGIN


def undecodable_syntaxes() -> list[str]:
    """Return the names in ``SYNTAXES`` for which no decoder is installed."""
    return [name for name, syntax in SYNTAXES.items() if not is_decodable(syntax, bits_stored=12)]
