"""What the header of a slice says of the acquisition and the reconstruction that it comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom import Dataset, dcmread
from pydicom.tag import Tag

from rgan_sdk.dicom import reconstruction, values
from rgan_sdk.dicom.discovery import open_dicom
from rgan_sdk.dicom.read.origin import has_own_code
from rgan_sdk.dicom.series import Series
from rgan_sdk.dicom.uids import SIMULATED_CODE
from rgan_sdk.errors import DicomError, UnreadableFileError

NUMBERS: Final = {
    "AcquisitionNumber": "",
    "SliceThickness": "mm",
    "KVP": "kV",
    "NominalPercentageOfCardiacPhase": "%",
    "NominalPercentageOfRespiratoryPhase": "%",
}
"""Keywords of numbers, with their unit."""

SHORTEST_SECRET: Final = 3
"""Shorter parts of a name are in too many words, characters."""

_DESCRIPTIONS: Final = ("SeriesDescription", "ProtocolName", "ImageComments")
_EXPIRATION: Final = re.compile(r"\b(expi?|exs?pir\w*|espir\w*|exhal\w*)\b")
_KEYWORDS: Final = (
    *NUMBERS,
    *_DESCRIPTIONS,
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionDateTime",
    "ImageType",
    "ContrastBolusAgent",
    "DerivationCodeSequence",
)
_WANTED: Final = [*map(Tag, _KEYWORDS), *map(Tag, reconstruction.TAGS)]
_TIME: Final = re.compile(r"(\d\d):?(\d\d)(?::?(\d\d(?:\.\d*)?))?")


@dataclass(frozen=True)
class Acquisition:
    r"""How one slice was acquired and reconstructed, as far as its header states it.

    Attributes
    ----------
    numbers
        By keyword, those of ``NUMBERS`` that are stated.
    date
        AcquisitionDate, or that of AcquisitionDateTime: ``YYYYMMDD``, empty if not stated. It may
        identify a patient, and must not be shown.
    seconds
        AcquisitionTime, or that of AcquisitionDateTime, since midnight; None if not stated.
    image_type
        All values of ImageType (PS3.3 C.8.2.1.1.1), in upper case.
    contrast_agent
        ContrastBolusAgent without differences in case and blanks, empty if not stated. It is free
        text, and must not be shown.
    expiration
        Whether SeriesDescription, ProtocolName or ImageComments says that the patient had exhaled.
    reconstruction
        What the header says of iterative or learned reconstruction (``reconstruction.describe``).
    simulated
        Whether ``rgan-train simulate`` made it. Then ImageType begins with ``DERIVED\SECONDARY``,
        whatever the scanner stated.
    """

    numbers: Mapping[str, float]
    date: str
    seconds: float | None
    image_type: tuple[str, ...]
    contrast_agent: str
    expiration: bool
    reconstruction: str
    simulated: bool


def read_acquisitions(series: Series) -> tuple[Acquisition, ...]:
    """Read the acquisition of each slice of a series, in their order.

    Attributes that are badly written count as not stated.

    Raises
    ------
    DicomError
        If a file cannot be read any more.
    """
    return tuple(read_acquisition(file.path) for file in series.slices)


def read_description(series: Series) -> str:
    """Return SeriesDescription (0008,103E) of a series' first slice; empty if there is none.

    It is free text, as people at the scanner write it. One that holds the patient's number, or a
    part of the name, is not returned.

    Raises
    ------
    DicomError
        If the file cannot be read any more.
    """
    wanted = ("SeriesDescription", "PatientName", "PatientID")
    with open_dicom(series.slices[0].path) as file:
        dataset = dcmread(
            file, stop_before_pixels=True, force=True, specific_tags=[*map(Tag, wanted)]
        )
        text, name, number = (_text(dataset, keyword) for keyword in wanted)
    secrets = [part.casefold() for part in (*re.split(r"[\^=,\s]+", name), number)]
    reveals = any(len(part) >= SHORTEST_SECRET and part in text.casefold() for part in secrets)
    return "" if reveals else " ".join(text.split())


def read_acquisition(path: Path) -> Acquisition:
    """Read the acquisition of one slice, as ``read_acquisitions`` does."""
    try:
        with open_dicom(path) as file:
            dataset = dcmread(file, stop_before_pixels=True, force=True, specific_tags=_WANTED)
            return _acquisition(dataset)
    except DicomError as error:
        raise UnreadableFileError(f"{path.name}: {error}") from error


def _acquisition(dataset: Dataset) -> Acquisition:
    numbers = {name: values.optional_number(dataset, name) for name in NUMBERS}
    moment = _text(dataset, "AcquisitionDateTime")
    return Acquisition(
        numbers={name: number for name, number in numbers.items() if number is not None},
        date=_text(dataset, "AcquisitionDate").replace(".", "") or moment[:8],
        seconds=_seconds(_text(dataset, "AcquisitionTime") or moment[8:]),
        image_type=tuple(term.upper() for term in _texts(dataset, "ImageType")),
        contrast_agent=" ".join(_text(dataset, "ContrastBolusAgent").casefold().split()),
        expiration=any(_says_expiration(_text(dataset, name)) for name in _DESCRIPTIONS),
        reconstruction=reconstruction.describe_dataset(dataset) or "",
        simulated=has_own_code(dataset, SIMULATED_CODE),
    )


def _texts(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    try:
        return values.texts(dataset, keyword)
    except DicomError:
        return ()


def _text(dataset: Dataset, keyword: str) -> str:
    return next(iter(_texts(dataset, keyword)), "")


def _says_expiration(description: str) -> bool:
    return bool(_EXPIRATION.search(description.casefold().replace("_", " ")))


def _seconds(time: str) -> float | None:
    """Return the seconds since midnight of a TM, or of the end of a DT (PS3.5 6.2)."""
    found = _TIME.match(time)
    if found is None:
        return None
    hours, minutes, seconds = found.groups(default="0")
    return int(hours) * 3600.0 + int(minutes) * 60.0 + float(seconds)
