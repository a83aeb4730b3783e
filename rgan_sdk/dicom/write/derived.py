"""The header of a derived CT object: the source's meaning, and where the object comes from.

``docs/dicom-conformance.md`` lists every attribute that is set, kept or removed.
"""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from rgan_sdk import __version__
from rgan_sdk.dicom import uids, values
from rgan_sdk.dicom.read import pixels
from rgan_sdk.dicom.read.pixels import PixelFormat
from rgan_sdk.errors import ConfigurationError, InvalidSeriesError, RganError

MANUFACTURER: Final = "RGAN SDK project"
MODEL_NAME: Final = "rgan-sdk"
SERIES_NUMBER_OFFSET: Final = 9000
MAX_INTEGER_STRING: Final = 2**31 - 1

_MOVED_TO_EQUIPMENT: Final = (
    "DeviceSerialNumber",
    "StationName",
    "GantryID",
    "UDISequence",
    "DateOfLastCalibration",
    "TimeOfLastCalibration",
    "SpatialResolution",
)
_COPIED_TO_EQUIPMENT: Final = (
    "Manufacturer",
    "ManufacturerModelName",
    "SoftwareVersions",
    "DeviceUID",
    "InstitutionName",
    "InstitutionAddress",
    "InstitutionalDepartmentName",
)
# What describes the source's pixel data, its file, or the step that made it.
_REMOVED: Final = (
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "SmallestPixelValueInSeries",
    "LargestPixelValueInSeries",
    "SmallestImagePixelValueInPlane",
    "LargestImagePixelValueInPlane",
    "IconImageSequence",
    "DigitalSignaturesSequence",
    "MACParametersSequence",
    "InstanceCreatorUID",
    "ReferencedPerformedProcedureStepSequence",
    "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime",
    "PerformedProcedureStepEndDate",
    "PerformedProcedureStepEndTime",
    "PerformedProcedureStepID",
    "PerformedProcedureStepDescription",
    "PerformedProtocolCodeSequence",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "DataSetTrailingPadding",
)
READ_FROM_SOURCE: Final = (
    *_COPIED_TO_EQUIPMENT,
    *_MOVED_TO_EQUIPMENT,
    "SpecificCharacterSet",
    "ImageType",
    "SOPClassUID",
    "TimezoneOffsetFromUTC",
    "SeriesDescription",
    "ConvolutionKernel",
    "ContributingEquipmentSequence",
    "SeriesInstanceUID",
    "SeriesNumber",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "RescaleType",
    "DerivationCodeSequence",
)
"""What the elements that a derived header changes depend on, beside the slice's own UID."""

WRITTEN: Final = (
    "ImageType",
    "InstanceCreationDate",
    "InstanceCreationTime",
    "SOPClassUID",
    "SeriesDate",
    "ContentDate",
    "SeriesTime",
    "ContentTime",
    "Manufacturer",
    "SeriesDescription",
    "ManufacturerModelName",
    "DerivationDescription",
    "DerivationCodeSequence",
    "DeviceUID",
    "SoftwareVersions",
    "ContributingEquipmentSequence",
    "ContentQualification",
    "SeriesInstanceUID",
    "SeriesNumber",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "RescaleType",
)
"""What a derived header has of its own, beside its SOPInstanceUID and SourceImageSequence."""

REMOVED: Final = (*_REMOVED, *_MOVED_TO_EQUIPMENT)
"""What no derived header has."""

_OFFSET: Final = re.compile(r"[+-](0\d|1[0-4])[0-5]\d")


@dataclass(frozen=True)
class Derivation:
    """How a series is harmonized: with the source, all that its derived objects depend on.

    Attributes
    ----------
    configuration
        Canonical text of every choice that changes pixels or header.
    engine
        Name of the engine. The objects of ``identity`` claim no harmonization.
    software
        Name and version, for example ``rgan-sdk 0.1.0``.
    timestamp
        When the run began, with its time zone. A resumed run must give the same one.
    group
        ``Series.group``.

    Raises
    ------
    ConfigurationError
        If ``timestamp`` has no time zone.
    """

    target_kernel: str
    model_name: str
    model_version: str
    model_sha256: str
    configuration: str
    engine: str
    software: str
    timestamp: datetime
    group: int = 0

    def __post_init__(self) -> None:
        if self.timestamp.tzinfo is None:
            raise ConfigurationError("the timestamp of a derivation needs a time zone")

    @property
    def harmonizes(self) -> bool:
        """Whether the pixels are more than a copy of the source's."""
        return self.engine != "identity"


