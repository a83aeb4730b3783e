"""Checks of derived objects: the table of docs/dicom-conformance.md, and dicom3tools."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian

from rgan_sdk.dicom.write.derivation import Derivation
from support.requirements import require_tool

UNCHANGED = [
    "SpecificCharacterSet",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "ReferringPhysicianName",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
    "SliceLocation",
    "InstanceNumber",
    "AcquisitionNumber",
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionDateTime",
    "Modality",
    "KVP",
    "BodyPartExamined",
    "PatientPosition",
    "InstitutionName",
    "ConvolutionKernel",
    "RescaleSlope",
    "RescaleIntercept",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "WindowCenter",
    "WindowWidth",
    "LossyImageCompressionRatio",
    "BurnedInAnnotation",
    "ReferencedImageSequence",
    "RequestAttributesSequence",
    "TimezoneOffsetFromUTC",
]
LOSSY = {
    "1.2.840.10008.1.2.4.50": "ISO_10918_1",
    "1.2.840.10008.1.2.4.51": "ISO_10918_1",
    "1.2.840.10008.1.2.4.81": "ISO_14495_1",
}
ABSENT = [
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "SmallestPixelValueInSeries",
    "LargestPixelValueInSeries",
    "IconImageSequence",
    "DigitalSignaturesSequence",
    "MACParametersSequence",
    "ReferencedPerformedProcedureStepSequence",
    "PerformedProcedureStepID",
    "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime",
    "DeviceSerialNumber",
    "StationName",
    "DataSetTrailingPadding",
    "ExtendedOffsetTable",
]
EQUIPMENT = [
    "Manufacturer",
    "ManufacturerModelName",
    "SoftwareVersions",
    "DeviceSerialNumber",
    "StationName",
    "InstitutionName",
    "DeviceUID",
]


def violations(source_path: Path, derived_path: Path, derivation: Derivation) -> list[str]:
    """Return what is wrong with a derived object by the project's own table."""
    source, derived = dcmread(source_path, force=True), dcmread(derived_path)
    checks = (
        _file(derived_path, derived),
        _identity(source, derived, derivation),
        _kept(source, derived),
        _loss(source, derived),
        _provenance(source, derived, derivation),
        _equipment(source, derived),
        _pixels(source, derived),
        _dates(derived),
    )
    return [violation for check in checks for violation in check]


def _file(path: Path, derived: Dataset) -> Iterator[str]:
    meta = derived.file_meta
    if path.read_bytes()[:128] != b"\0" * 128:
        yield "the preamble is not zero"
    if meta.TransferSyntaxUID != ExplicitVRLittleEndian:
        yield "the transfer syntax is not Explicit VR Little Endian"
    if not meta.ImplementationClassUID.startswith("2.25."):
        yield "the ImplementationClassUID is not ours"
    if not meta.ImplementationVersionName.startswith("RGAN_SDK_"):
        yield "the ImplementationVersionName is not ours"
    if (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID) != (
        derived.SOPClassUID,
        derived.SOPInstanceUID,
    ):
        yield "file meta and data set are of different instances"
    if set(meta.keys()) - {0x00020000 + e for e in (0, 1, 2, 3, 0x10, 0x12, 0x13)}:
        yield "the file meta information tells more than it must"


def _identity(source: Dataset, derived: Dataset, derivation: Derivation) -> Iterator[str]:
    if derived.SOPClassUID != "1.2.840.10008.5.1.4.1.1.2":
        yield "SOPClassUID is not CT Image Storage"
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        value = derived[keyword].value
        if value == source[keyword].value or not value.startswith("2.25.") or len(value) > 64:
            yield f"{keyword} {value} is not a new one of ours"
    number = int(source.get("SeriesNumber") or 0)
    number = min(9000 + number, 2**31 - 1)
    if derived.SeriesNumber != number:
        yield f"SeriesNumber {derived.SeriesNumber} is not {number}"
    description = str(source.get("SeriesDescription") or "")
    identity = derivation.engine == "identity"
    ending = "RGAN>IDENTITY" if identity else f"RGAN>{derivation.target_kernel}".replace("\\", "/")
    text = derived.SeriesDescription
    start = text.removesuffix(ending).strip()
    if not text.endswith(ending) or len(text) > 64 or not description.startswith(start):
        yield f"SeriesDescription {text!r}"
    if len(text) < 64 and start != description.strip():
        yield f"SeriesDescription {text!r} has lost text of the source"


def _kept(source: Dataset, derived: Dataset) -> Iterator[str]:
    for keyword in UNCHANGED:
        if source.get(keyword) != derived.get(keyword):
            yield f"{keyword} has changed"
        if (keyword in source) != (keyword in derived):
            yield f"{keyword} was invented or lost"
    for keyword in ABSENT:
        if keyword in derived:
            yield f"{keyword} was not removed"
    if any(element.tag.is_private for element in derived.iterall()):
        yield "there are private elements"


def _loss(source: Dataset, derived: Dataset) -> Iterator[str]:
    stated = source.get("LossyImageCompression")
    method = source.get("LossyImageCompressionMethod")
    if stated != "01" and source.file_meta.TransferSyntaxUID in LOSSY:
        stated, method = "01", method or LOSSY[source.file_meta.TransferSyntaxUID]
    if derived.get("LossyImageCompression") != stated:
        yield "LossyImageCompression"
    if derived.get("LossyImageCompressionMethod") != method:
        yield "LossyImageCompressionMethod"


