"""The pixel cells of a slice: format, rescale, decoding, padding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from rgan_sdk.dicom import values
from rgan_sdk.dicom.read.codecs import CODECS_EXTRA, preferred_plugin
from rgan_sdk.errors import InvalidSeriesError, UnreadableFileError

MAX_SIDE: Final = 8192


@dataclass(frozen=True)
class PixelFormat:
    """How stored values are held (PS3.3 C.7.6.3).

    Raises
    ------
    InvalidSeriesError
        If the format is not one of a CT slice: 1 to 16 bits, right-aligned.
    """

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    signed: bool

    def __post_init__(self) -> None:
        if not (0 < self.rows <= MAX_SIDE and 0 < self.columns <= MAX_SIDE):
            raise InvalidSeriesError(
                f"Rows x Columns {self.rows} x {self.columns} must be 1 to {MAX_SIDE} each"
            )
        if self.bits_allocated not in (8, 16):
            raise InvalidSeriesError(f"BitsAllocated {self.bits_allocated} must be 8 or 16")
        if not 1 <= self.bits_stored <= self.bits_allocated:
            raise InvalidSeriesError(
                f"BitsStored {self.bits_stored} must be 1 to {self.bits_allocated}"
            )

    @classmethod
    def from_dataset(cls, dataset: Dataset) -> PixelFormat:
        """Return the pixel format of a data set, or raise InvalidSeriesError."""
        for keyword in ("SamplesPerPixel", "NumberOfFrames"):
            if dataset.get(keyword) is not None and values.integer(dataset, keyword) != 1:
                raise InvalidSeriesError(f"{keyword} must be 1 in a CT slice")
        bits_stored = values.integer(dataset, "BitsStored")
        if "HighBit" in dataset and values.integer(dataset, "HighBit") != bits_stored - 1:
            raise InvalidSeriesError(f"HighBit must be BitsStored - 1 = {bits_stored - 1}")
        representation = values.integer(dataset, "PixelRepresentation")
        if representation not in (0, 1):
            raise InvalidSeriesError(f"PixelRepresentation {representation} must be 0 or 1")
        return cls(
            values.integer(dataset, "Rows"),
            values.integer(dataset, "Columns"),
            values.integer(dataset, "BitsAllocated"),
            bits_stored,
            representation == 1,
        )

    @property
    def minimum(self) -> int:
        """The lowest stored value that fits."""
        return -(1 << (self.bits_stored - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        """The highest stored value that fits."""
        return (1 << (self.bits_stored - self.signed)) - 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """The native NumPy type of a pixel cell."""
        return np.dtype(f"{'i' if self.signed else 'u'}{self.bits_allocated // 8}")

    @property
    def nbytes(self) -> int:
        """Bytes of one uncompressed slice."""
        return self.rows * self.columns * self.bits_allocated // 8


@dataclass(frozen=True)
class Rescale:
    """The way from stored values to HU (PS3.3 C.11.1).

    Raises
    ------
    InvalidSeriesError
        If HU could not be turned back into stored values.
    """

    slope: float
    intercept: float

    def __post_init__(self) -> None:
        if self.slope == 0:
            raise InvalidSeriesError("RescaleSlope is 0")
        if max(abs(self.slope) * 65536, abs(self.intercept)) > np.finfo(np.float32).max / 2:
            raise InvalidSeriesError(
                f"RescaleSlope {self.slope} and RescaleIntercept {self.intercept} overflow float32"
            )

    @classmethod
    def from_dataset(cls, dataset: Dataset) -> Rescale:
        """Return the rescale of a data set, or raise InvalidSeriesError."""
        kind = values.text(dataset, "RescaleType")
        if kind and kind.upper() != "HU":
            raise InvalidSeriesError(f"RescaleType {values.redact(kind)} is not HU")
        return cls(
            values.number(dataset, "RescaleSlope"), values.number(dataset, "RescaleIntercept")
        )


def transfer_syntax(dataset: Dataset) -> UID:
    """Return the transfer syntax, guessed by pydicom where no file meta says it."""
    stated = dataset.file_meta.get("TransferSyntaxUID")
    if stated:
        return UID(str(stated))
    implicit, little = dataset.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def require_decoder(syntax: UID) -> None:
    """Raise UnreadableFileError where pixel data of this syntax can't be decoded here."""
    try:
        if get_decoder(syntax).is_available:
            return
    except NotImplementedError:
        cure = "it is not supported"
    else:
        covered = syntax in CODECS_EXTRA
        plugin = "'rgan-sdk[codecs]'" if covered else "a pydicom plugin for it: python-gdcm"
        cure = f"pip install {plugin}"
    name = f"{syntax.name} ({syntax})" if syntax.is_transfer_syntax else "not a transfer syntax"
    raise UnreadableFileError(f"PixelData cannot be decoded here: {name}; {cure}")


