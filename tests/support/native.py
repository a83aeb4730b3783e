"""The native reader beside the one that goes through pydicom."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread

from rgan_sdk import _core
from rgan_sdk.dicom.header import SliceHeader, read_header
from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.batches import BatchReader
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.dicom.read.scanner import HeaderScan
from rgan_sdk.dicom.write.derivation import Derivation, derived_sop_uid
from rgan_sdk.dicom.write.series_writer import SeriesWriter
from rgan_sdk.errors import DicomError, IneligibleError
from rgan_sdk.kernels import kernel_name

POOL = _core.ThreadPool(2)
DERIVATION = Derivation(
    target_kernel="B70f",
    model_name="model",
    model_version="1",
    model_sha256="0" * 64,
    configuration="{}",
    engine="onnxruntime",
    software="rgan-sdk test",
    timestamp=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
)


def scan(*paths: Path, tags: Sequence[int] = ()) -> list[_core.Head]:
    """Read heads natively."""
    return _core.scan([os.fsencode(path) for path in paths], POOL, list(tags))


def scan_header(path: Path) -> SliceHeader | DicomError:
    """Return the header of one file as a search finds it, or why it is no slice."""
    headers = HeaderScan()
    problems = [error for _, error in headers.read([str(path)])]
    return problems[0] if problems else headers.found[0].header


def read(
    path: Path, rows: int, columns: int, stamp: tuple[int, int, int] | None = None
) -> tuple[_core.SourceSlice, np.ndarray | None]:
    """Read one file natively; ``None`` for HU where it is handed back."""
    hu = np.empty((1, rows, columns), np.float32)
    (native,) = _core.read_batch([(os.fsencode(path), stamp)], hu, POOL)
    return native, (hu[0] if native.problem is None else None)


def write_unchanged(source: Path, target: Path) -> list[Dataset]:
    """Read the one series below a folder, write it as it is, and return what was written."""
    (series,) = find_series(source).series
    hu = np.empty((len(series.slices), series.rows, series.columns), np.float32)
    sources = BatchReader(1).read(series.slices, hu)
    assert not [each for each in sources if isinstance(each, Exception)]
    target.mkdir()
    SeriesWriter(DERIVATION, target, POOL, durable=False).write(series.slices, sources, hu)
    names = [derived_sop_uid(file.sop_instance_uid, DERIVATION) for file in series.slices]
    return [dcmread(target / f"{name}.dcm") for name in names]


def check_file(path: Path) -> str:
    """Compare both readers on a file; say what the native one did."""
    (head,) = scan(path)
    if head.problem is not None:
        return "handed back"
    native, hu = read(path, head.rows, head.columns, head.stamp)
    try:
        header = read_header(path)
    except IneligibleError:
        return "no CT slice"  # Python looks at what kind of object it is before it reads a pixel
    try:
        source = read_slice(path)
    except DicomError:
        assert native.problem is not None
        return "unreadable for both"
    assert head.sop_instance_uid == header.sop_instance_uid
    assert head.series_instance_uid == header.series_instance_uid
    assert head.study_instance_uid == header.study_instance_uid
    assert head.frame_of_reference_uid == header.frame_of_reference_uid
    assert (kernel_name(head.convolution_kernel) or None) == header.convolution_kernel
    assert head.manufacturer == header.manufacturer
    assert tuple(head.position) == header.origin
    assert tuple(head.orientation) == header.orientation
    assert tuple(head.pixel_spacing) == header.pixel_spacing
    assert head.slice_thickness == header.slice_thickness
    assert head.rescale_type == header.rescale_type
    assert tuple(head.image_type.split("\\")) == header.image_type
    assert (head.rows, head.columns) == (header.rows, header.columns)
    if native.problem is not None:
        return "pixels handed back"
    assert np.array_equal(hu, source.hu)
    native.fill_padding(hu, 1e6)
    marked = False if source.padding is None else source.padding
    assert np.array_equal(hu, np.where(marked, np.float32(1e6), source.hu))
    return "equal"
