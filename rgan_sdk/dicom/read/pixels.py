"""The pixel cells of a slice (PS3.3 C.7.6.3): their format, rescale, decoding and padding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSNearLossless,
    RLELossless,
)

from rgan_sdk.dicom import values
from rgan_sdk.dicom.read.codecs import CODECS_EXTRA, choose_plugin, is_decodable
from rgan_sdk.dicom.read.frames import check_rle
from rgan_sdk.dicom.read.imagecodecs_plugin import LOSSY_JPEG
from rgan_sdk.errors import InvalidSeriesError, UnreadableFileError

MAX_SIDE: Final = 8192
UNSPECIFIED: Final = "US"
"""The RescaleType of numbers that may be HU or not."""
_LOSSY_METHODS: Final = {
    **dict.fromkeys(LOSSY_JPEG, "ISO_10918_1"),
    JPEGLSNearLossless: "ISO_14495_1",
}
"""LossyImageCompressionMethod of the transfer syntaxes for lossy compression alone."""
_LOSSY_IMAGE_COMPRESSION: Final = 0x00282110


@dataclass(frozen=True)
class PixelFormat:
    """How the stored values of a slice are encoded (PS3.3 C.7.6.3).

    Attributes
    ----------
    rows, columns
        1 to 8192.
    bits_allocated
        Bits of a pixel cell: 8 or 16.
    bits_stored
        Bits of a stored value, 1 to ``bits_allocated``, at the low end of the cell.
    signed
        Whether stored values are in two's complement.

    Raises
    ------
    InvalidSeriesError
        If a value is out of these ranges.
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
        """Return the pixel format of a data set.

        Raises
        ------
        InvalidSeriesError
            If attributes are missing or invalid, or the data set is not one frame of one sample
            per pixel.
        """
        for keyword in ("SamplesPerPixel", "NumberOfFrames"):
            if values.values(dataset, keyword) and values.integer(dataset, keyword) != 1:
                raise InvalidSeriesError(f"{keyword} must be 1 in a CT slice")
        bits_stored = values.integer(dataset, "BitsStored")
        if (
            values.values(dataset, "HighBit")
            and values.integer(dataset, "HighBit") != bits_stored - 1
        ):
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
        """The lowest stored value that the format can hold."""
        return -(1 << (self.bits_stored - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        """The highest stored value that the format can hold."""
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
    """How stored values become HU: ``hu = stored * slope + intercept`` (PS3.3 C.11.1).

    Raises
    ------
    InvalidSeriesError
        If the slope is 0, or float32 cannot hold the HU.
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
        """Return the rescale of a data set.

        RescaleType US is accepted here, because ``dicom.units`` looks at the pixels of a series.

        Raises
        ------
        InvalidSeriesError
            If RescaleSlope or RescaleIntercept is missing or invalid, or RescaleType says that the
            result is not HU.
        """
        kind = rescale_type(dataset)
        if kind not in ("", "HU", UNSPECIFIED):
            raise InvalidSeriesError(f"RescaleType {values.redact(kind)} is not HU")
        return cls(
            values.number(dataset, "RescaleSlope"), values.number(dataset, "RescaleIntercept")
        )


def transfer_syntax(dataset: Dataset) -> UID:
    """Return the transfer syntax. Where the file meta lacks it, pydicom's guess counts."""
    stated = dataset.file_meta.get("TransferSyntaxUID")
    if stated:
        return UID(str(stated))
    implicit, little = dataset.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def unstated_loss(dataset: Dataset) -> str:
    """Return how a slice was compressed with loss that its LossyImageCompression does not state.

    Returns
    -------
    str
        A LossyImageCompressionMethod (PS3.3 C.7.6.1.1.5.1). Empty if the loss is stated, or the
        transfer syntax is no sure sign of one, as that of JPEG 2000.
    """
    if values.raw(dataset, _LOSSY_IMAGE_COMPRESSION).strip() == b"01":
        return ""
    return _LOSSY_METHODS.get(transfer_syntax(dataset), "")


def require_decoder(syntax: UID, pixel_format: PixelFormat) -> None:
    """Raise UnreadableFileError if such pixel data cannot be decoded here."""
    if pixel_format.signed and syntax in LOSSY_JPEG:  # PS3.5 A.4.1 allows no sign
        raise UnreadableFileError(
            f"PixelData cannot be decoded: {syntax.name} holds no signed values, and "
            "PixelRepresentation is 1; export the file uncompressed"
        )
    try:
        if is_decodable(syntax, pixel_format.bits_stored):
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
    """Decode the pixel data of one slice.

    Returns
    -------
    ndarray
        The pixel cells ``[rows, columns]``, with the dtype of ``pixel_format`` and with the bits
        above BitsStored.

    Raises
    ------
    UnreadableFileError
        If no decoder is installed, or the pixel data are damaged.
    """
    syntax = transfer_syntax(dataset)
    require_decoder(syntax, pixel_format)
    decoder = get_decoder(syntax)
    options: dict[str, Any] = {
        "correct_unused_bits": False,
        "samples_per_pixel": 1,  # as PixelFormat has checked; a header may lack these two
        "photometric_interpretation": "MONOCHROME2",
    }
    try:
        cells, _ = decoder.as_array(
            dataset,
            index=0,
            raw=True,
            decoding_plugin=choose_plugin(syntax),
            **options,
        )
        if syntax == RLELossless:
            frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
            check_rle(frame, pixel_format.rows * pixel_format.columns)
    except (RuntimeError, ValueError) as error:  # each decoder that was tried failed, or the check
        raise UnreadableFileError(
            f"PixelData cannot be decoded: damaged, or not {syntax.name} as the header says; "
            "export the file again"
        ) from error
    if cells.shape != (pixel_format.rows, pixel_format.columns):
        raise UnreadableFileError(f"PixelData decodes to shape {cells.shape}")
    return np.ascontiguousarray(cells, pixel_format.dtype)


def rescale_type(dataset: Dataset) -> str:
    """Return RescaleType in capitals, empty where it is absent."""
    return values.text(dataset, "RescaleType").upper()


def stored_values(cells: NDArray[Any], pixel_format: PixelFormat) -> NDArray[Any]:
    """Return cells with their bits above BitsStored cleared, or set to the sign bit."""
    unused = pixel_format.bits_allocated - pixel_format.bits_stored
    return (cells << unused) >> unused


def padding_range(dataset: Dataset, pixel_format: PixelFormat) -> tuple[int, int] | None:
    """Return the lowest and the highest stored value that mark padding; None if none do.

    They are PixelPaddingValue and PixelPaddingRangeLimit (PS3.3 C.7.5.1.1.2).

    Raises
    ------
    InvalidSeriesError
        If BitsStored cannot hold them and a codec may have cut them off.
    """
    if not values.values(dataset, "PixelPaddingValue"):
        return None
    ends = [padding_value(dataset, "PixelPaddingValue", pixel_format)]
    if values.values(dataset, "PixelPaddingRangeLimit"):
        ends.append(padding_value(dataset, "PixelPaddingRangeLimit", pixel_format))
    low, high = min(ends), max(ends)
    fits = pixel_format.minimum <= low and high <= pixel_format.maximum
    syntax = transfer_syntax(dataset)
    if not fits and syntax.is_encapsulated and syntax != RLELossless:
        raise InvalidSeriesError(
            f"PixelPaddingValue {ends[0]} does not fit BitsStored {pixel_format.bits_stored}; with "
            f"{syntax.name}, padding may then look like image; convert an uncompressed original"
        )
    return low, high


def padding_value(dataset: Dataset, keyword: str, pixel_format: PixelFormat) -> int:
    """Return the value of a padding attribute.

    Its sign follows PixelRepresentation, whatever VR the file gives the attribute.
    """
    value = values.integer(dataset, keyword) & 0xFFFF
    return value - 0x10000 if pixel_format.signed and value > 0x7FFF else value


def padding_mask(stored: NDArray[Any], limits: tuple[int, int]) -> NDArray[np.bool_]:
    """Return ``[H, W]`` true where a stored value lies within the closed interval ``limits``."""
    return (stored >= limits[0]) & (stored <= limits[1])
