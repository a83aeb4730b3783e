"""A synthetic CT series, to try things on without a patient's data.

It looks like a thorax: body, lungs with vessels and nodules, heart, ribs, spine, table.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import CTImageStorage

from rgan_sdk import hu as rescaling
from rgan_sdk.dicom.derived import MANUFACTURER, set_file_meta
from rgan_sdk.dicom.uids import hashed_uid
from rgan_sdk.dicom.writer import encode, set_pixel_data, write_whole
from rgan_sdk.errors import ConfigurationError, OutputError

FIELD_OF_VIEW_MM: Final = 380.0
SLICE_DISTANCE_MM: Final = 5.0
NOISE_HU: Final = 18.0
INTERCEPT: Final = -1024.0

AIR, FOAM, LUNG, TABLE, FAT = -1000.0, -940.0, -850.0, -350.0, -100.0
MUSCLE, BLOOD, MARROW, BONE = 45.0, 60.0, 180.0, 550.0

Image = NDArray[np.float64]


class _Canvas:
    """A slice in HU; x in mm to the patient's left, y to the back, 0 in the middle."""

    def __init__(self, size: int, z: float) -> None:
        self.z = z
        self.hu: Image = np.full((size, size), AIR)
        self._pixel = FIELD_OF_VIEW_MM / size

    def ellipse(
        self,
        x: float,
        y: float,
        a: float,
        b: float,
        hu: float,
        turn: float = 0.0,
        within: NDArray[np.bool_] | None = None,
    ) -> None:
        """Fill an ellipse of half axes ``a`` and ``b``, turned by ``turn`` radians."""
        window = self._around(y, max(a, b)), self._around(x, max(a, b))
        v, u = self._centres(window[0], y)[:, np.newaxis], self._centres(window[1], x)
        cosine, sine = np.cos(turn), np.sin(turn)
        inside = ((u * cosine + v * sine) / a) ** 2 + ((v * cosine - u * sine) / b) ** 2 <= 1
        if within is not None:
            inside &= within[window]
        self.hu[window][inside] = hu

    def _around(self, centre: float, reach: float) -> slice:
        middle = len(self.hu) / 2
        first = int(middle + (centre - reach) / self._pixel)
        return slice(max(first, 0), max(int(middle + (centre + reach) / self._pixel) + 1, 0))

    def _centres(self, window: slice, origin: float) -> Image:
        index = np.arange(len(self.hu), dtype=np.float64)[window]
        return (index - (len(self.hu) - 1) / 2) * self._pixel - origin


def write_sample_series(
    folder: Path, convolution_kernel: str, *, slices: int = 12, size: int = 512, seed: int = 0
) -> list[Path]:
    """Write a synthetic CT series: the same bytes for the same arguments.

    Series that differ in nothing but the kernel are two series of one scan.

    Parameters
    ----------
    folder
        Made if it does not exist.
    convolution_kernel
        What ConvolutionKernel shall say. Its number sets the sharpness, as with Siemens'
        names: B70f is sharper than B40f.
    slices
        At 5 mm distance, within 380 mm field of view.
    size
        Rows and columns.

    Returns
    -------
    list of Path
        The files, ``slice-001.dcm`` and on, from feet to head.

    Raises
    ------
    ConfigurationError
        If there would be no slice, or ``size`` is below 32.
    OutputError
        If the files cannot be written.
    """
    if slices < 1 or size < 32:
        raise ConfigurationError("a sample series has at least 1 slice and a size of at least 32")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise OutputError(f"{folder} is not empty; choose an empty or a new folder")
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror}") from error
    random = np.random.default_rng(seed)
    nodules = random.uniform(-1, 1, (14, 3))
    identity = (convolution_kernel, str(slices), str(size), str(seed))
    paths = []
    for index in range(slices):
        dataset = _header(index, size, convolution_kernel, identity)
        z = (index - (slices - 1) / 2) * SLICE_DISTANCE_MM
        hu = _scan(_thorax(size, z, nodules), _cutoff(convolution_kernel), random)
        stored = np.empty(hu.shape, np.uint16)
        rescaling.hu_to_stored(hu, 1.0, INTERCEPT, 0, 4095, stored)
        set_pixel_data(dataset, stored)
        paths.append(folder / f"slice-{index + 1:03d}.dcm")
        write_whole(paths[-1], encode(dataset))
    return paths


