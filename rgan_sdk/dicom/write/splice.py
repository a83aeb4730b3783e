"""Derived headers without parsing each slice: what changes is decided once for a series.

pydicom derives the header of the first slice. What that has of its own (``WRITTEN``) goes, encoded,
into the headers of all slices; the rest are the bytes of each. The native writer does that, and
hands back a slice whose header differs in anything that ``WRITTEN`` depends on
(``READ_FROM_SOURCE``).
"""

from __future__ import annotations

import copy
import os
import struct
from pathlib import Path
from typing import Final

from pydicom import DataElement, Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from rgan_sdk import _core
from rgan_sdk.dicom.write.derived import (
    READ_FROM_SOURCE,
    REMOVED,
    WRITTEN,
    Derivation,
    derived_header,
    derived_sop_uid,
    drop_private,
    header_errors,
    source_reference,
)

WriteJob = tuple[bytes, bytes, list[tuple[int, bytes]]]

_SOP_INSTANCE_UID: Final = 0x00080018
_SOURCE_IMAGE_SEQUENCE: Final = 0x00082112
_REFERENCED_SOP_INSTANCE_UID: Final = 0x00081155
_MEDIA_STORAGE_SOP_INSTANCE_UID: Final = 0x00020003


class SplicedSeries:
    """The derived headers of one series.

    Parameters
    ----------
    first, native
        The same slice: its data set without pixel data, and as it was read natively.

    Raises
    ------
    InvalidSeriesError
        If its header cannot be carried over.

    Attributes
    ----------
    template
        For ``_core.write_batch``.
    """

    def __init__(self, first: Dataset, native: _core.SourceSlice, derivation: Derivation) -> None:
        self._derivation = derivation
        derived = derived_header(first, derivation)
        with header_errors():
            written = [derived[keyword] for keyword in WRITTEN if keyword in derived]
            character_set = derived.get("SpecificCharacterSet") or "iso8859"
            elements = [(int(e.tag), _encode(e, character_set=character_set)) for e in written]
            self.template = _core.HeaderTemplate(
                native,
                elements=sorted(elements),
                removed=[_tag(keyword) for keyword in REMOVED],
                dependencies=[_tag(keyword) for keyword in READ_FROM_SOURCE],
                representations=_representations(first),
            )
            self._file_meta = _FileMeta(derived)
            self._reference = _Reference(source_reference(first))

    def job(self, sop_instance_uid: str, folder: Path) -> WriteJob:
        """Return what is of one slice alone: path, file meta information, elements."""
        uid = derived_sop_uid(sop_instance_uid, self._derivation)
        own = [
            (_SOP_INSTANCE_UID, _uid(_SOP_INSTANCE_UID, uid)),
            (_SOURCE_IMAGE_SEQUENCE, self._reference.encode(sop_instance_uid)),
        ]
        return b"%s/%s.dcm" % (os.fsencode(folder), uid.encode()), self._file_meta.encode(uid), own


def _representations(dataset: Dataset) -> list[tuple[int, str]]:
    """Return the VR of each tag of a source in implicit VR, at any level.

    A tag that has not the same one everywhere is left out, and so are private ones.
    """
    if not dataset.original_encoding[0]:
        return []
    plain = copy.deepcopy(dataset)
    drop_private(plain)
    found: dict[int, set[str]] = {}
    for element in plain.iterall():
        found.setdefault(int(element.tag), set()).add(str(element.VR))
    return [(tag, names.pop()) for tag, names in found.items() if len(names) == 1]


class _FileMeta:
    """The beginning of a derived file, all but its SOPInstanceUID."""

    def __init__(self, derived: Dataset) -> None:
        before, after = Dataset(), Dataset()
        for element in derived.file_meta:
            if element.tag != _MEDIA_STORAGE_SOP_INSTANCE_UID and element.tag.element != 0:
                part = before if element.tag < _MEDIA_STORAGE_SOP_INSTANCE_UID else after
                part[element.tag] = element
        before.FileMetaInformationVersion = b"\0\1"
        self._before, self._after = _encode(*before), _encode(*after)

    def encode(self, uid: str) -> bytes:
        own = _uid(_MEDIA_STORAGE_SOP_INSTANCE_UID, uid)
        body = b"".join((self._before, own, self._after))
        length = struct.pack("<HH2sHI", 0x0002, 0x0000, b"UL", 4, len(body))
        return b"".join((bytes(128), b"DICM", length, body))


class _Reference:
    """SourceImageSequence, all but the UID of the slice in its one item."""

    def __init__(self, item: Dataset) -> None:
        elements = list(item)
        uid = _REFERENCED_SOP_INSTANCE_UID
        self._before = _encode(*(e for e in elements if e.tag < uid))
        self._after = _encode(*(e for e in elements if e.tag > uid))

    def encode(self, uid: str) -> bytes:
        own = _uid(_REFERENCED_SOP_INSTANCE_UID, uid)
        item = b"".join((self._before, own, self._after))
        length = len(item)
        group, element = divmod(_SOURCE_IMAGE_SEQUENCE, 0x10000)
        head = struct.pack("<HH2sHI", group, element, b"SQ", 0, length + 8)
        return b"".join((head, struct.pack("<HHI", 0xFFFE, 0xE000, length), item))


def _encode(*elements: DataElement, character_set: str | list[str] = "iso8859") -> bytes:
    """Return elements in Explicit VR Little Endian."""
    dataset = Dataset()
    for element in elements:
        dataset[element.tag] = element
    file = DicomBytesIO()
    file.is_little_endian, file.is_implicit_VR = True, False
    write_dataset(file, dataset, character_set)
    return file.getvalue()


def _uid(tag: int, uid: str) -> bytes:
    """Return an element that holds one UID."""
    value = uid.encode("ascii")
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, b"UI", len(value)) + value


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    return tag
