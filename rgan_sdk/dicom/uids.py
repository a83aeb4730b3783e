"""UIDs and codes of this project, and the UIDs of derived objects."""

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
    """Return the UID that belongs to ``parts``: always the same for the same text.

    A UUID-derived UID (PS3.5 B.2) whose UUID is made of the SHA-256 of the parts.
    """
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"


def code_item(value: str, scheme: str, meaning: str) -> Dataset:
    """Return an item of a code sequence (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = scheme
    item.CodeMeaning = meaning
    return item
