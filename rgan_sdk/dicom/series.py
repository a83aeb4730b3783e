"""Series of CT slices: find them under a folder, group and sort their files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from rgan_sdk.dicom.discovery import walk
from rgan_sdk.dicom.header import SliceHeader, Vector, read_header, series_of
from rgan_sdk.errors import DicomError, IneligibleError, InvalidSeriesError

ORIENTATION_TOLERANCE: Final = 1e-3
SPACING_TOLERANCE_MM: Final = 1e-4


@dataclass(frozen=True)
class SliceFile:
    """One file of a series.

    Attributes
    ----------
    position
        mm along the slice normal of the series.
    origin
        ImagePositionPatient: x, y, z of the first pixel's centre, mm.
    sha256
        Of the whole file, hexadecimal.
    """

    path: Path
    sop_instance_uid: str
    position: float
    origin: Vector
    rows: int
    columns: int
    sha256: str


@dataclass(frozen=True)
class Series:
    """Slices that belong together and can be harmonized.

    What is held here once is true for every slice. One SeriesInstanceUID gives several of
    these, told apart by ``group``, where its slices differ in it.

    Attributes
    ----------
    group
        0, 1, ... among the series of one SeriesInstanceUID.
    slices
        Sorted by ascending ``position``, then SOPInstanceUID. Slices may share a position
        (several phases in one series).
    patient
        Pseudonym: 12 hexadecimal digits of the SHA-256 of PatientID (of StudyInstanceUID
        where that is empty).
    convolution_kernel
        The first value of ConvolutionKernel, None where absent.
    pixel_spacing
        mm between rows, mm between columns.
    slice_thickness
        mm; None where absent or not the same in all slices.
    orientation
        ImageOrientationPatient: direction cosines of row and column.

    Raises
    ------
    InvalidSeriesError
        If there are no slices, they are out of order, or one occurs twice.
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

    def __post_init__(self) -> None:
        if not self.slices:
            raise InvalidSeriesError("a series without slices")
        if list(self.slices) != sorted(self.slices, key=_place):
            raise InvalidSeriesError("the slices are not sorted by position")
        if len({file.sop_instance_uid for file in self.slices}) < len(self.slices):
            raise InvalidSeriesError("a SOPInstanceUID occurs twice in the series")


@dataclass(frozen=True)
class FileOutcome:
    """A file that will not be harmonized, and why. A folder only if it can't be read."""

    path: Path
    status: Literal["skipped", "failed"]
    reason: str


@dataclass(frozen=True)
class FailedSeries:
    """A series that cannot be harmonized as a whole.

    Attributes
    ----------
    reason
        The first thing that is wrong with it.
    outcomes
        Every file of the series, each ``failed``.
    """

    series_instance_uid: str
    reason: str
    outcomes: tuple[FileOutcome, ...]


@dataclass(frozen=True)
class Inventory:
    """What lies under a folder: each file found is in exactly one of the three."""

    series: tuple[Series, ...]
    failed: tuple[FailedSeries, ...]
    outcomes: tuple[FileOutcome, ...]


def find_series(root: Path, on_file: Callable[[], None] | None = None) -> Inventory:
    """Find all CT series under a folder, by content and not by name.

    Parameters
    ----------
    on_file
        Called after each file has been looked at.

    Returns
    -------
    Inventory
        In an order that depends on nothing but UIDs and paths.

    Raises
    ------
    OSError
        If ``root`` itself cannot be read. Whatever is wrong below it is in the inventory.
    """
    search = _Search(root)
    for path, problem in walk(root):
        search.look_at(path, problem)
        if on_file is not None:
            on_file()
    search.settle_repeated_uids()
    return search.inventory()


