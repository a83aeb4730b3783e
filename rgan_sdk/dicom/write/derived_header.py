"""The header of a derived CT object: a copy of the source's, with what must differ.

``docs/dicom-conformance.md`` lists every attribute that is set, kept or removed.
"""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from rgan_sdk import __version__
from rgan_sdk.dicom import uids, values
from rgan_sdk.dicom.header import convolution_kernel
from rgan_sdk.dicom.read import pixels
from rgan_sdk.dicom.read.pixels import PixelFormat
from rgan_sdk.dicom.write.attributes import OUTDATED
from rgan_sdk.dicom.write.derivation import Derivation, derived_series_uid, derived_sop_uid
from rgan_sdk.dicom.write.explicit import make_explicit
from rgan_sdk.dicom.write.overlays import remove_embedded_overlays
from rgan_sdk.dicom.write.provenance import add_derivation_code, set_equipment, source_reference
from rgan_sdk.dicom.write.unreadable import remove_unreadable
from rgan_sdk.errors import InvalidSeriesError, RganError

SERIES_NUMBER_OFFSET: Final = 9000
MAX_INTEGER_STRING: Final = 2**31 - 1

_KATAKANA: Final = "shift_jis"
"""Python's name of ISO_IR 13, as pydicom has it."""
_UTC_OFFSET: Final = re.compile(r"[+-](0\d|1[0-4])[0-5]\d")


def derived_header(source: Dataset, derivation: Derivation) -> Dataset:
    """Return the data set of a derived object without its pixel data.

    Parameters
    ----------
    source
        The data set of the source slice. It is not changed.

    Raises
    ------
    InvalidSeriesError
        If the source's header cannot be carried over.
    """
    with translate_header_errors():
        dataset = copy_header(source, derivation.software, derivation.timestamp)
        _describe(dataset, source, derivation)
        target = derivation.target_kernel if derivation.harmonizes else "IDENTITY"
        set_identity(
            dataset,
            series_uid=derived_series_uid(values.uid(source, "SeriesInstanceUID"), derivation),
            sop_uid=derived_sop_uid(values.uid(source, "SOPInstanceUID"), derivation),
            suffix=f"RGAN>{target}",
        )
        return dataset


@contextmanager
def translate_header_errors() -> Iterator[None]:
    """Turn any error that a source's header causes in pydicom into InvalidSeriesError."""
    try:
        yield
    except RganError:
        raise
    except Exception as error:
        # The error's own message is left out: it may quote patient data.
        reason = f"the header cannot be carried over ({type(error).__name__})"
        raise InvalidSeriesError(reason) from error


def copy_header(source: Dataset, software: str, timestamp: datetime) -> Dataset:
    """Return the header that all objects derived from ``source`` have in common.

    Parameters
    ----------
    source
        The data set of the source slice. It is not changed.
    software
        Name and version of what derives the object.
    timestamp
        When the object is made, with a time zone.
    """
    dataset = copy.deepcopy(source)
    remove_unreadable(dataset)
    if source.original_encoding != (False, True):
        make_explicit(dataset)
    remove_private_elements(dataset)
    remove_embedded_overlays(dataset)
    for keyword in OUTDATED:
        if keyword in dataset:
            delattr(dataset, keyword)
    dataset.SOPClassUID = CTImageStorage
    dataset.ImageType = ["DERIVED", "SECONDARY", *values.texts(source, "ImageType")[2:]]
    dataset.SourceImageSequence = [source_reference(source)]
    set_equipment(dataset, source, software)
    _set_times(dataset, timestamp)
    dataset.RescaleType = "HU"
    dataset.ContentQualification = "RESEARCH"
    _set_padding(dataset)
    _state_loss(dataset)
    return dataset


def remove_private_elements(dataset: Dataset) -> None:
    """Remove private elements at all levels, and groups below 0008 (PS3.5 7.1).

    Unlike ``Dataset.remove_private_tags`` it parses only what may be a sequence. All other
    values stay as the source encodes them.
    """
    for tag in list(dataset.keys()):
        if tag.is_private or tag.group < 0x0008:
            del dataset[tag]
        elif dataset.get_item(tag).VR in ("SQ", "UN", None) and dataset[tag].VR == "SQ":
            for item in dataset[tag].value:
                remove_private_elements(item)


