"""Badly written attributes of a source, which a derived object does without."""

from __future__ import annotations

import copy
import re
from typing import Final

from pydicom import Dataset
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.filewriter import correct_ambiguous_vr_element
from pydicom.tag import BaseTag

_NO_FOURS: Final = re.escape(bytes(size for size in range(0, 256, 2) if size % 4))
_NO_EIGHTS: Final = re.escape(bytes(size for size in range(0, 256, 2) if size % 8))
_SUSPICIOUS: Final = re.compile(
    b"|".join(
        [
            *(vr + b"[%b]" % _NO_FOURS for vr in (b"AT", b"FL", b"SL", b"UL")),
            *(vr + b"[%b]" % _NO_EIGHTS for vr in (b"FD", rb"SV\0\0", rb"UV\0\0")),
            rb"IS.[\0-\x1f][-+ \t-\r\x85\xa00-9._\\]*(?:[eE]|[iI][nN][fF])",
        ]
    ),
    re.DOTALL,
)
"""Numbers of a wrong length, and whole numbers that may be infinite, in Explicit VR Little Endian.

Before the infinity may stand what Python's ``float`` takes there, blanks of Latin-1 too.

Alternatives that begin with letters are searched for ten times as fast as sets of letters.
"""


def remove_unreadable(dataset: Dataset) -> list[BaseTag]:
    """Remove all elements that pydicom cannot read, at all levels.

    Text that is no number, date or code where it should be one can be read, and stays. What can be
    read also stays as the source encodes it.

    Returns
    -------
    list of BaseTag
        What was removed at the top level.
    """
    # A copy, in which values can be converted beside those that their VR depends on.
    converted = Dataset({tag: dataset.get_item(tag) for tag in list(dataset.keys())})
    removed = [tag for tag in list(dataset.keys()) if not _is_readable(dataset, tag, converted)]
    for tag in removed:
        del dataset[tag]
    return removed


def may_be_unreadable(header: bytes) -> bool:
    """Return whether a header that was copied from a source may hold what cannot be read.

    Where there is none, this is rarely true: it looks at bytes, not at elements.

    Parameters
    ----------
    header
        In Explicit VR Little Endian, each value of an even length.
    """
    return _SUSPICIOUS.search(header) is not None


def _is_readable(dataset: Dataset, tag: BaseTag, converted: Dataset) -> bool:
    if tag.is_private or tag.group < 0x0008:  # no derived object has these
        return True
    item = dataset.get_item(tag)
    is_sequence = dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"
    try:
        if isinstance(item, RawDataElement) and not (is_sequence or item.VR == "SQ"):
            return _has_vr(converted[tag], converted)
        item = dataset[tag]
        if item.VR == "SQ":
            for nested in item.value:
                remove_unreadable(nested)
        return item.VR == "SQ" or (not is_sequence and _has_vr(item, converted))
    except Exception:  # pydicom raises errors of many kinds
        return False


def _has_vr(element: DataElement, dataset: Dataset) -> bool:
    """Return whether the VR of an element can be told where the dictionary allows several."""
    settled = correct_ambiguous_vr_element(copy.copy(element), dataset, True)
    return len(str(settled.VR)) == 2
