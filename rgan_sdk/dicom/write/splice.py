"""Derived headers for a whole series, from one header that pydicom derives.

pydicom derives the header of the first slice. Its elements in ``WRITTEN`` are encoded once, and the
native writer splices these bytes into the header of every slice. All other elements are copied
byte by byte from the slice itself.

That is right only for slices that agree with the first one in ``READ_FROM_SOURCE``, in the rescale,
and in what cannot be read in the first one. The native writer checks this, and hands back any slice
that differs; pydicom writes it.
"""

from __future__ import annotations

import copy
import os
import struct
from pathlib import Path
from typing import Final

from pydicom import DataElement, Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from rgan_sdk import _core
from rgan_sdk.dicom.read.pixels import PixelFormat
from rgan_sdk.dicom.write.attributes import READ_FROM_SOURCE, REMOVED, WRITTEN
from rgan_sdk.dicom.write.clamping import StorableRange
from rgan_sdk.dicom.write.derivation import Derivation, derived_sop_uid
from rgan_sdk.dicom.write.derived_header import (
    derived_header,
    remove_private_elements,
    translate_header_errors,
)
from rgan_sdk.dicom.write.provenance import source_reference
from rgan_sdk.dicom.write.unreadable import remove_unreadable

WriteJob = tuple[bytes, bytes, list[tuple[int, bytes]]]

_RESCALE: Final = ("RescaleSlope", "RescaleIntercept")
_SOP_INSTANCE_UID: Final = 0x00080018
_SOURCE_IMAGE_SEQUENCE: Final = 0x00082112
_REFERENCED_SOP_INSTANCE_UID: Final = 0x00081155
_MEDIA_STORAGE_SOP_INSTANCE_UID: Final = 0x00020003


class SplicedSeries:
    """The derived headers of one series.

    Parameters
    ----------
    first
        The data set of one slice, without pixel data.
    native
        The same slice as the native reader read it.

    Raises
    ------
    InvalidSeriesError
        If the header of that slice cannot be carried over.

    Attributes
    ----------
    template
        For ``_core.write_batch``.
    pixel_bytes
        Of each uncompressed slice.
    storable
        The HU that each slice written with ``template`` can store.
    """

    def __init__(self, first: Dataset, native: _core.SourceSlice, derivation: Derivation) -> None:
        self._derivation = derivation
        self.pixel_bytes = PixelFormat.from_dataset(first).nbytes
        self.storable = StorableRange.of(first)
        derived = derived_header(first, derivation)
        with translate_header_errors():
            readable = copy.deepcopy(first)
            unreadable = [int(tag) for tag in remove_unreadable(readable)]
            written = [derived.get_item(keyword) for keyword in WRITTEN if keyword in derived]
            character_set = derived.get("SpecificCharacterSet") or "iso8859"
            elements = [(int(e.tag), _encode(e, character_set=character_set)) for e in written]
            self.template = _core.HeaderTemplate(
                native,
                elements=sorted(elements),
                removed=[*map(_tag, REMOVED), *unreadable],
                dependencies=list({*map(_tag, READ_FROM_SOURCE + _RESCALE), *unreadable}),
                representations=_value_representations(readable),
            )
            self._file_meta = _FileMeta(derived)
            self._reference = _Reference(source_reference(first))

    def job(self, sop_instance_uid: str, folder: Path, name: str | None = None) -> WriteJob:
        """Return what belongs to one slice only: path, file meta information and elements.

        Parameters
        ----------
        name
            Of the file; None names it by its SOPInstanceUID.
        """
        uid = derived_sop_uid(sop_instance_uid, self._derivation)
        own = [
            (_SOP_INSTANCE_UID, _encode_uid(_SOP_INSTANCE_UID, uid)),
            (_SOURCE_IMAGE_SEQUENCE, self._reference.encode(sop_instance_uid)),
        ]
        path = b"%s/%s" % (os.fsencode(folder), (name or f"{uid}.dcm").encode())
        return path, self._file_meta.encode(uid), own


def _value_representations(dataset: Dataset) -> list[tuple[int, str]]:
    """Return the VR of each tag of a source that is encoded in implicit VR, at any level.

    Private tags are left out, and so are tags with different VRs in different places.

    Parameters
    ----------
    dataset
        A copy, to be changed.
    """
    if not dataset.original_encoding[0]:
        return []
    remove_private_elements(dataset)
    found: dict[int, set[str]] = {}
    for element in dataset.iterall():
        found.setdefault(int(element.tag), set()).add(str(element.VR))
    return [(tag, names.pop()) for tag, names in found.items() if len(names) == 1]


class _FileMeta:
    """The beginning of a derived file (PS3.10 7.1); only the SOPInstanceUID is missing."""

    def __init__(self, derived: Dataset) -> None:
        before, after = Dataset(), Dataset()
        for element in derived.file_meta:
            if element.tag != _MEDIA_STORAGE_SOP_INSTANCE_UID and element.tag.element != 0:
                part = before if element.tag < _MEDIA_STORAGE_SOP_INSTANCE_UID else after
                part[element.tag] = element
        before.FileMetaInformationVersion = b"\0\1"
        self._before, self._after = _encode(*before), _encode(*after)

    def encode(self, uid: str) -> bytes:
        own = _encode_uid(_MEDIA_STORAGE_SOP_INSTANCE_UID, uid)
        body = b"".join((self._before, own, self._after))
        length = struct.pack("<HH2sHI", 0x0002, 0x0000, b"UL", 4, len(body))
        return b"".join((bytes(128), b"DICM", length, body))


class _Reference:
    """SourceImageSequence with one item; only the UID of the slice is missing."""

    def __init__(self, item: Dataset) -> None:
        elements = list(item)
        uid = _REFERENCED_SOP_INSTANCE_UID
        self._before = _encode(*(e for e in elements if e.tag < uid))
        self._after = _encode(*(e for e in elements if e.tag > uid))

    def encode(self, uid: str) -> bytes:
        own = _encode_uid(_REFERENCED_SOP_INSTANCE_UID, uid)
        item = b"".join((self._before, own, self._after))
        length = len(item)
        group, element = divmod(_SOURCE_IMAGE_SEQUENCE, 0x10000)
        head = struct.pack("<HH2sHI", group, element, b"SQ", 0, length + 8)
        return b"".join((head, struct.pack("<HHI", 0xFFFE, 0xE000, length), item))


def _encode(
    *elements: DataElement | RawDataElement, character_set: str | list[str] = "iso8859"
) -> bytes:
    """Encode elements in Explicit VR Little Endian."""
    dataset = Dataset(parent_encoding=character_set)
    dataset.set_original_encoding(False, True, character_set)  # so that texts keep their bytes
    for element in elements:
        dataset[element.tag] = element
    file = DicomBytesIO()
    file.is_little_endian, file.is_implicit_VR = True, False
    write_dataset(file, dataset, character_set)
    return file.getvalue()


def _encode_uid(tag: int, uid: str) -> bytes:
    """Encode an element that holds one UID."""
    value = uid.encode("ascii")
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, b"UI", len(value)) + value


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    return tag