def _describe(dataset: Dataset, source: Dataset, derivation: Derivation) -> None:
    configuration = hashlib.sha256(derivation.configuration.encode()).hexdigest()
    kernel = convolution_kernel(source)[:64] or "unknown"
    change = (
        f"Harmonized from convolution kernel {kernel} to {derivation.target_kernel[:64]}"
        f" by engine {derivation.engine[:64]}"
    )
    code, meaning = uids.HARMONIZED_CODE, uids.HARMONIZED_MEANING
    if not derivation.harmonizes:
        change = "Copied unchanged (identity engine), no harmonization"
        code, meaning = uids.IDENTITY_CODE, uids.IDENTITY_MEANING
    outside = ", ".join(derivation.outside)
    remark = f" Outside the model's stated domain: {outside}." if outside else ""
    dataset.DerivationDescription = (
        f"{change}: {derivation.software[:64]}, model {derivation.model_name[:128]}"
        f" {derivation.model_version[:64]}, model sha256 {derivation.model_sha256},"
        f" configuration sha256 {configuration}.{remark} Research use."
    )
    add_derivation_code(dataset, code, meaning)


def set_identity(dataset: Dataset, *, series_uid: str, sop_uid: str, suffix: str) -> None:
    """Make the data set an object of another series, and set its file meta information.

    Parameters
    ----------
    suffix
        What is appended to SeriesDescription: its first 32 characters, and ``/`` for a backslash,
        which would separate two values there.
    """
    suffix = suffix.replace("\\", "/")[:32]
    dataset.SOPInstanceUID = sop_uid
    dataset.SeriesInstanceUID = series_uid
    text = values.text(dataset, "SeriesDescription")[: 63 - len(suffix)]
    _set_description(dataset, f"{text} {suffix}".strip())
    number = SERIES_NUMBER_OFFSET + int(values.optional_number(dataset, "SeriesNumber") or 0)
    dataset.SeriesNumber = max(-MAX_INTEGER_STRING, min(number, MAX_INTEGER_STRING))
    set_file_meta(dataset)


def _set_description(dataset: Dataset, text: str) -> None:
    """Set SeriesDescription, whose text may have katakana beside ASCII (``make_explicit``)."""
    dataset.SeriesDescription = text
    if dataset.original_character_set == [_KATAKANA]:
        tag = dataset["SeriesDescription"].tag
        value = text.encode(_KATAKANA, errors="replace")
        value += b" " * (len(value) % 2)
        dataset[tag] = RawDataElement(tag, "LO", len(value), value, 0, False, True)


def _set_times(dataset: Dataset, timestamp: datetime) -> None:
    """Set the dates of instance, content and series. Study and acquisition keep theirs."""
    offset = values.text(dataset, "TimezoneOffsetFromUTC")
    timestamp = timestamp.astimezone(_zone(offset) if _UTC_OFFSET.fullmatch(offset) else UTC)
    for name in ("InstanceCreation", "Content", "Series"):
        setattr(dataset, f"{name}Date", f"{timestamp:%Y%m%d}")
        setattr(dataset, f"{name}Time", f"{timestamp:%H%M%S.%f}")


def _zone(offset: str) -> timezone:
    """Return the time zone of TimezoneOffsetFromUTC, ``&ZZXX`` (PS3.3 C.12.1.1.8)."""
    minutes = int(offset[-4:-2]) * 60 + int(offset[-2:])
    return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))


def _set_padding(dataset: Dataset) -> None:
    """Give padding the VR that the pixel cells demand. Some scanners write the other one."""
    if not values.values(dataset, "PixelPaddingValue"):
        return  # a limit alone means nothing
    pixel_format = PixelFormat.from_dataset(dataset)
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        if values.values(dataset, keyword):
            value = pixels.padding_value(dataset, keyword, pixel_format)
            tag = dataset[keyword].tag
            dataset.add_new(tag, "SS" if pixel_format.signed else "US", value)


def _state_loss(dataset: Dataset) -> None:
    """State a loss that only the source's transfer syntax tells (PS3.3 C.7.6.1.1.5)."""
    if method := pixels.unstated_loss(dataset):
        dataset.LossyImageCompression = "01"
        if not values.values(dataset, "LossyImageCompressionMethod"):
            dataset.LossyImageCompressionMethod = method


def set_file_meta(dataset: Dataset) -> None:
    """Set the file meta information of a file that this project writes (PS3.10 7.1)."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.ImplementationClassUID = UID(uids.IMPLEMENTATION_CLASS_UID)
    dataset.file_meta.ImplementationVersionName = f"RGAN_SDK_{__version__}"[:16]
