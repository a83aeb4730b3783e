"""Series of CT slices, and how the slices of one SeriesInstanceUID are grouped into them."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.header import SliceHeader, Vector
from rgan_sdk.dicom.slices.alike import AlikeSlices, gather
from rgan_sdk.dicom.slices.table import SliceFile, SliceTable
from rgan_sdk.errors import InvalidSeriesError

ORIENTATION_TOLERANCE: Final = 1e-3
SPACING_TOLERANCE_MM: Final = 1e-4
MAKERS_DIFFER: Final = "Manufacturer (0008,0070) is not the same in all slices"


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
        position, such as the phases of a dynamic scan. Any sequence of ``SliceFile`` may be given.
    patient
        Pseudonym: 12 hexadecimal digits of the SHA-256 of PatientID, or of StudyInstanceUID where
        PatientID is empty.
    manufacturer
        Empty where absent. If slices name several, all of them, with a backslash between.
    convolution_kernel
        All values of ConvolutionKernel, as ``kernel_name`` spells them; None where absent.
    pixel_spacing
        mm between rows, mm between columns.
    slice_thickness
        mm, None where it is absent, badly written, or differs between slices.
    orientation
        ImageOrientationPatient: direction cosines of row and column.
    reconstruction
        What the headers say of iterative or learned reconstruction, None where they say nothing. If
        slices differ, all that they say.
    image_type
        The values of ImageType that all slices have, in upper case.
    notes
        What was assumed of its numbers, and which files may be missing from it.

    Raises
    ------
    InvalidSeriesError
        If there are no slices, if they are not sorted, or if a SOPInstanceUID occurs twice.
    """

    series_instance_uid: str
    group: int
    slices: SliceTable
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
        given: Sequence[SliceFile] = self.slices
        table = given if isinstance(given, SliceTable) else SliceTable.of(given)
        object.__setattr__(self, "slices", table)
        if not table:
            raise InvalidSeriesError("a series without slices")
        if not table.is_sorted:
            raise InvalidSeriesError("the slices are not sorted by position")
        if len(set(table.sop_instance_uids)) < len(table):
            raise InvalidSeriesError("a SOPInstanceUID occurs twice in the series")


def hash_slices(series: Series) -> str:
    """Return a hash of which slices a series has, and how large their files are."""
    slices = series.slices
    files = zip(slices.sop_instance_uids, slices.sizes, strict=True)
    lines = sorted(f"{uid} {size}\n" for uid, size in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def group_slices(headers: Iterable[SliceHeader]) -> list[Series]:
    """Split the slices of one SeriesInstanceUID into series, each sorted along its normal.

    Raises
    ------
    InvalidSeriesError
        If the slices belong to more than one study or patient.
    """
    return group_alike(gather(headers))


def group_alike(found: Iterable[AlikeSlices]) -> list[Series]:
    """Do what ``group_slices`` does with headers that are gathered already."""
    # Sorted by UID, so that renaming files does not change the group numbers.
    ordered = sorted(found, key=lambda alike: min(alike.sop_instance_uids))
    for name, what in (("study_instance_uid", "study"), ("patient", "patient")):
        if len({getattr(alike.header, name) for alike in ordered}) > 1:
            raise InvalidSeriesError(f"the series holds slices of more than one {what}")
    groups: list[list[AlikeSlices]] = []
    for alike in ordered:
        matches = (group for group in groups if _belong_together(group[0].header, alike.header))
        group = next(matches, None)
        if group is None:
            groups.append([alike])
        else:
            group.append(alike)
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


def _make_series(number: int, group: list[AlikeSlices]) -> Series:
    first = group[0].header
    thicknesses = {alike.header.slice_thickness for alike in group}
    makers = {alike.header.manufacturer for alike in group}
    return Series(
        series_instance_uid=first.series_instance_uid,
        group=number,
        slices=_sort_slices(group),
        study_instance_uid=first.study_instance_uid,
        frame_of_reference_uid=first.frame_of_reference_uid,
        patient=first.patient,
        manufacturer="\\".join(sorted(filter(None, makers))),
        convolution_kernel=first.convolution_kernel,
        rows=first.rows,
        columns=first.columns,
        pixel_spacing=first.pixel_spacing,
        slice_thickness=thicknesses.pop() if len(thicknesses) == 1 else None,
        orientation=first.orientation,
        reconstruction=_join({alike.header.reconstruction for alike in group}),
        image_type=_common_values([alike.header.image_type for alike in group]),
        notes=(MAKERS_DIFFER,) if len(makers) > 1 else (),
    )


def _join(reconstructions: set[str | None]) -> str | None:
    """Return one text for what slices say of their reconstruction."""
    stated = " and ".join(sorted(filter(None, reconstructions)))
    return f"{stated} in some slices" if stated and None in reconstructions else stated or None


def _sort_slices(group: list[AlikeSlices]) -> SliceTable:
    first = group[0].header
    paths = [path for alike in group for path in alike.paths]
    uids = [uid for alike in group for uid in alike.sop_instance_uids]
    datasets = [dataset for alike in group for dataset in alike.datasets]
    places = np.concatenate([alike.unpack() for alike in group])
    x, y, z = slice_normal(first.orientation)
    origins = places["origin"]
    positions = 0.0 + origins[:, 0] * x + origins[:, 1] * y + origins[:, 2] * z
    order = _find_order(positions, uids)
    return SliceTable(
        [paths[index] for index in order],
        [uids[index] for index in order],
        places[order],
        positions[order],
        rows=first.rows,
        columns=first.columns,
        datasets=[datasets[index] for index in order] if datasets else (),
    )


def _find_order(positions: NDArray[np.float64], uids: Sequence[str]) -> list[int]:
    """Return the indices of slices by position, and of those at one position by UID."""
    order: list[int] = np.argsort(positions, kind="stable").tolist()
    if np.diff(positions[order]).all():
        return order
    return sorted(order, key=lambda index: (positions[index], uids[index]))


def _common_values(image_types: list[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the values that all of them hold, in the order of the first."""
    common = set.intersection(*map(set, image_types))
    return tuple(value for value in image_types[0] if value in common)


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
