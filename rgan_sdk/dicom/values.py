"""Typed access to the attributes of a data set.

Error messages show a value only if it is a number or a term of ``_TERMS``, because any other text
may be patient data.
"""

from __future__ import annotations

import math
import re
from typing import Final

from pydicom import Dataset
from pydicom.errors import BytesLengthException
from pydicom.multival import MultiValue

from rgan_sdk.errors import InvalidSeriesError

UID_PATTERN = re.compile(r"\d+(\.\d+)+")
WORD_BYTES: Final = {"OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8}
"""Bytes of a word, of the value representations that pydicom keeps in the file's byte order."""

_MODALITIES = ("CR", "CT", "DX", "MG", "MR", "NM", "OT", "PR", "PT", "RF", "SC", "SR", "US", "XA")
_DERIVED_MODALITIES = ("REG", "RTDOSE", "RTIMAGE", "RTPLAN", "RTSTRUCT", "SEG")
_COLOURS = ("RGB", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_RESCALE_TYPES = ("US", "OD", "MGML", "Z_EFF", "ED", "EDW", "HU_MOD", "PCT")
_TERMS = frozenset((*_MODALITIES, *_DERIVED_MODALITIES, *_COLOURS, *_RESCALE_TYPES))


def values(dataset: Dataset, keyword: str) -> tuple[object, ...]:
    """Return all values of an attribute; ``()`` if it is absent or empty.

    Raises
    ------
    InvalidSeriesError
        If the bytes of the attribute cannot be read as its value representation.
    """
    try:
        value = dataset.get(keyword)
    except (ValueError, OverflowError, NotImplementedError, BytesLengthException) as error:
        raise InvalidSeriesError(f"{keyword} is badly written") from error
    if value is None or value == "":
        return ()
    return tuple(value) if isinstance(value, MultiValue | list) else (value,)


def texts(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """Return all values of an attribute as stripped text."""
    return tuple(str(value).strip() for value in values(dataset, keyword))


def text(dataset: Dataset, keyword: str) -> str:
    """Return the first value of an attribute as stripped text; ``""`` if it is absent."""
    return next(iter(texts(dataset, keyword)), "")


def numbers(dataset: Dataset, keyword: str, count: int) -> tuple[float, ...]:
    """Return the ``count`` finite numbers of an attribute.

    Raises
    ------
    InvalidSeriesError
        If the attribute is absent or holds anything else.
    """
    found = values(dataset, keyword)
    if not found:
        raise InvalidSeriesError(f"{keyword} is missing")
    try:
        result = tuple(float(value) for value in found)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidSeriesError(f"{keyword} is not a number") from error
    if len(result) != count or not all(math.isfinite(value) for value in result):
        raise InvalidSeriesError(f"{keyword} must hold {count} finite numbers, has {result[:9]}")
    return result


def number(dataset: Dataset, keyword: str) -> float:
    """Return the one finite number of an attribute, or raise as ``numbers`` does."""
    return numbers(dataset, keyword, 1)[0]


def optional_numbers(dataset: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """Return what ``numbers`` does, None if the attribute is absent or badly written.

    For attributes that neither pixels nor places depend on.
    """
    try:
        return numbers(dataset, keyword, count)
    except InvalidSeriesError:
        return None


def optional_number(dataset: Dataset, keyword: str) -> float | None:
    """Return the one finite number of an attribute, or None as ``optional_numbers`` does."""
    found = optional_numbers(dataset, keyword, 1)
    return found[0] if found else None


def integer(dataset: Dataset, keyword: str) -> int:
    """Return the one whole number of an attribute, or raise as ``numbers`` does."""
    value = number(dataset, keyword)
    if not value.is_integer():
        raise InvalidSeriesError(f"{keyword} {value} is not a whole number")
    return int(value)


def uid(dataset: Dataset, keyword: str) -> str:
    """Return the one UID of an attribute (PS3.5 9.1).

    Raises
    ------
    InvalidSeriesError
        If the attribute is absent, has several values, or is not a valid UID.
    """
    found = texts(dataset, keyword)
    if not found:
        raise InvalidSeriesError(f"{keyword} is missing")
    if len(found) > 1 or len(found[0]) > 64 or not UID_PATTERN.fullmatch(found[0]):
        raise InvalidSeriesError(f"{keyword} is not a valid UID")
    return found[0]


def raw(dataset: Dataset, tag: int) -> bytes:
    """Return the bytes of an element as the file has them; none if it is absent.

    Nothing in them is interpreted, so that no bad value can cause an error.
    """
    element = dataset.get_item(tag)
    value = element.value if element is not None else None
    if value is None or isinstance(value, bytes):
        return value or b""
    return str(value).encode(errors="replace")


def printable(value: bytes) -> str:
    """Return the printable ASCII in the bytes of a text, with single spaces."""
    text = value.decode("ascii", errors="ignore").replace("\\", " ")
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def redact(value: str) -> str:
    """Return a text for use in a message: a known defined term, or a placeholder."""
    return value if value in _TERMS else "(not a defined term)"
