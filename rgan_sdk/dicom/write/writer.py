"""Derived CT objects: a derived header with harmonized pixels, encoded and written atomically."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmwrite

from rgan_sdk import _core
from rgan_sdk import hu as rescaling
from rgan_sdk.dicom.read import pixels
from rgan_sdk.dicom.read.pixels import PixelFormat, Rescale
from rgan_sdk.dicom.read.pydicom_reader import PydicomSlice
from rgan_sdk.dicom.write.clamping import Clamped, StorableRange
from rgan_sdk.dicom.write.derivation import Derivation
from rgan_sdk.dicom.write.derived_header import derived_header
from rgan_sdk.errors import InferenceError, InvalidSeriesError, OutputError
from rgan_sdk.files import atomic_write


@dataclass(frozen=True)
class DerivedSlice:
    """A derived object in memory.

    Attributes
    ----------
    clips
        How many pixels could not be stored as computed. Either the pixel format cannot hold
        the value, or the value would read as padding.
    """

    dataset: Dataset
    clips: int


class WrittenFile(NamedTuple):
    """A derived object that was written.

    Attributes
    ----------
    size
        In bytes.
    crc32c
        CRC-32C of the bytes that were to be written, 8 hexadecimal digits.
    clips
        How many pixels could not be stored as computed.
    clamped
        The same by what they show.
    """

    name: str
    size: int
    crc32c: str
    clips: int
    clamped: Clamped


def derive(source: PydicomSlice, hu: NDArray[np.float32], derivation: Derivation) -> DerivedSlice:
    """Make the derived object of one slice, in memory.

    Parameters
    ----------
    hu
        ``[H, W]`` harmonized Hounsfield units, float32. Pixels that are padding in the source
        keep their stored values instead.

    Raises
    ------
    InferenceError
        If ``hu`` holds NaN or infinity, or has another shape than the source.
    InvalidSeriesError
        If the source's header cannot be carried over.
    """
    return make_derived_slice(source, hu, derived_header(source.dataset, derivation))


def make_derived_slice(
    source: PydicomSlice, hu: NDArray[np.float32], header: Dataset
) -> DerivedSlice:
    """Add pixel data to the header of an object derived from ``source``.

    Parameters
    ----------
    source
        The slice that gives pixel format, rescale and padding.
    hu
        ``[H, W]`` float32, as in ``derive``.
    header
        The derived data set. It is changed, and becomes the ``dataset`` of the result.

    Raises
    ------
    InferenceError
        If ``hu`` holds NaN or infinity, or has another shape than the source.
    """
    if hu.shape != source.hu.shape:
        raise InferenceError(f"the derived slice is {hu.shape}, its source {source.hu.shape}")
    if not np.isfinite(hu).all():
        raise InferenceError("the derived slice holds NaN or infinite values")
    stored, clips = _to_stored(source, hu)
    set_pixel_data(header, stored)
    return DerivedSlice(header, clips)


def _to_stored(source: PydicomSlice, hu: NDArray[np.float32]) -> tuple[NDArray[Any], int]:
    """Return the stored values, and how many pixels could not be stored as computed."""
    pixel_format = PixelFormat.from_dataset(source.dataset)
    rescale = Rescale.from_dataset(source.dataset)
    low, high = pixel_format.minimum, pixel_format.maximum
    stored = np.empty(hu.shape, pixel_format.dtype)
    if source.padding is not None:
        hu = np.where(source.padding, source.hu, hu)
    clips = rescaling.hu_to_stored(hu, rescale.slope, rescale.intercept, low, high, stored)
    padding = pixels.padding_range(source.dataset, pixel_format)
    if source.padding is None or padding is None:
        return stored, clips
    collides = (stored >= padding[0]) & (stored <= padding[1]) & ~source.padding
    below_fits, above_fits = padding[0] > low, padding[1] < high
    nearer_below = stored.astype(np.int32) - padding[0] < padding[1] - stored.astype(np.int32)
    goes_below = below_fits & (nearer_below | (not above_fits))
    stored[collides & goes_below] = min(max(padding[0] - 1, low), high)
    stored[collides & ~goes_below] = max(min(padding[1] + 1, high), low)
    stored[source.padding] = source.stored[source.padding]
    computed = np.rint((hu[collides].astype(np.float64) - rescale.intercept) / rescale.slope)
    clamped = (computed < low) | (computed > high)  # counted by hu_to_stored
    return stored, clips + int((~clamped).sum())


def set_pixel_data(dataset: Dataset, stored: NDArray[Any]) -> None:
    """Set PixelData to ``[H, W]`` stored values, uncompressed, in little endian (PS3.5 8.1)."""
    little = stored.astype(stored.dtype.newbyteorder("<"), copy=False).tobytes()
    vr = "OB" if stored.itemsize == 1 else "OW"
    dataset.add_new(0x7FE00010, vr, little + b"\0" * (len(little) % 2))


def encode(dataset: Dataset) -> bytes:
    """Encode a data set as a DICOM file in Explicit VR Little Endian.

    Parameters
    ----------
    dataset
        With ``file_meta``.

    Returns
    -------
    bytes
        The whole file (PS3.10 7).

    Raises
    ------
    InvalidSeriesError
        If a value of the data set cannot be encoded.
    """
    buffer = io.BytesIO()
    try:
        dcmwrite(buffer, dataset, enforce_file_format=True, implicit_vr=False, little_endian=True)
    except Exception as error:
        # The error's own message is left out: it may quote patient data.
        raise InvalidSeriesError(
            f"the header cannot be encoded ({type(error).__name__})"
        ) from error
    return buffer.getvalue()


def write_derived(
    source: PydicomSlice, hu: NDArray[np.float32], derivation: Derivation, path: Path
) -> WrittenFile:
    """Write the derived object of one slice. ``path`` appears complete or not at all.

    Raises
    ------
    InferenceError, InvalidSeriesError
        As ``derive`` does.
    OutputError
        If the file cannot be written.
    """
    derived = derive(source, hu, derivation)
    content = encode(derived.dataset)
    write_file(path, content)
    clamped = StorableRange.of(source.dataset).locate(hu, derived.clips)
    checksum = format_crc32c(_core.crc32c(content))
    return WrittenFile(path.name, len(content), checksum, derived.clips, clamped)


def format_crc32c(value: int) -> str:
    """Return a checksum as 8 hexadecimal digits."""
    return f"{value:08x}"


def write_file(path: Path, content: bytes) -> None:
    """Write a file atomically, and check its size before it gets its name.

    Raises
    ------
    OutputError
        If that fails. No partial file is left.
    """
    try:
        with atomic_write(path) as temporary:
            temporary.write_bytes(content)
            if temporary.stat().st_size != len(content):
                raise OutputError(f"{path.name}: only a part could be written")
    except OSError as error:
        raise OutputError(f"{path.name} cannot be written: {error.strerror}") from error
