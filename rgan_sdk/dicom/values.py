"""Typed access to attributes: what is absent, multi-valued or no number is an error.

Messages show a value only where its characters can't make up a person's name in DICOM.
"""

from __future__ import annotations

import math
import re

from pydicom import Dataset
from pydicom.multival import MultiValue

from rgan_sdk.errors import InvalidSeriesError

UID_PATTERN = re.compile(r"\d+(\.\d+)+")
_TERMS = frozenset(
    (
        *(
            "CR",
            "CT",
            "DX",
            "MG",
            "MR",
            "NM",
            "OT",
            "PT",
            "PR",
            "RF",
            "SC",
            "SEG",
            "SR",
            "US",
            "XA",
        ),
        *("RTDOSE", "RTIMAGE", "RTPLAN", "RTSTRUCT", "REG"),
        *("RGB", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"),
        *("US", "OD", "MGML", "Z_EFF", "ED", "EDW", "HU_MOD", "PCT"),
    )
)


def values(dataset: Dataset, keyword: str) -> tuple[object, ...]:
    """Return all values of an attribute, ``()`` where it is absent or empty."""
    value = dataset.get(keyword)
    if value is None or value == "":
        return ()
    return tuple(value) if isinstance(value, MultiValue | list) else (value,)


def texts(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """Return all values as stripped text."""
    return tuple(str(value).strip() for value in values(dataset, keyword))


def text(dataset: Dataset, keyword: str) -> str:
    """Return the first value as stripped text, ``""`` where it is absent."""
    return next(iter(texts(dataset, keyword)), "")


def numbers(dataset: Dataset, keyword: str, count: int) -> tuple[float, ...]:
    """Return ``count`` finite numbers, or raise InvalidSeriesError."""
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
    """Return one finite number, or raise InvalidSeriesError."""
    return numbers(dataset, keyword, 1)[0]


def integer(dataset: Dataset, keyword: str) -> int:
    """Return one whole number, or raise InvalidSeriesError."""
    value = number(dataset, keyword)
    if not value.is_integer():
        raise InvalidSeriesError(f"{keyword} {value} is not a whole number")
    return int(value)


def uid(dataset: Dataset, keyword: str) -> str:
    """Return one valid UID (PS3.5 9.1), or raise InvalidSeriesError."""
    found = texts(dataset, keyword)
    if not found:
        raise InvalidSeriesError(f"{keyword} is missing")
    if len(found) > 1 or len(found[0]) > 64 or not UID_PATTERN.fullmatch(found[0]):
        raise InvalidSeriesError(f"{keyword} is not a valid UID")
    return found[0]


def redact(value: str) -> str:
    """Return a defined term for use in a message, or a stand-in for anything else."""
    return value if value in _TERMS else "(not a defined term)"