def _thorax(size: int, z: float, nodules: Image) -> Image:
    """Return HU ``[size, size]`` before the scanner has blurred them."""
    canvas = _Canvas(size, z)
    canvas.ellipse(0, 150, 165, 20, TABLE)
    canvas.ellipse(0, 150, 162, 17, FOAM)
    canvas.ellipse(0, 5, 168, 118, FAT)
    canvas.ellipse(0, 5, 152, 104, MUSCLE)
    _ribs(canvas)
    for side in (-1, 1):
        canvas.ellipse(side * 76, -2, 57 + 0.12 * z, 82 - 0.1 * abs(z), LUNG)
    lung = canvas.hu == LUNG
    for side in (-1, 1):
        _vessels(canvas, lung, side)
    for x, y, depth in nodules:
        inside = (3 + 5 * abs(x * y)) ** 2 - (z - 25 * depth) ** 2
        if inside > 0:
            canvas.ellipse(np.sign(x) * (55 + 45 * abs(x)), 55 * y, inside**0.5, inside**0.5, 30)
    canvas.ellipse(12, -30, 50, 42, BLOOD, 0.5)  # heart
    canvas.ellipse(22, 50, 13, 13, BLOOD)  # descending aorta
    canvas.ellipse(0, 22, 8, 9, AIR)  # trachea
    _spine(canvas)
    return canvas.hu


def _ribs(canvas: _Canvas) -> None:
    for number in range(16):
        angle = 2 * np.pi * (number + 0.5) / 16 + canvas.z / 90
        x, y = 142 * np.cos(angle), 5 + 94 * np.sin(angle)
        turn = np.arctan2(94 * np.cos(angle), -142 * np.sin(angle))
        canvas.ellipse(x, y, 15, 5.5, BONE, turn)
        canvas.ellipse(x, y, 12, 3, MARROW, turn)


def _vessels(canvas: _Canvas, lung: NDArray[np.bool_], side: int) -> None:
    """Draw vessels that leave the hilum and get thinner towards the pleura."""
    for branch in range(9):
        direction = np.pi / 10 * (branch - 4) + canvas.z / 120
        for step in range(1, 16):
            bend = direction + 0.05 * step * np.sin(branch + canvas.z / 30)
            x, y = side * (30 + 5.2 * step * np.cos(bend)), 5.2 * step * np.sin(bend)
            radius = max(3.4 - 0.19 * step, 0.7)
            canvas.ellipse(x, y, radius * 2.4, radius, MUSCLE, side * bend, lung)


def _spine(canvas: _Canvas) -> None:
    canvas.ellipse(0, 68, 21, 17, BONE)
    canvas.ellipse(0, 68, 19, 15, MARROW + 100)
    canvas.ellipse(0, 99, 5, 14, BONE)  # spinous process
    canvas.ellipse(0, 90, 9, 8, 30)  # spinal canal


def _cutoff(convolution_kernel: str) -> float:
    """Return the frequency, in cycles per pixel, at which a kernel has fallen to 1/e."""
    number = re.search(r"[1-9]\d", convolution_kernel)
    return 0.007 * int(number[0]) if number else 0.28


def _scan(hu: Image, cutoff: float, random: np.random.Generator) -> NDArray[np.float32]:
    """Blur a slice and add noise as a reconstruction with a kernel does.

    Noise of filtered back projection has a power spectrum that rises with the frequency
    (the ramp filter) until the kernel cuts it off; the kernel blurs the image the same.
    """
    rows, columns = hu.shape
    frequency = np.hypot(np.fft.fftfreq(rows)[:, np.newaxis], np.fft.rfftfreq(columns))
    kernel = np.exp(-((frequency / cutoff) ** 2))
    white = np.fft.rfft2(random.standard_normal(hu.shape))
    noise = np.fft.irfft2(white * np.sqrt(frequency) * kernel, s=hu.shape)
    image = np.fft.irfft2(np.fft.rfft2(hu) * kernel, s=hu.shape)
    # Less noise where hardly anything attenuates.
    strength = NOISE_HU * np.clip((image + 1400) / 1400, 0.3, 1.0)
    return np.asarray(image + strength * noise / noise.std(), np.float32)


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
    """Return what is the same in every slice and no number."""
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
    dataset.SeriesDescription = f"Synthetic thorax {convolution_kernel}"[:64]
    dataset.PositionReferenceIndicator = ""
    dataset.ConvolutionKernel = convolution_kernel
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
