"""The one way from a file to Hounsfield units."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from rgan_sdk import hu as rescaling
from rgan_sdk.dicom import pixels
from rgan_sdk.dicom.discovery import opened
from rgan_sdk.dicom.pixels import PixelFormat, Rescale
from rgan_sdk.errors import IneligibleError, InvalidSeriesError, UnreadableFileError

MAX_FILE_BYTES: Final = 1 << 29


@dataclass(frozen=True)
class SourceSlice:
    """One CT slice as it was found.

    Attributes
    ----------
    dataset
        Everything but the pixel data, with ``file_meta``. Not to be changed.
    stored
        ``[H, W]`` stored values, uint8, int8, uint16 or int16.
    hu
        ``[H, W]`` float32 Hounsfield units, padding included. MONOCHROME1 is not inverted:
        HU are HU.
    padding
        ``[H, W]`` true where the scanner wrote padding instead of image; None without
        PixelPaddingValue.
    """

    dataset: Dataset
    stored: NDArray[Any]
    hu: NDArray[np.float32]
    padding: NDArray[np.bool_] | None


def read_slice(path: Path) -> SourceSlice:
    """Read one CT slice.

    ``hu = float32(double(stored) * RescaleSlope + RescaleIntercept)``, PS3.3 C.11.1.1.2.

    Raises
    ------
    UnreadableFileError
        If the file is not DICOM, truncated, malformed, or not decodable here.
    InvalidSeriesError
        If there is no way from its stored values to HU.
    """
    try:
        return _read(path)
    except (UnreadableFileError, IneligibleError) as error:
        raise UnreadableFileError(f"{path.name}: {error}") from error
    except InvalidSeriesError as error:
        raise InvalidSeriesError(f"{path.name}: {error}") from error


def _read(path: Path) -> SourceSlice:
    with opened(path) as file:
        if file.seek(0, os.SEEK_END) > MAX_FILE_BYTES:
            raise UnreadableFileError(f"larger than {MAX_FILE_BYTES >> 20} MiB: no CT slice")
        file.seek(0)
        dataset = _plain(dcmread(file, force=True))
        pixel_format = PixelFormat.of(dataset)
        rescale = Rescale.of(dataset)
        stored = pixels.decode(dataset, pixel_format)
        padding = pixels.padding_mask(stored, pixels.padding_range(dataset, pixel_format))
        del dataset.PixelData
    hu = rescaling.stored_to_hu(stored, rescale.slope, rescale.intercept)
    return SourceSlice(dataset, stored, hu, padding)


def _plain(dataset: Dataset) -> Dataset:
    """Return the data set without the file that pydicom would keep alive with it."""
    plain = Dataset(dataset)
    plain.file_meta = dataset.file_meta
    implicit, little = dataset.original_encoding
    plain.set_original_encoding(implicit, little, dataset.original_character_set)
    return plain