def _provenance(source: Dataset, derived: Dataset, derivation: Derivation) -> Iterator[str]:
    if list(derived.ImageType) != ["DERIVED", "SECONDARY", *_stripped(source.ImageType)[2:]]:
        yield f"ImageType {derived.ImageType}"
    text = derived.DerivationDescription
    configuration = hashlib.sha256(derivation.configuration.encode()).hexdigest()
    identity = derivation.engine == "identity"
    if identity != text.startswith("Copied unchanged (identity engine), no harmonization"):
        yield "DerivationDescription does not tell a harmonization from a copy"
    harmonization = f"to {derivation.target_kernel} by engine {derivation.engine}"
    for part in (
        "" if identity else harmonization,
        derivation.software,
        derivation.model_name,
        derivation.model_version,
        derivation.model_sha256,
        configuration,
    ):
        if part not in text:
            yield f"DerivationDescription lacks {part}"
    if len(text) > 1024:
        yield "DerivationDescription is too long"
    earlier = list(source.get("DerivationCodeSequence") or ())
    codes = list(derived.DerivationCodeSequence)
    own = ("IDENTITY" if identity else "HARMONIZED", "99RGAN")
    if codes[:-1] != earlier or (codes[-1].CodeValue, codes[-1].CodingSchemeDesignator) != own:
        yield "DerivationCodeSequence"
    if len(derived.SourceImageSequence) != 1:
        yield "SourceImageSequence must have one item"
    item = derived.SourceImageSequence[0]
    if item.ReferencedSOPInstanceUID != source.SOPInstanceUID:
        yield "SourceImageSequence names another source"
    if item.ReferencedSOPClassUID != "1.2.840.10008.5.1.4.1.1.2":
        yield "SourceImageSequence names another class"
    purpose = item.PurposeOfReferenceCodeSequence[0]
    if (purpose.CodeValue, purpose.CodingSchemeDesignator) != ("121322", "DCM"):
        yield "the purpose of SourceImageSequence is not 121322 DCM"
    if item.SpatialLocationsPreserved != "YES":
        yield "SpatialLocationsPreserved is not YES"
    if derived.ContentQualification != "RESEARCH":
        yield "ContentQualification is not RESEARCH"


def _equipment(source: Dataset, derived: Dataset) -> Iterator[str]:
    if "RGAN" not in derived.Manufacturer or derived.ManufacturerModelName != "rgan-sdk":
        yield "the Equipment Module does not name this application"
    if not derived.get("SoftwareVersions") or not derived.get("DeviceUID", "").startswith("2.25."):
        yield "SoftwareVersions or DeviceUID is not ours"
    earlier = list(source.get("ContributingEquipmentSequence") or ())
    items = list(derived.get("ContributingEquipmentSequence") or ())
    if not source.get("Manufacturer"):
        if items != earlier:
            yield "ContributingEquipmentSequence names an unknown scanner"
        return
    if len(items) != len(earlier) + 1:
        yield "ContributingEquipmentSequence must grow by one item"
        return
    was_derived = _stripped(source.ImageType)[0] == "DERIVED"
    if items[-1].PurposeOfReferenceCodeSequence[0].CodeValue != (
        "109102" if was_derived else "109101"
    ):
        yield "the purpose of ContributingEquipmentSequence is wrong"
    for keyword in EQUIPMENT:
        if items[-1].get(keyword) != source.get(keyword):
            yield f"ContributingEquipmentSequence: {keyword} is not the scanner's"


def _pixels(source: Dataset, derived: Dataset) -> Iterator[str]:
    if derived.get("RescaleType") != "HU":
        yield "RescaleType is not HU"
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        if (keyword in source) != (keyword in derived):
            yield f"{keyword} was invented or lost"
        elif source.get(keyword, 0) & 0xFFFF != derived.get(keyword, 0) & 0xFFFF:
            yield f"{keyword} has changed"
        if keyword in derived and ("US", "SS")[derived.PixelRepresentation] != derived[keyword].VR:
            yield f"{keyword} has the VR {derived[keyword].VR}"
    length = derived.Rows * derived.Columns * derived.BitsAllocated // 8
    if len(derived.PixelData) != length + length % 2:
        yield "PixelData has another length than its attributes say"


def _dates(derived: Dataset) -> Iterator[str]:
    for name in ("Date", "Time"):
        stamps = {derived[part + name].value for part in ("InstanceCreation", "Content", "Series")}
        if len(stamps) != 1:
            yield f"more than one {name.lower()} for one run"


def _stripped(image_type: Iterable[str]) -> list[str]:
    return [str(value).strip() for value in image_type]


def dciodvfy_errors(path: Path) -> set[str]:
    """Return what dciodvfy calls an error in one file. Its exit code is not to be trusted."""
    return _errors("dciodvfy", "-new", str(path))


def dcentvfy_errors(paths: Iterable[Path]) -> set[str]:
    """Return what dcentvfy finds contradictory between files."""
    return _errors("dcentvfy", *map(str, paths))


def _errors(tool: str, *arguments: str) -> set[str]:
    command = [require_tool(tool), *arguments]
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return {line for line in (run.stdout + run.stderr).splitlines() if line.startswith("Error")}
