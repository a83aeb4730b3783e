"""A synthetic CT series of a thorax, for trials without patient data."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from pydicom import Dataset
from pydicom.uid import CTImageStorage

from rgan_sdk import hu as rescaling
from rgan_sdk.dicom.uids import hashed_uid
from rgan_sdk.dicom.write.derived_header import set_file_meta
from rgan_sdk.dicom.write.provenance import MANUFACTURER
from rgan_sdk.dicom.write.writer import encode, set_pixel_data, write_file
from rgan_sdk.errors import ConfigurationError, OutputError
from rgan_sdk.phantom import FIELD_OF_VIEW_MM, SLICE_DISTANCE_MM, synthetic_slices

INTERCEPT: Final = -1024.0


def write_sample_series(
    folder: Path, convolution_kernel: str, *, slices: int = 12, size: int = 512, seed: int = 0
) -> list[Path]:
    """Write a synthetic CT series. The same arguments give the same bytes.

    Two series that differ only in the kernel count as two reconstructions of one scan.

    Parameters
    ----------
    folder
        Must be empty or absent; it is created where needed.
    convolution_kernel
        ConvolutionKernel (0018,1210); a backslash separates its values. Its number sets the
        sharpness, as in the names that Siemens uses: B70f is sharper than B40f.
    slices
        How many slices, 5 mm apart. The field of view is 380 mm.
    size
        Rows and columns of each slice.
    seed
        Of the noise and of the lung nodules.

    Returns
    -------
    list of Path
        The files ``slice-001.dcm``, ``slice-002.dcm``, ... from feet to head.

    Raises
    ------
    ConfigurationError
        If ``slices`` is below 1 or ``size`` below 32.
    OutputError
        If ``folder`` is not empty, or the files cannot be written.
    """
    if slices < 1 or size < 32:
        raise ConfigurationError("a sample series has at least 1 slice and a size of at least 32")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise OutputError(f"{folder} is not empty; choose an empty or a new folder")
    except OSError as error:
        raise OutputError(f"{folder} cannot be created: {error.strerror}") from error
    identity = (convolution_kernel, str(slices), str(size), str(seed))
    paths = []
    for index, hu in enumerate(synthetic_slices(convolution_kernel, slices, size=size, seed=seed)):
        dataset = _header(index, size, convolution_kernel, identity)
        stored = np.empty(hu.shape, np.uint16)
        rescaling.hu_to_stored(hu, 1.0, INTERCEPT, 0, 4095, stored)
        set_pixel_data(dataset, stored)
        paths.append(folder / f"slice-{index + 1:03d}.dcm")
        write_file(paths[-1], encode(dataset))
    return paths


def _header(index: int, size: int, convolution_kernel: str, identity: tuple[str, ...]) -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = hashed_uid("sample instance", *identity, str(index))
    dataset.StudyInstanceUID = hashed_uid("sample study", *identity[1:])
    dataset.SeriesInstanceUID = hashed_uid("sample series", *identity)
    dataset.FrameOfReferenceUID = hashed_uid("sample frame of reference", *identity[1:])
    dataset.update(_text(convolution_kernel))
    _set_geometry(dataset, index, size)
    _set_pixel_format(dataset, size)
    set_file_meta(dataset)
    return dataset


def _text(convolution_kernel: str) -> Dataset:
    """Return the attributes that all slices share and that are no numbers."""
    dataset = Dataset()
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.Modality = "CT"
    dataset.Manufacturer = MANUFACTURER
    dataset.ManufacturerModelName = "Synthetic thorax"
    dataset.PatientName = "SYNTHETIC^THORAX"
    dataset.PatientID = "RGAN-SYNTHETIC"
    dataset.PatientBirthDate = ""
    dataset.PatientSex = "O"
    dataset.PatientPosition = "HFS"
    dataset.BodyPartExamined = "CHEST"
    dataset.ReferringPhysicianName = ""
    dataset.AccessionNumber = ""
    dataset.StudyID = "1"
    dataset.StudyDescription = "Synthetic CT, no patient"
    kernel_values = convolution_kernel.split("\\")
    dataset.SeriesDescription = f"Synthetic thorax {'/'.join(kernel_values)}"[:64]
    dataset.PositionReferenceIndicator = ""
    dataset.ConvolutionKernel = kernel_values
    for name in ("Study", "Series", "Acquisition", "Content"):
        setattr(dataset, f"{name}Date", "20240101")
        setattr(dataset, f"{name}Time", "120000")
    return dataset


def _set_geometry(dataset: Dataset, index: int, size: int) -> None:
    spacing = round(FIELD_OF_VIEW_MM / size, 6)
    corner = round(-spacing * (size - 1) / 2, 6)
    z = index * SLICE_DISTANCE_MM
    dataset.SeriesNumber = 1
    dataset.AcquisitionNumber = 1
    dataset.InstanceNumber = index + 1
    dataset.ImagePositionPatient = [corner, corner, z]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.SliceLocation = z
    dataset.SliceThickness = SLICE_DISTANCE_MM
    dataset.PixelSpacing = [spacing, spacing]
    dataset.KVP = 120
    dataset.GantryDetectorTilt = 0


def _set_pixel_format(dataset: Dataset, size: int) -> None:
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows = size
    dataset.Columns = size
    dataset.BitsAllocated = 16
    dataset.BitsStored = 12
    dataset.HighBit = 11
    dataset.PixelRepresentation = 0
    dataset.RescaleIntercept = INTERCEPT
    dataset.RescaleSlope = 1
    dataset.RescaleType = "HU"
    dataset.WindowCenter = 40
    dataset.WindowWidth = 400
