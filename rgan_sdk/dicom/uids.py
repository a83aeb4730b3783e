"""The UIDs and the codes that this project gives to objects."""

from __future__ import annotations

import hashlib
import json
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


def hashed_uid(*parts: str) -> str:
    """Return a UID that is a function of ``parts``: the same texts always give the same UID.

    It is derived from a UUID (PS3.5 B.2), and the UUID from the SHA-256 of the parts.
    """
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"


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
