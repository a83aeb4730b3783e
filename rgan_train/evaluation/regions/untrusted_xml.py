"""XML files that others wrote: read whole, without a document type and its entities."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rgan_sdk.errors import ConfigurationError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def read_xml(path: Path, max_bytes: int, what: str) -> Element:
    """Return the root of a file.

    Parameters
    ----------
    max_bytes
        A larger file is not read.
    what
        The files that are wanted, as messages call them, such as ``file of boxes``.

    Raises
    ------
    ConfigurationError
        If the file cannot be read or is too large, is not XML, or has a document type, which could
        define entities. The message does not name the file.
    """
    from defusedxml import DTDForbidden, ElementTree

    try:
        root: Element = ElementTree.fromstring(_content(path, max_bytes, what), forbid_dtd=True)
    except DTDForbidden as exc:
        raise ConfigurationError(f"has a document type ({exc.name}), which is refused") from exc
    except (ElementTree.ParseError, LookupError, ValueError) as exc:  # the last two: encodings
        raise ConfigurationError(f"is not XML ({exc})") from exc
    return root


def _content(path: Path, max_bytes: int, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as exc:
        raise ConfigurationError(f"cannot be read ({exc.strerror})") from exc
    if len(content) > max_bytes:
        raise ConfigurationError(f"is larger than {max_bytes >> 20} MiB, so it is no {what}")
    return content
