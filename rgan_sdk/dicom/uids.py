"""The UIDs and the codes that this project gives to objects."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from typing import Final

from pydicom import Dataset

CODING_SCHEME: Final = "99RGAN"
HARMONIZED_CODE: Final = "HARMONIZED"
HARMONIZED_MEANING: Final = "Convolution kernel harmonization"
IDENTITY_CODE: Final = "IDENTITY"
IDENTITY_MEANING: Final = "Copy by the identity engine"
SIMULATED_CODE: Final = "SIMULATED"
SIMULATED_MEANING: Final = "Simulated convolution kernel"

IMPLEMENTATION_CLASS_UID: Final = "2.25.236399643812551947798227614116988519586"

_FROM_UUID: Final = re.compile(r"2\.25\.([1-9]\d{,38})")
_UNMARKED_BYTES: Final = 11


def hashed_uid(*parts: str) -> str:
    """Return a UID that is a function of ``parts``: the same texts always give the same UID.

    It is derived from a UUID (PS3.5 B.2), and the UUID from the SHA-256 of the parts.
    """
    return f"2.25.{_hashed_uuid(parts).int}"


def marked_uid(code: str, *parts: str) -> str:
    """Return a hashed UID that also tells, by itself, that it belongs to an object of ours.

    The last 40 bits of its UUID are a hash of the other 88 and of ``code``. That leaves 82 bits to
    tell a thousand million objects apart, and one UUID of others in 10^12 looks like ours.

    Parameters
    ----------
    code
        What ``has_mark`` is asked for: ``HARMONIZED_CODE`` or ``IDENTITY_CODE``.
    """
    head = _hashed_uuid(parts).bytes[:_UNMARKED_BYTES]
    return f"2.25.{int.from_bytes(head + _mark(code, head))}"


def has_mark(uid: str, code: str) -> bool:
    """Return whether ``marked_uid`` made a UID with this code. Any text may be given."""
    number = _FROM_UUID.fullmatch(uid)
    if number is None or int(number[1]) >= 1 << 128:
        return False
    content = int(number[1]).to_bytes(16)
    return content[_UNMARKED_BYTES:] == _mark(code, content[:_UNMARKED_BYTES])


def _hashed_uuid(parts: tuple[str, ...]) -> uuid.UUID:
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return uuid.UUID(bytes=digest[:16], version=5)


def _mark(code: str, head: bytes) -> bytes:
    mark = hashlib.sha256(f"{CODING_SCHEME} {code} ".encode() + head).digest()
    return mark[: 16 - _UNMARKED_BYTES]


def code_item(value: str, scheme: str, meaning: str) -> Dataset:
    """Return an item of a code sequence (PS3.3 8.8).

    Parameters
    ----------
    value, scheme, meaning
        CodeValue, CodingSchemeDesignator and CodeMeaning.
    """
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = scheme
    item.CodeMeaning = meaning
    return item