def decode(dataset: Dataset, pixel_format: PixelFormat) -> NDArray[Any]:
    """Return the pixel cells ``[rows, columns]`` in the format's native type, with all bits."""
    syntax = transfer_syntax(dataset)
    require_decoder(syntax)
    decoder = get_decoder(syntax)
    try:
        cells, _ = decoder.as_array(
            dataset,
            index=0,
            raw=True,
            decoding_plugin=preferred_plugin(syntax),
            correct_unused_bits=False,  # type: ignore[arg-type]
        )
    except RuntimeError as error:  # every decoder failed
        raise UnreadableFileError(
            f"PixelData cannot be decoded: damaged, or not the {syntax.name} that the header "
            "promises; export the file again"
        ) from error
    if cells.shape != (pixel_format.rows, pixel_format.columns):
        raise UnreadableFileError(f"PixelData decodes to shape {cells.shape}")
    return np.ascontiguousarray(cells, pixel_format.dtype)


def stored_values(cells: NDArray[Any], pixel_format: PixelFormat) -> NDArray[Any]:
    """Return cells with the bits above BitsStored dropped, or filled with the sign."""
    unused = pixel_format.bits_allocated - pixel_format.bits_stored
    return (cells << unused) >> unused


def padding_range(dataset: Dataset, pixel_format: PixelFormat) -> tuple[int, int] | None:
    """Return the lowest and highest stored value that mean *no image here*.

    PixelPaddingValue and PixelPaddingRangeLimit (PS3.3 C.7.5.1.1.2), read with the sign
    of the pixel cells whatever VR the file gave them.

    Raises
    ------
    InvalidSeriesError
        If BitsStored cannot hold them and a codec may have cut them off.
    """
    if dataset.get("PixelPaddingValue") is None:
        return None
    ends = [padding_value(dataset, "PixelPaddingValue", pixel_format)]
    if dataset.get("PixelPaddingRangeLimit") is not None:
        ends.append(padding_value(dataset, "PixelPaddingRangeLimit", pixel_format))
    low, high = min(ends), max(ends)
    fits = pixel_format.minimum <= low and high <= pixel_format.maximum
    syntax = transfer_syntax(dataset)
    if not fits and syntax.is_encapsulated and syntax != RLELossless:
        raise InvalidSeriesError(
            f"PixelPaddingValue {ends[0]} does not fit BitsStored {pixel_format.bits_stored}, and"
            f" {syntax.name} cannot tell such pixels from image; convert an uncompressed original"
        )
    return low, high


def padding_value(dataset: Dataset, keyword: str, pixel_format: PixelFormat) -> int:
    """Return a padding attribute with the sign of the pixel cells."""
    value = values.integer(dataset, keyword) & 0xFFFF
    return value - 0x10000 if pixel_format.signed and value > 0x7FFF else value


def padding_mask(stored: NDArray[Any], limits: tuple[int, int]) -> NDArray[np.bool_]:
    """Return where a slice is padding."""
    return (stored >= limits[0]) & (stored <= limits[1])
