"""Series of CT slices, and how the slices of one SeriesInstanceUID are grouped into them."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol

from pydicom import Dataset

from rgan_sdk.dicom.header import SliceHeader, Vector
from rgan_sdk.dicom.read.pydicom_reader import PydicomSlice, convert_dataset, read_slice
from rgan_sdk.dicom.stamp import Stamp
from rgan_sdk.errors import InvalidSeriesError

ORIENTATION_TOLERANCE: Final = 1e-3
SPACING_TOLERANCE_MM: Final = 1e-4


class Described(Protocol):
    """What is compared with a model's card: of a series, or of a file of another format.

    See ``Series`` for the attributes.
    """

    @property
    def convolution_kernel(self) -> str | None: ...  # noqa: D102

    @property
    def manufacturer(self) -> str: ...  # noqa: D102

    @property
    def pixel_spacing(self) -> Vector: ...  # noqa: D102

    @property
    def mean_pixel_spacing(self) -> float: ...  # noqa: D102

    @property
    def slice_thickness(self) -> float | None: ...  # noqa: D102

    @property
    def reconstruction(self) -> str | None: ...  # noqa: D102

    @property
    def image_type(self) -> tuple[str, ...]: ...  # noqa: D102


@dataclass(frozen=True)
class SliceFile:
    """One file of a series.

    Attributes
    ----------
    position
        mm along the slice normal of the series.
    origin
        ImagePositionPatient: x, y, z of the centre of the first pixel, mm.
    stamp
        Of the file when its header was read.
    dataset
        As in ``SliceHeader``.
    """

    path: Path
    sop_instance_uid: str
    position: float
    origin: Vector
    rows: int
    columns: int
    stamp: Stamp
    dataset: Dataset | None = field(default=None, repr=False, compare=False)

    def read(self) -> PydicomSlice:
        """Read the slice through pydicom, or raise as ``read_slice`` does."""
        if self.dataset is None:
            return read_slice(self.path, self.stamp)
        return convert_dataset(self.dataset, self.path)


@dataclass(frozen=True)
class Series:
    """Slices that belong together and can be harmonized.

    All slices agree in the attributes of the series. Where slices of one SeriesInstanceUID differ
    in them, they form several series, which ``group`` numbers.

    Attributes
    ----------
    group
        0, 1, ... among the series of one SeriesInstanceUID.
    slices
        Sorted by ascending ``position``, then SOPInstanceUID. Several slices may have the same
        position, such as the phases of a dynamic scan.
    patient
        Pseudonym: 12 hexadecimal digits of the SHA-256 of PatientID, or of StudyInstanceUID where
        PatientID is empty.
    convolution_kernel
        All values of ConvolutionKernel, as ``kernel_name`` spells them; None where absent.
    pixel_spacing
        mm between rows, mm between columns.
    slice_thickness
        mm, None where it is absent, badly written, or differs between slices.
    orientation
        ImageOrientationPatient: direction cosines of row and column.
    reconstruction
        What the headers say of iterative or learned reconstruction; None where they say nothing or
        differ.
    image_type
        The values of ImageType that all slices have, in upper case.
    notes
        What was assumed of its numbers.

    Raises
    ------
    InvalidSeriesError
        If there are no slices, if they are not sorted, or if a SOPInstanceUID occurs twice.
    """

    series_instance_uid: str
    group: int
    slices: tuple[SliceFile, ...]
    study_instance_uid: str
    frame_of_reference_uid: str
    patient: str
    manufacturer: str
    convolution_kernel: str | None
    rows: int
    columns: int
    pixel_spacing: Vector
    slice_thickness: float | None
    orientation: Vector
    reconstruction: str | None = None
    image_type: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def mean_pixel_spacing(self) -> float:
        """The mean of both values of ``pixel_spacing``, mm: what models take."""
        return sum(self.pixel_spacing) / 2

    def __post_init__(self) -> None:
        if not self.slices:
            raise InvalidSeriesError("a series without slices")
        if list(self.slices) != sorted(self.slices, key=_sort_key):
            raise InvalidSeriesError("the slices are not sorted by position")
        if len({file.sop_instance_uid for file in self.slices}) < len(self.slices):
            raise InvalidSeriesError("a SOPInstanceUID occurs twice in the series")


def hash_slices(series: Series) -> str:
    """Return a hash of which slices a series has, and how large their files are."""
    lines = sorted(f"{file.sop_instance_uid} {file.stamp.size}\n" for file in series.slices)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def group_slices(headers: Iterable[SliceHeader]) -> list[Series]:
    """Split the slices of one SeriesInstanceUID into series, each sorted along its normal.

    Raises
    ------
    InvalidSeriesError
        If the slices belong to more than one study or patient.
    """
    # Sorted by UID, so that renaming files does not change the group numbers.
    ordered = sorted(headers, key=lambda header: header.sop_instance_uid)
    for name, what in (("study_instance_uid", "study"), ("patient", "patient")):
        if len({getattr(header, name) for header in ordered}) > 1:
            raise InvalidSeriesError(f"the series holds slices of more than one {what}")
    groups: list[list[SliceHeader]] = []
    for header in ordered:
        matches = (group for group in groups if _belong_together(group[0], header))
        group = next(matches, None)
        if group is None:
            groups.append([header])
        else:
            group.append(header)
    return [_make_series(number, group) for number, group in enumerate(groups)]


def _belong_together(a: SliceHeader, b: SliceHeader) -> bool:
    return (
        (a.rows, a.columns, a.frame_of_reference_uid, a.convolution_kernel)
        == (b.rows, b.columns, b.frame_of_reference_uid, b.convolution_kernel)
        and same_orientation(a.orientation, b.orientation)
        and same_spacing(a.pixel_spacing, b.pixel_spacing)
    )


def same_orientation(a: Vector, b: Vector) -> bool:
    """Return whether two slices of one series may have these values of ImageOrientationPatient."""
    return _is_close(a, b, ORIENTATION_TOLERANCE)


def same_spacing(a: Vector, b: Vector) -> bool:
    """Return whether two slices of one series may have these values of PixelSpacing."""
    return _is_close(a, b, SPACING_TOLERANCE_MM)


def _is_close(a: Vector, b: Vector, tolerance: float) -> bool:
    return a == b or max(abs(x - y) for x, y in zip(a, b, strict=True)) <= tolerance


def _make_series(number: int, headers: list[SliceHeader]) -> Series:
    first = headers[0]
    normal = slice_normal(first.orientation)
    slices = [
        SliceFile(
            path=header.path,
            sop_instance_uid=header.sop_instance_uid,
            position=sum(x * n for x, n in zip(header.origin, normal, strict=True)),
            origin=header.origin,
            rows=header.rows,
            columns=header.columns,
            stamp=header.stamp,
            dataset=header.dataset,
        )
        for header in headers
    ]
    thicknesses = {header.slice_thickness for header in headers}
    reconstructions = {header.reconstruction for header in headers}
    return Series(
        series_instance_uid=first.series_instance_uid,
        group=number,
        slices=tuple(sorted(slices, key=_sort_key)),
        study_instance_uid=first.study_instance_uid,
        frame_of_reference_uid=first.frame_of_reference_uid,
        patient=first.patient,
        manufacturer=first.manufacturer,
        convolution_kernel=first.convolution_kernel,
        rows=first.rows,
        columns=first.columns,
        pixel_spacing=first.pixel_spacing,
        slice_thickness=thicknesses.pop() if len(thicknesses) == 1 else None,
        orientation=first.orientation,
        reconstruction=reconstructions.pop() if len(reconstructions) == 1 else None,
        image_type=_common_values([header.image_type for header in headers]),
    )


def _common_values(image_types: list[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the values that all of them hold, in the order of the first."""
    common = set.intersection(*map(set, image_types))
    return tuple(value for value in image_types[0] if value in common)


def _sort_key(file: SliceFile) -> tuple[float, str]:
    return file.position, file.sop_instance_uid


def slice_normal(orientation: Vector) -> Vector:
    """Return the unit normal of a slice: row direction x column direction (PS3.3 C.7.6.2)."""
    ax, ay, az, bx, by, bz = orientation
    return ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx


def __getattr__(name: str) -> Any:
    """Return what has moved from here; to be removed with version 0.2."""
    if name != "find_series":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        "find_series has moved to rgan_sdk.dicom.inventory", DeprecationWarning, stacklevel=2
    )
    return import_module("rgan_sdk.dicom.inventory").find_series
