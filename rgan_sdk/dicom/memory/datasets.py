"""Take the caller's data sets as slices: checked as files are, and copied, so that none changes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.tag import BaseTag

from rgan_sdk.dicom import values
from rgan_sdk.dicom.discovery import translate_errors
from rgan_sdk.dicom.header import SliceHeader, make_header, require_eligible, require_length
from rgan_sdk.dicom.inventory import make_series
from rgan_sdk.dicom.read import pixels
from rgan_sdk.dicom.read.pixels import PixelFormat
from rgan_sdk.dicom.series import Series
from rgan_sdk.dicom.slices.alike import gather
from rgan_sdk.dicom.stamp import Stamp
from rgan_sdk.errors import (
    DicomError,
    IneligibleError,
    InvalidSeriesError,
    UnreadableFileError,
    check_type,
)

NO_FILE: Final = Stamp(0, 0, 0)
_PIXEL_DATA: Final = 0x7FE00010
_SERIES_INSTANCE_UID: Final = 0x0020000E


class Collected(NamedTuple):
    """The series that slices form.

    Attributes
    ----------
    series
        More than one where slices differ in what all slices of a series have in common.
    order
        The SOPInstanceUIDs in the order that the slices were given in.
    """

    series: tuple[Series, ...]
    order: tuple[str, ...]


def collect_series(datasets: Sequence[Dataset], *, assume_hu: bool) -> Collected:
    """Make series of the slices of one SeriesInstanceUID.

    Parameters
    ----------
    datasets
        Whole slices, with pixel data and ``file_meta``. They are not changed, and what the caller
        does with them afterwards does not matter.
    assume_hu
        As for ``find_series``.

    Raises
    ------
    ConfigurationError
        If something else is among them.
    DicomError
        If one is no slice to harmonize, or they do not belong together. The message calls them
        ``datasets[0]``, ``datasets[1]``, ...
    """
    headers = [take_slice(dataset, f"datasets[{i}]") for i, dataset in enumerate(datasets)]
    _check_uids(headers)
    series = make_series(gather(headers), assume_hu=assume_hu)
    return Collected(tuple(series), tuple(header.sop_instance_uid for header in headers))


def take_slice(dataset: Dataset, name: str) -> SliceHeader:
    """Return the header of a slice in memory, with a copy of the slice.

    Parameters
    ----------
    name
        What messages call it.

    Raises
    ------
    ConfigurationError, DicomError
        As ``collect_series`` does.
    """
    check_type(name, dataset, Dataset)
    try:
        with translate_errors():
            own = _copy(dataset)
            require_eligible(own)
            _require_pixel_data(own)
            return replace(make_header(own, Path(name), NO_FILE), dataset=own)
    except IneligibleError as error:
        raise IneligibleError(f"{name}: {error}") from error
    except UnreadableFileError as error:
        raise UnreadableFileError(f"{name}: {error}") from error
    except InvalidSeriesError as error:
        raise InvalidSeriesError(f"{name}: {error}") from error


def series_uid(datasets: Sequence[Dataset]) -> str:
    """Return the first SeriesInstanceUID that can be read; empty if there is none."""
    for dataset in datasets:
        found = dataset.get_item(_SERIES_INSTANCE_UID, keep_deferred=True)
        try:
            with translate_errors():
                return values.uid(Dataset({found.tag: found} if found else {}), "SeriesInstanceUID")
        except DicomError:
            continue
    return ""


def _copy(dataset: Dataset) -> Dataset:
    """Copy a data set; only the bytes of its pixels are shared.

    pydicom changes even what it only reads: it puts a value in place of the bytes of an element.
    """
    copy_element = {_PIXEL_DATA: copy.copy}
    elements: dict[BaseTag, Any] = {
        tag: copy_element.get(tag, copy.deepcopy)(_item(dataset, tag))
        for tag in list(dataset.keys())
    }
    own = Dataset(elements)
    own.file_meta = copy.deepcopy(getattr(dataset, "file_meta", None) or FileMetaDataset())
    implicit, little = dataset.original_encoding
    if implicit is None or little is None:  # it was made here, not read
        implicit, little = _stated_encoding(own)
    own.set_original_encoding(implicit, little, dataset.original_character_set)
    return own


def _item(dataset: Dataset, tag: BaseTag) -> Any:
    """Return an element as the data set holds it; what pydicom has left in the file is read."""
    item = dataset.get_item(tag, keep_deferred=True)
    is_left = isinstance(item, RawDataElement) and item.value is None and item.length != 0
    try:
        return dataset.get_item(tag) if is_left else item
    except OSError as error:
        raise UnreadableFileError(
            "a part was left in its file (defer_size), which cannot be read any more"
        ) from error


def _stated_encoding(dataset: Dataset) -> tuple[bool, bool]:
    """Return how the file meta information says that a data set is encoded: implicit, little."""
    if not dataset.file_meta.get("TransferSyntaxUID"):
        raise InvalidSeriesError(
            "TransferSyntaxUID (0002,0010) is missing; set dataset.file_meta.TransferSyntaxUID"
        )
    syntax = pixels.transfer_syntax(dataset)
    if not syntax.is_transfer_syntax:
        raise InvalidSeriesError("TransferSyntaxUID (0002,0010) is not a transfer syntax")
    return syntax.is_implicit_VR, syntax.is_little_endian


def _require_pixel_data(dataset: Dataset) -> None:
    """Check that there are pixel data, that they can be decoded here, and their length."""
    content = dataset.get("PixelData")
    if not isinstance(content, bytes):
        raise UnreadableFileError("PixelData is missing, or is not bytes")
    syntax = pixels.transfer_syntax(dataset)
    pixel_format = PixelFormat.from_dataset(dataset)
    pixels.require_decoder(syntax, pixel_format)
    if not syntax.is_compressed:
        require_length(len(content), pixel_format)


def _check_uids(headers: Sequence[SliceHeader]) -> None:
    """Refuse slices of several series, a slice that is given twice, and none at all."""
    if not headers:
        raise InvalidSeriesError("a series without slices")
    if len({header.series_instance_uid for header in headers}) > 1:
        raise InvalidSeriesError(
            "the data sets are of more than one SeriesInstanceUID; give one series at a time"
        )
    first: dict[str, SliceHeader] = {}
    for header in headers:
        uid = header.sop_instance_uid
        if uid in first:
            names = f"{first[uid].path} and {header.path}"
            raise InvalidSeriesError(f"SOPInstanceUID {uid} occurs twice: {names}")
        first[uid] = header