def derived_series_uid(series_instance_uid: str, derivation: Derivation) -> str:
    """Return the SeriesInstanceUID of the harmonized series."""
    return _derived_uid("series", series_instance_uid, derivation)


def derived_sop_uid(sop_instance_uid: str, derivation: Derivation) -> str:
    """Return the SOPInstanceUID of the harmonized slice."""
    return _derived_uid("instance", sop_instance_uid, derivation)


def _derived_uid(kind: str, source_uid: str, derivation: Derivation) -> str:
    return uids.hashed_uid(
        kind,
        source_uid,
        str(derivation.group),
        derivation.model_sha256,
        derivation.configuration,
        derivation.software,
        derivation.timestamp.astimezone(UTC).isoformat(),
    )


def derived_header(source: Dataset, derivation: Derivation) -> Dataset:
    """Return the data set of a derived object, all but its pixel data.

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
            suffix=f"RGAN>{target}"[:32],
        )
        return dataset


@contextmanager
def translate_header_errors() -> Iterator[None]:
    """Turn whatever a source's header makes pydicom raise into InvalidSeriesError."""
    try:
        yield
    except RganError:
        raise
    except Exception as error:
        # Not the message of the error: it may quote patient data.
        reason = f"the header cannot be carried over ({type(error).__name__})"
        raise InvalidSeriesError(reason) from error


def copy_header(source: Dataset, software: str, timestamp: datetime) -> Dataset:
    """Return what every object derived from ``source`` has, whatever was done to it."""
    dataset = copy.deepcopy(source)
    remove_private_elements(dataset)
    for keyword in _REMOVED:
        if keyword in dataset:
            delattr(dataset, keyword)
    dataset.SOPClassUID = CTImageStorage
    dataset.ImageType = ["DERIVED", "SECONDARY", *values.texts(source, "ImageType")[2:]]
    dataset.SourceImageSequence = [source_reference(source)]
    _set_equipment(dataset, source, software)
    _set_times(dataset, timestamp)
    dataset.RescaleType = "HU"
    dataset.ContentQualification = "RESEARCH"
    _set_padding(dataset)
    return dataset


def remove_private_elements(dataset: Dataset) -> None:
    """Remove private elements at all levels, and what is no part of a data set (PS3.5 7.1)."""
    for tag in list(dataset.keys()):
        if tag.is_private or tag.group < 0x0008:
            del dataset[tag]
        # Only what may be a sequence is parsed: other values stay as the source wrote them.
        elif dataset.get_item(tag).VR in ("SQ", "UN", None) and dataset[tag].VR == "SQ":
            for item in dataset[tag].value:
                remove_private_elements(item)


def _describe(dataset: Dataset, source: Dataset, derivation: Derivation) -> None:
    configuration = hashlib.sha256(derivation.configuration.encode()).hexdigest()
    kernel = values.text(source, "ConvolutionKernel")[:64] or "unknown"
    change = (
        f"Harmonized from convolution kernel {kernel} to {derivation.target_kernel[:64]}"
        f" by engine {derivation.engine[:64]}"
    )
    code, meaning = uids.HARMONIZED_CODE, uids.HARMONIZED_MEANING
    if not derivation.harmonizes:
        change = "Copied unchanged (identity engine), no harmonization"
        code, meaning = uids.IDENTITY_CODE, uids.IDENTITY_MEANING
    dataset.DerivationDescription = (
        f"{change}: {derivation.software[:64]}, model {derivation.model_name[:128]}"
        f" {derivation.model_version[:64]}, model sha256 {derivation.model_sha256},"
        f" configuration sha256 {configuration}. Research use."
    )
    add_derivation_code(dataset, code, meaning)


def add_derivation_code(dataset: Dataset, code: str, meaning: str) -> None:
    """Add a code of this project to what was done to the image before."""
    dataset.DerivationCodeSequence = [
        *(dataset.get("DerivationCodeSequence") or ()),
        uids.code_item(code, uids.CODING_SCHEME, meaning),
    ]


