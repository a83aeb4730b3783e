"""Read one CT slice through pydicom, from the file to Hounsfield units.

It reads every slice that is supported at all. The native reader gives the same bits, or hands the
slice over to this one.
"""

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
from pydicom import Dataset
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag

from rgan_sdk import hu as rescaling
from rgan_sdk.dicom.discovery import Repeats, inflate, open_raw, translate_errors
from rgan_sdk.dicom.read import pixels
from rgan_sdk.dicom.read.pixels import PixelFormat, Rescale
from rgan_sdk.dicom.stamp import CHANGED, Stamp
from rgan_sdk.errors import IneligibleError, InvalidSeriesError, UnreadableFileError

MAX_FILE_BYTES: Final = 1 << 29


@dataclass(frozen=True)
class PydicomSlice:
    """One CT slice, read by pydicom.

    Attributes
    ----------
    dataset
        All attributes but the pixel data, with ``file_meta``. It must not be changed.
    stored
        ``[H, W]`` stored values, uint8, int8, uint16 or int16. Bits above BitsStored are cleared or
        set to the sign bit, except in padding that does not fit BitsStored.
    hu
        ``[H, W]`` float32 Hounsfield units, also where the slice is padding. MONOCHROME1 is not
        inverted, because it only says how to display. Padding that does not fit BitsStored gets the
        HU of the lowest stored value.
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
        The stamp that the file must still have (``SliceFile.stamp``); None skips this check.

    Raises
    ------
    UnreadableFileError
        If the file is not DICOM, is truncated or malformed, or cannot be decoded here.
    InvalidSeriesError
        If its stored values cannot be converted to HU, or the file has changed.
    """
    with _name_file(path):
        return _read(path, stamp)


def convert_dataset(dataset: Dataset, name: Path) -> PydicomSlice:
    """Return one CT slice whose data set is in memory, as ``read_slice`` does that of a file.

    Parameters
    ----------
    dataset
        With ``file_meta`` and the encoding that it was read in. Its elements stay.
    name
        What messages call it.

    Raises
    ------
    UnreadableFileError, InvalidSeriesError
        As ``read_slice`` does.
    """
    with _name_file(name), translate_errors():
        elements = {tag: dataset.get_item(tag) for tag in list(dataset.keys())}
        own = copy_encoding(dataset, elements)
        decoded = _decode(own)
        del own.PixelData
    return _convert(own, decoded)


def read_dataset(path: Path, stamp: Stamp | None = None) -> Dataset:
    """Read one CT slice without its pixel data: ``PydicomSlice.dataset``.

    Raises
    ------
    UnreadableFileError, InvalidSeriesError
        As ``read_slice`` does, but not for the pixel data.
    """
    with _name_file(path), open_raw(path) as file:
        dataset = _parse(file, stamp)
        del dataset.PixelData
        return dataset


def read_bytes(path: Path, stamp: Stamp) -> bytes:
    """Read a file as it is, provided that it still has the stamp.

    Raises
    ------
    UnreadableFileError, InvalidSeriesError
        If it cannot be read, or has changed.
    """
    with _name_file(path), open_raw(path) as file:
        content = _read_content(file, stamp)
        if len(content) != stamp.size:
            raise InvalidSeriesError(CHANGED)
        return content


@contextmanager
def _name_file(path: Path) -> Iterator[None]:
    """Put the name of the file in front of the messages of errors."""
    try:
        yield
    except (UnreadableFileError, IneligibleError) as error:
        raise UnreadableFileError(f"{path.name}: {error}") from error
    except InvalidSeriesError as error:
        raise InvalidSeriesError(f"{path.name}: {error}") from error


def _parse(file: BinaryIO, stamp: Stamp | None) -> Dataset:
    content = inflate(io.BytesIO(_read_content(file, stamp)))
    repeats = Repeats(content)
    read = read_partial(content, stop_when=repeats, force=True)
    repeats.refuse()
    dataset = copy_encoding(read, read)  # without its reference to the file's content
    if not dataset:  # pydicom gives nothing if the file ends within an element
        raise UnreadableFileError("truncated, or without a data set")
    return dataset


def read_cells(path: Path, stamp: Stamp | None = None) -> NDArray[Any] | None:
    """Read the pixel cells of one CT slice.

    Returns
    -------
    ndarray or None
        ``[H, W]`` uint8, int8, uint16 or int16, all bits as the decoder gives them. None where the
        derived header has to state a loss that only the transfer syntax tells
        (``pixels.unstated_loss``): the native writer does not know it.

    Raises
    ------
    UnreadableFileError, InvalidSeriesError
        As ``read_slice`` does.
    """
    with _name_file(path), open_raw(path) as file:
        dataset = _parse(file, stamp)
        return None if pixels.unstated_loss(dataset) else _decode(dataset).cells


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
        decoded = _decode(dataset)
        del dataset.PixelData
    return _convert(dataset, decoded)


def _convert(dataset: Dataset, decoded: _Decoded) -> PydicomSlice:
    """Return the slice in HU; ``dataset`` is without its pixel data."""
    cells, pixel_format, rescale, limits = decoded
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


def _read_content(file: BinaryIO, stamp: Stamp | None) -> bytes:
    """Read the whole file, provided that it has the stamp before and afterwards."""
    _require_stamp(file, stamp)
    content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise UnreadableFileError(f"larger than {MAX_FILE_BYTES >> 20} MiB: no CT slice")
    _require_stamp(file, stamp)
    return content


def _require_stamp(file: BinaryIO, stamp: Stamp | None) -> None:
    if stamp is not None and Stamp.from_stat(os.fstat(file.fileno())) != stamp:
        raise InvalidSeriesError(CHANGED)


def copy_encoding(source: Dataset, elements: Dataset | dict[BaseTag, Any]) -> Dataset:
    """Return a data set of these elements that is encoded as ``source`` is."""
    dataset = Dataset(elements)
    dataset.file_meta = source.file_meta
    implicit, little = source.original_encoding
    dataset.set_original_encoding(implicit, little, source.original_character_set)
    return dataset
