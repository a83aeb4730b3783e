"""The header of one file: whether it is a CT slice to harmonize, and where that slice lies."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from pydicom import Dataset
from pydicom.filereader import read_partial
from pydicom.tag import Tag
from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    MediaStorageDirectoryStorage,
)

from rgan_sdk.dicom import reconstruction, values
from rgan_sdk.dicom.discovery import Repeats, inflate, open_dicom, open_raw
from rgan_sdk.dicom.read import origin, pixels
from rgan_sdk.dicom.read.pixels import PixelFormat, Rescale
from rgan_sdk.dicom.stamp import Stamp
from rgan_sdk.errors import DicomError, IneligibleError, InvalidSeriesError, UnreadableFileError
from rgan_sdk.kernels import kernel_name

ORTHONORMAL_TOLERANCE: Final = 1e-2

_KEYWORDS: Final[list[str]] = [
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "PatientID",
    "Modality",
    "ImageType",
    "Manufacturer",
    "ConvolutionKernel",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
]
_WANTED: Final = [*map(Tag, _KEYWORDS), *map(Tag, reconstruction.TAGS), *map(Tag, origin.TAGS)]
NOT_SLICES: Final = {
    "LOCALIZER": "localizer",
    "SCREEN SAVE": "screen save",
    "DOSE_INFO": "dose report",
}
_PIXEL_DATA: Final = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_PIXEL_DATA_TAGS: Final = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")

Vector = tuple[float, ...]


@dataclass(frozen=True)
class SliceHeader:
    """The header of a CT slice. As far as the header shows, the slice can be harmonized.

    Attributes
    ----------
    stamp
        Of the file before its header was read.
    patient
        Pseudonym: 12 hexadecimal digits of the SHA-256 of PatientID, or of StudyInstanceUID where
        PatientID is empty.
    convolution_kernel
        All values of ConvolutionKernel, as ``kernel_name`` spells them; None where absent.
    pixel_spacing
        mm between rows, mm between columns.
    slice_thickness
        mm, None where absent or badly written.
    orientation
        ImageOrientationPatient: direction cosines of row and column.
    origin
        ImagePositionPatient: x, y, z of the centre of the first pixel, mm.
    reconstruction
        What the header says of iterative or learned reconstruction (``reconstruction.describe``).
    rescale_type
        ``HU``, ``US`` (unspecified), or empty where absent.
    image_type
        All values of ImageType, in upper case.
    dataset
        The slice itself where it is in memory: then ``path`` is only what messages call it.
    """

    path: Path
    stamp: Stamp
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    frame_of_reference_uid: str
    patient: str
    manufacturer: str
    convolution_kernel: str | None
    rows: int
    columns: int
    pixel_spacing: Vector
    slice_thickness: float | None
    orientation: Vector
    origin: Vector
    reconstruction: str | None = None
    rescale_type: str = ""
    image_type: tuple[str, ...] = ()
    dataset: Dataset | None = field(default=None, repr=False, compare=False)


class Outline(NamedTuple):
    """What a header says of the shape of its image; None where it says nothing usable."""

    rows: int
    columns: int
    pixel_spacing: Vector | None
    orientation: Vector | None
    image_type: tuple[str, ...]


class NoRescaleError(InvalidSeriesError):
    """An image has neither RescaleSlope nor RescaleIntercept, as scouts have none."""

    def __init__(self, outline: Outline) -> None:
        super().__init__("RescaleSlope and RescaleIntercept are missing")
        self.outline = outline


def read_header(path: Path, *, include_own: bool = False) -> SliceHeader:
    """Read the header of one CT slice.

    Parameters
    ----------
    include_own
        Whether the slice may be one that this project made.

    Raises
    ------
    IneligibleError
        If the file holds nothing to harmonize.
    UnreadableFileError
        If the file is truncated or malformed, or cannot be decoded here.
    InvalidSeriesError
        If the slice lacks what is needed to process it, or contradicts itself.
    """
    with open_raw(path) as raw:
        stamp = Stamp.from_stat(os.fstat(raw.fileno()))
        file = inflate(raw)
        repeats = Repeats(file, lambda tag: tag in _PIXEL_DATA)
        dataset = read_partial(file, stop_when=repeats, force=True, specific_tags=[*_WANTED])
        require_eligible(dataset, include_own=include_own)
        repeats.refuse()
        _require_pixel_data(dataset, file)
        return make_header(dataset, path, stamp)


def read_series_uid(path: Path) -> str | None:
    """Return the SeriesInstanceUID of a file whose other attributes cannot be read, or None."""
    try:
        with open_dicom(path) as file:
            dataset = read_partial(
                file,
                stop_when=lambda tag, vr, length: tag > 0x0020000E,
                force=True,
                specific_tags=[0x0020000E],
            )
            return values.uid(dataset, "SeriesInstanceUID")
    except DicomError:
        return None


def require_eligible(dataset: Dataset, *, include_own: bool = False) -> None:
    """Raise an error unless the data set is one original CT slice.

    With ``include_own`` it may also be one that this project made.

    Raises
    ------
    IneligibleError
        If it is something else.
    UnreadableFileError
        If SOPClassUID is missing.
    """
    sop_class = dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID")
    if not sop_class:
        raise UnreadableFileError("SOPClassUID is missing: what the file holds is unknown")
    if sop_class == MediaStorageDirectoryStorage:
        raise IneligibleError("DICOMDIR")
    if sop_class in (EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage):
        raise IneligibleError("Enhanced CT is not supported yet; convert it to CT Image Storage")
    if sop_class != CTImageStorage:
        uid = UID(str(sop_class))
        known = uid.is_valid and uid.name != str(uid)
        raise IneligibleError(f"{uid.name if known else 'unknown SOP class'}, not CT")
    modality = values.text(dataset, "Modality").upper()
    if modality and modality != "CT":
        raise IneligibleError(f"Modality {values.redact(modality)}, not CT")
    for term in values.texts(dataset, "ImageType")[2:]:
        if term in NOT_SLICES:
            raise IneligibleError(NOT_SLICES[term])
    if not include_own and (reason := origin.own_object(dataset)):
        raise IneligibleError(reason)
    photometric = values.text(dataset, "PhotometricInterpretation")
    if photometric and not photometric.startswith("MONOCHROME"):
        raise IneligibleError(f"PhotometricInterpretation {values.redact(photometric)}, not HU")


def _require_pixel_data(dataset: Dataset, file: BinaryIO) -> None:
    """Check the length of the pixel data. ``file`` stands where pydicom stopped, before them."""
    implicit, little = dataset.original_encoding
    head = file.read(8 if implicit else 12)
    if head[:4] not in _PIXEL_DATA_TAGS:
        raise UnreadableFileError("PixelData is missing: the file may be truncated")
    syntax = pixels.transfer_syntax(dataset)
    pixel_format = PixelFormat.from_dataset(dataset)
    pixels.require_decoder(syntax, pixel_format)
    if syntax.is_compressed:
        return
    declared = int.from_bytes(head[-4:], "little" if little else "big")
    start = file.tell()
    left = file.seek(0, os.SEEK_END) - start
    require_length(min(declared, left), pixel_format)
    if declared > left:
        raise UnreadableFileError(f"truncated: PixelData of {declared} bytes, {left} are left")


def require_length(held: int, pixel_format: PixelFormat) -> None:
    """Raise UnreadableFileError unless uncompressed pixel data have the bytes of one image.

    Less than a row may follow, as some writers fill up. More is of another image than the header's.
    """
    needed = pixel_format.nbytes
    if held < needed:
        raise UnreadableFileError(f"truncated: PixelData holds {held} of {needed} bytes")
    if held - needed - needed % 2 >= needed // pixel_format.rows:
        raise UnreadableFileError(
            f"PixelData holds {held} bytes, and Rows x Columns {pixel_format.rows} x "
            f"{pixel_format.columns} take {needed}; export the file again"
        )


def convolution_kernel(dataset: Dataset) -> str:
    """Return all values of ConvolutionKernel, as ``kernel_name`` spells them."""
    return kernel_name("\\".join(values.texts(dataset, "ConvolutionKernel")))


def make_header(dataset: Dataset, path: Path, stamp: Stamp) -> SliceHeader:
    """Return the header of a data set for which ``require_eligible`` has nothing to say.

    Raises
    ------
    InvalidSeriesError
        As ``read_header`` does.
    """
    pixel_format = PixelFormat.from_dataset(dataset)
    if not any(values.values(dataset, name) for name in ("RescaleSlope", "RescaleIntercept")):
        raise NoRescaleError(_outline(dataset, pixel_format))
    Rescale.from_dataset(dataset)
    pixels.padding_range(dataset, pixel_format)
    spacing = values.numbers(dataset, "PixelSpacing", 2)
    if min(spacing) <= 0:
        raise InvalidSeriesError(f"PixelSpacing {spacing} must be above 0")
    study = values.uid(dataset, "StudyInstanceUID")
    patient = values.text(dataset, "PatientID") or study
    return SliceHeader(
        path=path,
        stamp=stamp,
        sop_instance_uid=values.uid(dataset, "SOPInstanceUID"),
        series_instance_uid=values.uid(dataset, "SeriesInstanceUID"),
        study_instance_uid=study,
        frame_of_reference_uid=values.text(dataset, "FrameOfReferenceUID"),
        patient=pseudonym(patient),
        manufacturer=values.text(dataset, "Manufacturer"),
        convolution_kernel=convolution_kernel(dataset) or None,
        rows=pixel_format.rows,
        columns=pixel_format.columns,
        pixel_spacing=spacing,
        slice_thickness=values.optional_number(dataset, "SliceThickness"),
        orientation=_orientation(dataset),
        origin=values.numbers(dataset, "ImagePositionPatient", 3),
        reconstruction=reconstruction.describe_dataset(dataset),
        rescale_type=pixels.rescale_type(dataset),
        image_type=_image_type(dataset),
    )


def _outline(dataset: Dataset, pixel_format: PixelFormat) -> Outline:
    return Outline(
        pixel_format.rows,
        pixel_format.columns,
        values.optional_numbers(dataset, "PixelSpacing", 2),
        values.optional_numbers(dataset, "ImageOrientationPatient", 6),
        _image_type(dataset),
    )


def _image_type(dataset: Dataset) -> tuple[str, ...]:
    return tuple(value.upper() for value in values.texts(dataset, "ImageType"))


def _orientation(dataset: Dataset) -> Vector:
    cosines = values.numbers(dataset, "ImageOrientationPatient", 6)
    if not are_orthonormal(cosines):
        raise InvalidSeriesError(
            f"ImageOrientationPatient {cosines} is not two orthogonal unit vectors"
        )
    return cosines


def are_orthonormal(cosines: Vector) -> bool:
    """Return whether row and column direction are orthogonal unit vectors (PS3.3 C.7.6.2.1.1).

    Parameters
    ----------
    cosines
        ImageOrientationPatient: ``(xr, yr, zr, xc, yc, zc)``.
    """
    ax, ay, az, bx, by, bz = cosines
    return (
        abs(ax * ax + ay * ay + az * az - 1) <= ORTHONORMAL_TOLERANCE
        and abs(bx * bx + by * by + bz * bz - 1) <= ORTHONORMAL_TOLERANCE
        and abs(ax * bx + ay * by + az * bz) <= ORTHONORMAL_TOLERANCE
    )


def pseudonym(patient: str) -> str:
    """Return a pseudonym: the first 12 hexadecimal digits of the SHA-256 of ``patient``."""
    return hashlib.sha256(patient.encode(errors="replace")).hexdigest()[:12]
