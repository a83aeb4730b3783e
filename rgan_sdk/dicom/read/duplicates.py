"""Whether files of one SOPInstanceUID hold the same content, perhaps in another encoding."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

import numpy as np
from pydicom import DataElement, Dataset
from pydicom.datadict import keyword_for_tag
from pydicom.errors import BytesLengthException
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.tag import BaseTag, Tag

from rgan_sdk.dicom.read.pydicom_reader import PydicomSlice, read_slice
from rgan_sdk.dicom.stamp import Stamp, checksum
from rgan_sdk.dicom.values import WORD_BYTES

MAX_NAMES: Final = 5
"""At most so many attributes are named."""

_ENCODING: Final = (0x00080005, 0xFFFCFFFC)
"""SpecificCharacterSet, since texts are compared decoded, and DataSetTrailingPadding."""

_IMPLICIT_HEAD: Final = 8
_BADLY_WRITTEN: Final = (
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    NotImplementedError,
    BytesLengthException,
    struct.error,
)


class Copies:
    """The files of one SOPInstanceUID, given one by one; the first of equal content counts.

    Attributes
    ----------
    difference
        The names of what differs between the first two files of different content; empty while
        there are none.
    """

    def __init__(self) -> None:
        self._by_checksum: dict[str, Path] = {}
        self._kept: list[tuple[Path, Stamp]] = []
        self.difference = ""

    def add(self, path: Path, stamp: Stamp) -> tuple[Path, str] | None:
        """Add a file.

        Returns
        -------
        (Path, str) or None
            The file that was given before and has the same content, and what this one is of it;
            None for new content.

        Raises
        ------
        DicomError
            If the file has changed or cannot be read.
        """
        content = checksum(path, stamp)
        if content in self._by_checksum:
            return self._by_checksum[content], "identical duplicate"
        for kept, kept_stamp in self._kept:
            names = find_differences(read_slice(kept, kept_stamp), read_slice(path, stamp))
            if not names:
                self._by_checksum[content] = kept
                return kept, "duplicate in another encoding"
            self.difference = self.difference or _format_names(names)
        self._by_checksum[content] = path
        self._kept.append((path, stamp))
        return None


def find_differences(a: PydicomSlice, b: PydicomSlice) -> list[str]:
    """Return the names of what differs, ``pixels`` and keywords, without values.

    File meta information, transfer syntax, byte order, character set, group lengths and padding
    are the encoding (PS3.5 6.2, 7.1, 7.2, 7.3), not the content. Nor is a private block that only
    one of them has: archives add blocks of their own, and leave out those of others.
    """
    same_pixels = a.stored.dtype == b.stored.dtype and np.array_equal(a.stored, b.stored)
    names = [_name(tag) for tag in _differing_tags(a.dataset, b.dataset)]
    return names if same_pixels else ["pixels", *names]


def _differing_tags(a: Dataset, b: Dataset) -> list[BaseTag]:
    tags = sorted(a.keys() | b.keys())
    return [tag for tag in tags if _is_content(a, b, tag) and not _is_same(a, b, tag)]


def _is_content(a: Dataset, b: Dataset, tag: BaseTag) -> bool:
    if tag.element == 0 or tag in _ENCODING:
        return False
    if tag.is_private:
        # The element that reserves the block of a private element (PS3.5 7.8.1).
        creator = Tag(tag.group, tag.element >> 8 or tag.element)
        return creator in a and creator in b
    return True


def _is_same(a: Dataset, b: Dataset, tag: BaseTag) -> bool:
    if tag not in a or tag not in b:
        return False
    try:
        x, y = a[tag], b[tag]
        if x.VR == "SQ" and y.VR == "SQ":
            pairs = zip(x.value, y.value, strict=True)
            return not any(_differing_tags(*items) for items in pairs)
        if not isinstance(x.value, bytes) and x.value == y.value:
            return True
        return _encode(x, a) == _encode(y, b)
    except _BADLY_WRITTEN:
        return bool(a.get_item(tag).value == b.get_item(tag).value)


def _encode(element: DataElement, dataset: Dataset) -> bytes:
    """Return a value in Implicit VR Little Endian, without padding to an even length."""
    if isinstance(element.value, bytes):
        content = element.value
        size = WORD_BYTES.get(element.VR)
        if size and not dataset.original_encoding[1]:
            content = np.frombuffer(content, f"u{size}").byteswap().tobytes()
    else:
        buffer = DicomBytesIO()
        buffer.is_implicit_VR = buffer.is_little_endian = True
        write_data_element(buffer, element, _character_sets(dataset))
        content = buffer.getvalue()[_IMPLICIT_HEAD:]
    return content[:-1] if content[-1:] in (b" ", b"\0") else content


def _character_sets(dataset: Dataset) -> list[str]:
    found = dataset.original_character_set
    return [found] if isinstance(found, str) else list(found)


def _name(tag: BaseTag) -> str:
    return keyword_for_tag(tag) or str(tag)


def _format_names(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more
