"""What the headers of slices state about their scans, for the report and for a paper."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rgan_sdk.dicom import values
from rgan_sdk.errors import DicomError
from rgan_train.pairs.splits import PARTS

if TYPE_CHECKING:
    from rgan_train.pairs.dataset import Dataset


def describe_scans(files: Iterable[Path]) -> dict[str, Any]:
    """Return what the headers of slices state, as JSON data without patient data.

    Parameters
    ----------
    files
        DICOM files of CT slices, one or more of each series.

    Returns
    -------
    dict
        ``series`` is their number. All else are lists of the values that occur, each once and in
        order, without those that are not stated: ``manufacturers``, ``scanners``
        (ManufacturerModelName), ``kernels``, ``tube_kv``, ``thickness_mm``, ``pixel_spacing_mm``
        (between rows) and ``matrix`` (rows x columns).

    Raises
    ------
    DicomError
        If a file cannot be read.
    """
    found = [_describe(path) for path in files]
    names = [name for name in (found[0] if found else {}) if name != "series"]
    return {
        "series": len({one["series"] for one in found}),
        **{name: sorted({one[name] for one in found} - {None, ""}) for name in names},
    }


def _describe(path: Path) -> dict[str, Hashable]:
    from rgan_sdk.dicom.read.pydicom_reader import read_dataset

    dataset = read_dataset(path)
    spacing = values.optional_numbers(dataset, "PixelSpacing", 2)
    size = values.integer(dataset, "Rows"), values.integer(dataset, "Columns")
    return {
        "series": values.text(dataset, "SeriesInstanceUID"),
        "manufacturers": _text(dataset, "Manufacturer"),
        "scanners": _text(dataset, "ManufacturerModelName"),
        "kernels": "\\".join(values.texts(dataset, "ConvolutionKernel")),
        "tube_kv": values.optional_number(dataset, "KVP"),
        "thickness_mm": values.optional_number(dataset, "SliceThickness"),
        "pixel_spacing_mm": spacing and spacing[0],
        "matrix": f"{size[0]} x {size[1]}",
    }


def _text(dataset: Any, keyword: str) -> str:
    try:
        return values.text(dataset, keyword)
    except DicomError:
        return ""


def describe_split(dataset: Dataset) -> dict[str, Any]:
    """Return how many slices and patients each part of a data set has, as JSON data."""
    patients = {part: {item.patient for item in getattr(dataset, part)} for part in PARTS}
    seen = patients["train"] | patients["validation"]
    return {
        "slices": {part: len(getattr(dataset, part)) for part in PARTS},
        "patients": {part: len(found) for part, found in patients.items()},
        "test_patients_also_in_training": len(patients["test"] & seen),
    }
