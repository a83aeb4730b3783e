"""CT data sets made for tests: small, valid unless asked otherwise, with a canary for a patient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSNearLossless,
)

CANARY = "CANARY"
ROOT = "1.2.826.0.1.3680043.10.1"


def uid(*parts: int) -> str:
    """Return a UID that ends in ``parts``."""
    return ".".join([ROOT, *map(str, parts)])


def stored_values(
    *, signed: bool = False, bits_allocated: int = 16, bits_stored: int = 12, size: int = 16
) -> NDArray[Any]:
    """Return ``[size, size]`` random stored values, the extremes of the format among them."""
    low = -(1 << (bits_stored - 1)) if signed else 0
    high = low + (1 << bits_stored) - 1
    dtype = f"{'i' if signed else 'u'}{bits_allocated // 8}"
    stored = np.random.default_rng(0).integers(low, high + 1, (size, size)).astype(dtype)
    stored[0, :4] = low, high, low + 1, high - 1
    return stored


def ct_dataset(
    stored: NDArray[Any] | None = None, *, bits_stored: int | None = None, **attributes: Any
) -> Dataset:
    """Return a valid CT slice; ``attributes`` replace or, being None, remove some of its own."""
    if stored is None:
        stored = stored_values()
        bits_stored = 12
    bits = stored.itemsize * 8
    dataset = Dataset()
    values: dict[str, Any] = {
        "SpecificCharacterSet": "ISO_IR 100",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": uid(1, 1, 1),
        "StudyInstanceUID": uid(1),
        "SeriesInstanceUID": uid(1, 1),
        "FrameOfReferenceUID": uid(2),
        "StudyDate": "20200102",
        "StudyTime": "030405",
        "AcquisitionDate": "20200102",
        "AcquisitionTime": "030406",
        "AccessionNumber": "",
        "Modality": "CT",
        "Manufacturer": "Scanner Works",
        "ManufacturerModelName": "Model 1",
        "ReferringPhysicianName": "",
        "SeriesDescription": "Chest",
        "PatientName": f"{CANARY}^PATIENT",
        "PatientID": f"{CANARY}4711",
        "PatientBirthDate": "",
        "PatientSex": "O",
        "PatientPosition": "HFS",
        "BodyPartExamined": "CHEST",
        "PositionReferenceIndicator": "",
        "KVP": 120,
        "SliceThickness": 2,
        "ConvolutionKernel": "B40f",
        "StudyID": "1",
        "SeriesNumber": 3,
        "AcquisitionNumber": 1,
        "InstanceNumber": 1,
        "ImagePositionPatient": [-10, -20, 30],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": stored.shape[0],
        "Columns": stored.shape[1],
        "PixelSpacing": [0.7, 0.7],
        "BitsAllocated": bits,
        "BitsStored": bits_stored or bits,
        "HighBit": (bits_stored or bits) - 1,
        "PixelRepresentation": int(stored.dtype.kind == "i"),
        "RescaleIntercept": -1024,
        "RescaleSlope": 1,
        "PixelData": stored,
        **attributes,
    }
    for keyword, value in values.items():
        if value is not None and keyword != "PixelData":
            setattr(dataset, keyword, value)
    if isinstance(values["PixelData"], np.ndarray):
        _set_pixels(dataset, values["PixelData"])
    elif values["PixelData"] is not None:
        dataset.add_new(0x7FE00010, "OW", values["PixelData"])
    return dataset


def _set_pixels(dataset: Dataset, stored: NDArray[Any], order: str = "<") -> None:
    content = stored.astype(stored.dtype.newbyteorder(order)).tobytes()
    vr = "OB" if stored.itemsize == 1 else "OW"
    dataset.add_new(0x7FE00010, vr, content + b"\0" * (len(content) % 2))


def _compress(dataset: Dataset, syntax: UID) -> None:
    """Compress in a syntax that pydicom has no encoder for."""
    bits = dataset.BitsAllocated
    stored = np.frombuffer(dataset.PixelData, f"<u{bits // 8}")
    image = stored[: dataset.Rows * dataset.Columns].reshape(dataset.Rows, dataset.Columns)
    # Two's complement: these codecs are given all bits that are stored, without a sign.
    image = image & ((1 << dataset.BitsStored) - 1)
    frame = _IMAGECODECS_ENCODERS[syntax](image.astype(stored.dtype), dataset.BitsStored)
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True


def _lossless_jpeg(image: NDArray[Any], bits: int) -> bytes:
    import imagecodecs

    frame: bytes = imagecodecs.jpeg8_encode(image, lossless=True, predictor=1, bitspersample=bits)
    return frame


def _lossy_jpeg(image: NDArray[Any], bits: int) -> bytes:
    import imagecodecs

    frame: bytes = imagecodecs.jpeg8_encode(image, level=98, bitspersample=bits)
    return frame


def _near_lossless_jpeg_ls(image: NDArray[Any], bits: int) -> bytes:
    import imagecodecs

    frame: bytes = imagecodecs.jpegls_encode(image, level=2)
    return frame


def _htj2k(image: NDArray[Any], bits: int) -> bytes:
    import imagecodecs

    frame: bytes = imagecodecs.htj2k_encode(image, reversible=True)
    return frame


_IMAGECODECS_ENCODERS = {
    JPEGBaseline8Bit: _lossy_jpeg,
    JPEGExtended12Bit: _lossy_jpeg,
    JPEGLosslessSV1: _lossless_jpeg,
    JPEGLSNearLossless: _near_lossless_jpeg_ls,
    HTJ2KLossless: _htj2k,
}


def save(path: Path, dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> Path:
    """Write a data set with little endian pixel data in any transfer syntax."""
    syntax = UID(syntax)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID") or CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID") or uid(9)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if syntax in _IMAGECODECS_ENCODERS:
        _compress(dataset, syntax)
    elif syntax.is_compressed and not syntax.is_deflated:
        if not get_encoder(syntax).is_available:
            pytest.skip(f"nothing encodes {syntax.name}; install the dependency group test")
        dataset.compress(syntax, generate_instance_uid=False)
    elif not syntax.is_little_endian and dataset.BitsAllocated == 16:
        _set_pixels(dataset, np.frombuffer(dataset.PixelData, "<u2"), ">")
    dataset.file_meta.TransferSyntaxUID = syntax
    dcmwrite(
        path,
        dataset,
        enforce_file_format=True,
        implicit_vr=syntax.is_implicit_VR,
        little_endian=syntax.is_little_endian,
    )
    return path


def write_ct(
    path: Path,
    stored: NDArray[Any] | None = None,
    *,
    syntax: str = ExplicitVRLittleEndian,
    bits_stored: int | None = None,
    **attributes: Any,
) -> Path:
    """Write one CT slice; see ``ct_dataset``."""
    return save(path, ct_dataset(stored, bits_stored=bits_stored, **attributes), syntax)


def write_series(
    folder: Path, slices: int = 3, *, series: int = 1, spacing: float = 2.0, **attributes: Any
) -> list[Path]:
    """Write a series along z, named against its order in space: 2 is below 1, 1 below 0."""
    paths = []
    for index in range(slices):
        own = {
            "SOPInstanceUID": uid(1, series, index + 1),
            "SeriesInstanceUID": uid(1, series),
            "ImagePositionPatient": [-10, -20, -spacing * index],
            "InstanceNumber": index + 1,
        }
        paths.append(write_ct(folder / f"{series}-{index}.dcm", **{**own, **attributes}))
    return paths