def source_reference(source: Dataset) -> Dataset:
    """Return the item of SourceImageSequence that names the source (PS3.3 C.7.6.1)."""
    reference = Dataset()
    reference.ReferencedSOPClassUID = CTImageStorage
    reference.ReferencedSOPInstanceUID = values.uid(source, "SOPInstanceUID")
    reference.SpatialLocationsPreserved = "YES"
    reference.PurposeOfReferenceCodeSequence = [
        uids.code_item("121322", "DCM", "Source image for image processing operation")
    ]
    return reference


def _set_equipment(dataset: Dataset, source: Dataset, software: str) -> None:
    if values.text(source, "Manufacturer"):
        made_by = Dataset()
        for keyword in (*_COPIED_TO_EQUIPMENT, *_MOVED_TO_EQUIPMENT):
            if keyword in dataset:
                made_by[keyword] = copy.deepcopy(dataset[keyword])
        was_derived = values.text(source, "ImageType").upper() == "DERIVED"
        made_by.PurposeOfReferenceCodeSequence = [
            uids.code_item("109102", "DCM", "Processing Equipment")
            if was_derived
            else uids.code_item("109101", "DCM", "Acquisition Equipment")
        ]
        earlier = dataset.get("ContributingEquipmentSequence") or ()
        dataset.ContributingEquipmentSequence = [*earlier, made_by]
    for keyword in _MOVED_TO_EQUIPMENT:
        if keyword in dataset:
            delattr(dataset, keyword)
    dataset.Manufacturer = MANUFACTURER
    dataset.ManufacturerModelName = MODEL_NAME
    dataset.SoftwareVersions = software[:64]
    dataset.DeviceUID = uids.hashed_uid("device", software)


def set_identity(dataset: Dataset, *, series_uid: str, sop_uid: str, suffix: str) -> None:
    """Make the data set an object of a new series, and set its file meta information.

    Parameters
    ----------
    suffix
        Ends SeriesDescription; at most 32 characters.
    """
    dataset.SOPInstanceUID = sop_uid
    dataset.SeriesInstanceUID = series_uid
    text = values.text(dataset, "SeriesDescription")[: 63 - len(suffix)]
    dataset.SeriesDescription = f"{text} {suffix}".strip()
    number = values.integer(dataset, "SeriesNumber") if values.text(dataset, "SeriesNumber") else 0
    dataset.SeriesNumber = min(SERIES_NUMBER_OFFSET + number, MAX_INTEGER_STRING)
    set_file_meta(dataset)


def _set_times(dataset: Dataset, timestamp: datetime) -> None:
    """Date what is new: the instance, its content and its series; acquisition stays."""
    offset = values.text(dataset, "TimezoneOffsetFromUTC")
    timestamp = timestamp.astimezone(_zone(offset) if _OFFSET.fullmatch(offset) else UTC)
    for name in ("InstanceCreation", "Content", "Series"):
        setattr(dataset, f"{name}Date", f"{timestamp:%Y%m%d}")
        setattr(dataset, f"{name}Time", f"{timestamp:%H%M%S.%f}")


def _zone(offset: str) -> timezone:
    """Return the time zone of TimezoneOffsetFromUTC, ``&ZZXX`` (PS3.3 C.12.1.1.8)."""
    minutes = int(offset[-4:-2]) * 60 + int(offset[-2:])
    return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))


def _set_padding(dataset: Dataset) -> None:
    """Give padding the VR that belongs to the pixel cells; some scanners write the other."""
    pixel_format = PixelFormat.from_dataset(dataset)
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        if dataset.get(keyword) is not None:
            value = pixels.padding_value(dataset, keyword, pixel_format)
            tag = dataset[keyword].tag
            dataset.add_new(tag, "SS" if pixel_format.signed else "US", value)


def set_file_meta(dataset: Dataset) -> None:
    """Set the file meta information of a file that this project writes (PS3.10 7.1)."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.ImplementationClassUID = UID(uids.IMPLEMENTATION_CLASS_UID)
    dataset.file_meta.ImplementationVersionName = f"RGAN_SDK_{__version__}"[:16]
