"""The one way from a file to Hounsfield units."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from rgan_sdk import hu as rescaling
from rgan_sdk.dicom.discovery import inflate, open_raw
from rgan_sdk.dicom.read import pixels
from rgan_sdk.dicom.read.pixels import PixelFormat, Rescale
from rgan_sdk.dicom.stamp import CHANGED, Stamp
from rgan_sdk.errors import IneligibleError, InvalidSeriesError, UnreadableFileError

MAX_FILE_BYTES: Final = 1 << 29


@dataclass(frozen=True)
class PydicomSlice:
    """One CT slice as it was found.

    Attributes
    ----------
    dataset
        Everything but the pixel data, with ``file_meta``. Not to be changed.
    stored
        ``[H, W]`` stored values, uint8, int8, uint16 or int16. Bits above BitsStored are
        dropped, or filled with the sign, except in padding that does not fit BitsStored.
    hu
        ``[H, W]`` float32 Hounsfield units, padding included. MONOCHROME1 is not inverted:
        HU are HU. Padding that does not fit BitsStored counts as the lowest stored value.
    padding
        ``[H, W]`` true where the scanner wrote padding instead of image; None without
        PixelPaddingValue.
    """

    dataset: Dataset
    stored: NDArray[Any]
    hu: NDArray[np.float32]
    padding: NDArray[np.bool_] | None


def read_slice(path: Path, stamp: Stamp | None = None) -> PydicomSlice:
    """Read one CT slice.

    ``hu = float32(double(stored) * RescaleSlope + RescaleIntercept)``, PS3.3 C.11.1.1.2.

    Parameters
    ----------
    stamp
        ``SliceFile.stamp``: what the file must still be; None takes it as it is.

    Raises
    ------
    UnreadableFileError
        If the file is not DICOM, truncated, malformed, or not decodable here.
    InvalidSeriesError
        If there is no way from its stored values to HU, or the file has changed.
    """
    with _named(path):
        return _read(path, stamp)


def read_dataset(path: Path, stamp: Stamp | None = None) -> Dataset:
    """Read all of one CT slice but its pixel data, as ``PydicomSlice.dataset`` has it.

    Raises
    ------
    UnreadableFileError, InvalidSeriesError
        As ``read_slice`` does, of anything but the pixels.
    """
    with _named(path), open_raw(path) as file:
        dataset = _parse(file, stamp)
        del dataset.PixelData
        return dataset


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Have an error say which file it is about."""
    try:
        yield
    except (UnreadableFileError, IneligibleError) as error:
        raise UnreadableFileError(f"{path.name}: {error}") from error
    except InvalidSeriesError as error:
        raise InvalidSeriesError(f"{path.name}: {error}") from error


def _parse(file: BinaryIO, stamp: Stamp | None) -> Dataset:
    content = io.BytesIO(_content(file, stamp))
    dataset = _plain(dcmread(inflate(content), force=True))
    if not dataset:  # pydicom drops what it has read when the file ends within an element
        raise UnreadableFileError("truncated, or without a data set")
    return dataset


def read_cells(path: Path, stamp: Stamp | None = None) -> NDArray[Any]:
    """Read the pixel cells of one CT slice, ``[H, W]``, with all bits as its codec gives them.

    Raises
    ------
    UnreadableFileError, InvalidSeriesError
        As ``read_slice`` does.
    """
    with _named(path), open_raw(path) as file:
        return _decode(_parse(file, stamp)).cells


class _Decoded(NamedTuple):
    cells: NDArray[Any]
    format: PixelFormat
    rescale: Rescale
    limits: tuple[int, int] | None


def _decode(dataset: Dataset) -> _Decoded:
    pixel_format = PixelFormat.from_dataset(dataset)
    rescale = Rescale.from_dataset(dataset)
    limits = pixels.padding_range(dataset, pixel_format)
    return _Decoded(pixels.decode(dataset, pixel_format), pixel_format, rescale, limits)


def _read(path: Path, stamp: Stamp | None) -> PydicomSlice:
    with open_raw(path) as file:
        dataset = _parse(file, stamp)
        cells, pixel_format, rescale, limits = _decode(dataset)
        del dataset.PixelData
    stored = pixels.stored_values(cells, pixel_format)
    if limits is None:
        hu = rescaling.stored_to_hu(stored, rescale.slope, rescale.intercept)
        return PydicomSlice(dataset, stored, hu, None)
    wide = pixels.padding_mask(cells, limits) & (cells != stored)
    padding = pixels.padding_mask(stored, limits) | wide
    stored[wide] = pixel_format.minimum
    hu = rescaling.stored_to_hu(stored, rescale.slope, rescale.intercept)
    stored[wide] = cells[wide]
    return PydicomSlice(dataset, stored, hu, padding)


def _content(file: BinaryIO, stamp: Stamp | None) -> bytes:
    """Read a file once, and check that it is the one that was found."""
    if stamp is not None and Stamp.from_stat(os.fstat(file.fileno())) != stamp:
        raise InvalidSeriesError(CHANGED)
    content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise UnreadableFileError(f"larger than {MAX_FILE_BYTES >> 20} MiB: no CT slice")
    return content


def _plain(dataset: Dataset) -> Dataset:
    """Return the data set without the file that pydicom would keep alive with it."""
    plain = Dataset(dataset)
    plain.file_meta = dataset.file_meta
    implicit, little = dataset.original_encoding
    plain.set_original_encoding(implicit, little, dataset.original_character_set)
    return plain