class _Search:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._headers: dict[str, list[SliceHeader]] = defaultdict(list)
        self._faults: dict[str, list[FileOutcome]] = defaultdict(list)
        self._outcomes: list[FileOutcome] = []

    def look_at(self, path: Path, problem: OSError | IneligibleError | None) -> None:
        try:
            if problem is not None:
                raise problem
            header = read_header(path)
        except IneligibleError as error:
            self._outcomes.append(FileOutcome(path, "skipped", str(error)))
        except DicomError as error:
            outcome = FileOutcome(path, "failed", str(error))
            series = series_of(path)
            (self._outcomes if series is None else self._faults[series]).append(outcome)
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
            self._outcomes.append(FileOutcome(path, "failed", reason))
        else:
            self._headers[header.series_instance_uid].append(header)

    def settle_repeated_uids(self) -> None:
        """Skip identical copies; fail the series of files that share a UID and differ."""
        by_uid: dict[str, list[SliceHeader]] = defaultdict(list)
        for header in _in_path_order(self._headers):
            by_uid[header.sop_instance_uid].append(header)
        for uid, headers in by_uid.items():
            kept: dict[str, SliceHeader] = {}
            for header in headers:
                first = kept.setdefault(header.sha256, header)
                if first is not header:
                    reason = f"identical duplicate of {self._name(first.path)}"
                    self._outcomes.append(FileOutcome(header.path, "skipped", reason))
                    self._headers[header.series_instance_uid].remove(header)
            if len(kept) > 1:
                self._fail_all(uid, list(kept.values()))

    def _fail_all(self, uid: str, headers: list[SliceHeader]) -> None:
        names = " and ".join(self._name(header.path) for header in headers[:2])
        reason = f"SOPInstanceUID {uid} stands for different content in {names}"
        for header in headers:
            series = header.series_instance_uid
            self._faults[series].append(FileOutcome(header.path, "failed", reason))
            self._headers[series].remove(header)

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()

    def inventory(self) -> Inventory:
        series: list[Series] = []
        failed: list[FailedSeries] = []
        for uid in sorted(self._headers.keys() | self._faults.keys()):
            headers = self._headers.get(uid, [])
            faults = self._faults.get(uid, [])
            try:
                if faults:
                    raise InvalidSeriesError(f"{self._name(faults[0].path)}: {faults[0].reason}")
                series += group_slices(headers)
            except InvalidSeriesError as error:
                failed.append(_failed(uid, str(error), headers, faults))
        return Inventory(tuple(series), tuple(failed), tuple(self._outcomes))


def _failed(
    uid: str, reason: str, headers: list[SliceHeader], faults: list[FileOutcome]
) -> FailedSeries:
    rest = [FileOutcome(h.path, "failed", f"its series failed: {reason}") for h in headers]
    outcomes = sorted([*faults, *rest], key=lambda outcome: outcome.path)
    return FailedSeries(uid, reason, tuple(outcomes))


def _in_path_order(headers: dict[str, list[SliceHeader]]) -> list[SliceHeader]:
    return sorted((h for group in headers.values() for h in group), key=lambda h: h.path)


def group_slices(headers: Iterable[SliceHeader]) -> list[Series]:
    """Split the slices of one SeriesInstanceUID into series, each sorted along its normal.

    Raises
    ------
    InvalidSeriesError
        If the slices belong to more than one study or patient.
    """
    # By UID, so that group numbers don't change when files are renamed.
    ordered = sorted(headers, key=lambda header: header.sop_instance_uid)
    for name in ("study_instance_uid", "patient"):
        if len({getattr(header, name) for header in ordered}) > 1:
            raise InvalidSeriesError(f"the series holds slices of more than one {name[:7]}")
    groups: list[list[SliceHeader]] = []
    for header in ordered:
        fitting = (group for group in groups if _belong_together(group[0], header))
        group = next(fitting, None)
        if group is None:
            groups.append([header])
        else:
            group.append(header)
    return [_series(number, group) for number, group in enumerate(groups)]


def _belong_together(a: SliceHeader, b: SliceHeader) -> bool:
    return (
        (a.rows, a.columns, a.frame_of_reference_uid, a.convolution_kernel)
        == (b.rows, b.columns, b.frame_of_reference_uid, b.convolution_kernel)
        and _close(a.orientation, b.orientation, ORIENTATION_TOLERANCE)
        and _close(a.pixel_spacing, b.pixel_spacing, SPACING_TOLERANCE_MM)
    )


def _close(a: Vector, b: Vector, tolerance: float) -> bool:
    return max(abs(x - y) for x, y in zip(a, b, strict=True)) <= tolerance


def _series(number: int, headers: list[SliceHeader]) -> Series:
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
            sha256=header.sha256,
        )
        for header in headers
    ]
    thicknesses = {header.slice_thickness for header in headers}
    return Series(
        series_instance_uid=first.series_instance_uid,
        group=number,
        slices=tuple(sorted(slices, key=_place)),
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
    )


def _place(file: SliceFile) -> tuple[float, str]:
    return file.position, file.sop_instance_uid


def slice_normal(orientation: Vector) -> Vector:
    """Return the unit normal of a slice: row direction x column direction (PS3.3 C.7.6.2)."""
    ax, ay, az, bx, by, bz = orientation
    return ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
