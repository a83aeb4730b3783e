"""A synthetic CT series of a thorax, for trials without patient data."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from pydicom import Dataset
from pydicom.uid import CTImageStorage

from rgan_sdk import hu as rescaling
from rgan_sdk.card import ModelCard
from rgan_sdk.dicom.uids import hashed_uid
from rgan_sdk.dicom.write.derived_header import set_file_meta
from rgan_sdk.dicom.write.writer import encode, set_pixel_data, write_file
from rgan_sdk.errors import ConfigurationError, OutputError
from rgan_sdk.phantom import (
    FIELD_OF_VIEW_MM,
    NOISE_HU,
    SLICE_DISTANCE_MM,
    synthetic_slices,
)

INTERCEPT: Final = -1024.0
SIZE: Final = 512
PIXEL_SPACING_MM: Final = round(FIELD_OF_VIEW_MM / SIZE, 6)
SLICE_THICKNESS_MM: Final = 8.0


def write_sample_for(card: ModelCard, folder: Path, *, slices: int = 12) -> list[Path]:
    """Write a synthetic CT series that a model takes.

    It has the card's first source kernel, the reference pixel spacing where ``PIXEL_SPACING_MM``
    is outside the card's range, the slice thickness of the training data that is nearest to
    ``SLICE_THICKNESS_MM``, and noise from the lower half of the card's range. The rest is as in
    ``write_sample_series``.
    """
    noise = card.noise_hu
    spacing, stated = PIXEL_SPACING_MM, card.pixel_spacing
    if stated is not None and spacing not in stated:
        spacing = round(stated.reference, 10)  # fits a decimal string
    thicknesses = card.thickness_seen or (SLICE_THICKNESS_MM,)
    return write_sample_series(
        folder,
        card.source_kernels[0],
        slices=slices,
        pixel_spacing=spacing,
        slice_thickness=min(thicknesses, key=lambda each: abs(each - SLICE_THICKNESS_MM)),
        noise_hu=(3 * noise.min + noise.max) / 4 if noise else NOISE_HU,
    )


def write_sample_series(
    folder: Path,
    convolution_kernel: str,
    *,
    slices: int = 12,
    size: int = SIZE,
    seed: int = 0,
    pixel_spacing: float = PIXEL_SPACING_MM,
    slice_thickness: float = SLICE_THICKNESS_MM,
    noise_hu: float = NOISE_HU,
) -> list[Path]:
    """Write a synthetic CT series. The same arguments give the same bytes.

    No scanner made it, so it states no Manufacturer.

    Two series that differ only in the kernel count as two reconstructions of one scan.

    Parameters
    ----------
    folder
        Must be empty or absent; it is created where needed.
    convolution_kernel
        ConvolutionKernel (0018,1210); a backslash separates its values. Its number sets the
        sharpness, as in the names that Siemens uses: B70f is sharper than B40f.
    slices
        How many slices, 5 mm apart.
    size
        Rows and columns of each slice. The thorax is always as wide as the slice.
    seed
        Of the noise and of the lung nodules.
    pixel_spacing
        PixelSpacing in mm. With 512 pixels, the default gives a field of view of 380 mm.
    slice_thickness
        SliceThickness in mm. It changes no pixel.
    noise_hu
        Standard deviation of the noise in soft tissue, about.

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
    identity = tuple(
        map(str, (convolution_kernel, slices, size, seed, pixel_spacing, slice_thickness, noise_hu))
    )
    paths = []
    scan = synthetic_slices(convolution_kernel, slices, size=size, seed=seed, noise_hu=noise_hu)
    for index, hu in enumerate(scan):
        dataset = _header(index, convolution_kernel, identity)
        _set_geometry(dataset, index, size, pixel_spacing)
        dataset.SliceThickness = slice_thickness
        _set_pixel_format(dataset, size)
        stored = np.empty(hu.shape, np.uint16)
        rescaling.hu_to_stored(hu, 1.0, INTERCEPT, 0, 4095, stored)
        set_pixel_data(dataset, stored)
        paths.append(folder / f"slice-{index + 1:03d}.dcm")
        write_file(paths[-1], encode(dataset))
    return paths


def _header(index: int, convolution_kernel: str, identity: tuple[str, ...]) -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = hashed_uid("sample instance", *identity, str(index))
    dataset.StudyInstanceUID = hashed_uid("sample study", *identity[1:])
    dataset.SeriesInstanceUID = hashed_uid("sample series", *identity)
    dataset.FrameOfReferenceUID = hashed_uid("sample frame of reference", *identity[1:])
    dataset.update(_text(convolution_kernel))
    set_file_meta(dataset)
    return dataset


def _text(convolution_kernel: str) -> Dataset:
    """Return the attributes that all slices share and that are no numbers."""
    dataset = Dataset()
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.Modality = "CT"
    dataset.Manufacturer = ""
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


def _set_geometry(dataset: Dataset, index: int, size: int, spacing: float) -> None:
    corner = round(-spacing * (size - 1) / 2, 6)
    z = index * SLICE_DISTANCE_MM
    dataset.SeriesNumber = 1
    dataset.AcquisitionNumber = 1
    dataset.InstanceNumber = index + 1
    dataset.ImagePositionPatient = [corner, corner, z]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.SliceLocation = z
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
