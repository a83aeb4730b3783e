"""Whether this project made an object: copies and other encodings of its output are told too.

``docs/dicom-conformance.md`` lists the marks. Any of them suffices, because anonymizers and viewers
replace some attributes and drop others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from pydicom import Dataset
from pydicom.datadict import keyword_for_tag
from pydicom.sequence import Sequence

from rgan_sdk.dicom import values
from rgan_sdk.dicom.uids import CODING_SCHEME, HARMONIZED_CODE, IDENTITY_CODE, has_mark


class _Kind(NamedTuple):
    """Objects of ours that are not harmonized again, and the texts that tell them.

    Attributes
    ----------
    name
        What a reason calls them.
    code
        Of DerivationCodeSequence, and of the marks in UIDs.
    texts
        What stands in DerivationDescription and in SeriesDescription.
    """

    name: str
    code: str
    texts: dict[int, re.Pattern[str]]


class _Mark(NamedTuple):
    kind: _Kind
    keyword: str


_CODES: Final = 0x00089215
_SERIES_DESCRIPTION: Final = 0x0008103E
_DERIVATION_DESCRIPTION: Final = 0x00082111
_UIDS: Final = (0x00080018, 0x0020000E)  # SOPInstanceUID, SeriesInstanceUID
TAGS: Final = sorted((*_UIDS, _SERIES_DESCRIPTION, _DERIVATION_DESCRIPTION, _CODES))
"""The elements that ``own_object`` looks at."""

_KINDS: Final = (
    _Kind(
        "identity engine's copy, not an original",
        IDENTITY_CODE,
        {
            _DERIVATION_DESCRIPTION: re.compile(r"\bCopied unchanged \(identity engine\)"),
            _SERIES_DESCRIPTION: re.compile(r"(^| )RGAN>IDENTITY\b"),
        },
    ),
    _Kind(
        "harmonized already",
        HARMONIZED_CODE,
        {
            _DERIVATION_DESCRIPTION: re.compile(
                r"\bHarmonized from convolution kernel .+ by engine "
            ),
            _SERIES_DESCRIPTION: re.compile(r"(^| )RGAN>"),
        },
    ),
)
_MODEL: Final = re.compile(r", (model .{1,193}), model sha256 [0-9a-f]{64}\b")


def own_object(dataset: Dataset) -> str:
    """Return why a data set is no original: this project made it. An empty text if it did not.

    The reason names the attribute that tells, and the model where DerivationDescription does.
    """
    elements = {tag: values.raw(dataset, tag) for tag in TAGS if tag != _CODES and tag in dataset}
    for kind in _KINDS:
        if has_own_code(dataset, kind.code):
            return _reason(_Mark(kind, "DerivationCodeSequence"), elements)
    mark = _find_mark(elements)
    return "" if mark is None else _reason(mark, elements)


def is_own(elements: Mapping[int, bytes]) -> bool:
    """Return whether texts or UIDs tell that this project made an object.

    Parameters
    ----------
    elements
        By tag, those of ``TAGS`` that are there, as the file has them. The sequence is not read.
    """
    return _find_mark(elements) is not None


def has_own_code(dataset: Dataset, code: str) -> bool:
    """Return whether DerivationCodeSequence holds this code of ours."""
    codes = dataset.get("DerivationCodeSequence")
    return isinstance(codes, Sequence) and any(
        item.get("CodingSchemeDesignator") == CODING_SCHEME and item.get("CodeValue") == code
        for item in codes
    )


def _find_mark(elements: Mapping[int, bytes]) -> _Mark | None:
    found = {tag: values.printable(value) for tag, value in elements.items() if tag in TAGS}
    for kind in _KINDS:
        for tag, pattern in kind.texts.items():
            if pattern.search(found.get(tag, "")):
                return _Mark(kind, keyword_for_tag(tag))
        for tag in _UIDS:
            if has_mark(found.get(tag, ""), kind.code):
                return _Mark(kind, keyword_for_tag(tag))
    return None


def _reason(mark: _Mark, elements: Mapping[int, bytes]) -> str:
    model = _MODEL.search(values.printable(elements.get(_DERIVATION_DESCRIPTION, b"")))
    by = f" by {model[1]}" if model and mark.kind.code == HARMONIZED_CODE else ""
    return f"{mark.kind.name}{by} ({mark.keyword} says so)"
