"""The grid of a series in the patient, and whether a mask lies on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.geometry import POSITION_TOLERANCE
from rgan_sdk.dicom.header import Vector
from rgan_sdk.dicom.series import Series, slice_normal
from rgan_sdk.errors import ConfigurationError

TOLERANCE: Final = 0.25
"""How far a mask may lie off the series, in pixels and in distances between slices.

Rounding in file formats moves pixels by less: two decimals of a millimetre by about 0.01 pixels,
the matrix of NIfTI-1 by 0.0001 pixels. At 0.5 a pixel would be as near to its neighbour.
"""


@dataclass(frozen=True)
class Plane:
    """Where one slice of a mask lies; the attributes have the meaning they have in ``Series``."""

    rows: int
    columns: int
    pixel_spacing: Vector
    orientation: Vector
    origin: Vector

    @property
    def corners(self) -> NDArray[np.float64]:
        """Centres of the first pixel, and of the last in its row and column; ``[3, 3]`` mm."""
        along_row, along_column = np.reshape(self.orientation, (2, 3))
        between_rows, between_columns = self.pixel_spacing
        row = along_row * between_columns * (self.columns - 1)
        column = along_column * between_rows * (self.rows - 1)
        return np.array([np.zeros(3), row, column]) + self.origin


class Place(NamedTuple):
    """Where a plane lies in the series.

    Attributes
    ----------
    number
        Of the slice.
    row, column
        Of its first pixel in the slice; negative above and left of it.
    """

    number: int
    row: int
    column: int


class SeriesGrid:
    """The grid of a series.

    Attributes
    ----------
    shape
        Slices, rows, columns.
    axes
        ``[3, 3]`` unit vectors along a row, along a column, and along the slice normal.
    """

    def __init__(self, series: Series) -> None:
        self._series = series
        self.shape = (len(series.slices), series.rows, series.columns)
        self.axes = np.array(
            [*np.reshape(series.orientation, (2, 3)), slice_normal(series.orientation)]
        )
        # ImageOrientationPatient is rounded, so the axes are not exactly orthogonal.
        self._to_pixels = np.linalg.inv(self.axes)[:, :2] / series.pixel_spacing[::-1]
        self._origins = np.array([file.origin for file in series.slices])
        self._positions = np.array([file.position for file in series.slices])
        self._numbers = {file.sop_instance_uid: i for i, file in enumerate(series.slices)}
        self._slice_tolerance = TOLERANCE * _slice_distance(series)

    def require_frame_of_reference(self, uid: str) -> None:
        """Raise ConfigurationError if the mask has another frame of reference.

        An empty UID is unknown, and nothing is raised.
        """
        own = self._series.frame_of_reference_uid
        if uid and own and uid != own:
            raise ConfigurationError(
                f"FrameOfReferenceUID is {uid}, that of the series is {own}: their positions "
                "cannot be compared; give the mask that was made for this scan, or register it"
            )

    def require_study(self, uid: str) -> None:
        """Raise ConfigurationError if the mask is of another study; an empty UID is unknown."""
        own = self._series.study_instance_uid
        if uid and uid != own:
            raise ConfigurationError(
                f"StudyInstanceUID is {uid}, that of the series is {own}; give the mask that was "
                "made for this scan"
            )

    def reaches(self, plane: Plane) -> bool:
        """Tell whether a plane lies between the first and the last slice of the series."""
        height = float(self.axes[2] @ plane.origin)
        first, last = self._positions[[0, -1]]
        return bool(first - self._slice_tolerance <= height <= last + self._slice_tolerance)

    def place_of(self, plane: Plane, sop_instance_uids: Iterable[str] = ()) -> Place:
        """Return where the pixels of a plane lie in the series.

        Parameters
        ----------
        plane
            It may have fewer or more rows and columns than the series, if its pixels lie on those
            of the series or of their continuation.
        sop_instance_uids
            Images that the plane was made from, if it names any.

        Raises
        ------
        ConfigurationError
            If its pixels lie elsewhere, the series has no such slice, or several and the images
            do not say which.
        """
        series = self._series
        extent = max(plane.rows, plane.columns, 2) - 1
        turned = np.abs(np.subtract(plane.orientation, series.orientation)).max() * extent
        if turned > TOLERANCE:
            raise _mismatch("orientation", _format(plane.orientation), _format(series.orientation))
        scaled = np.abs(np.divide(plane.pixel_spacing, series.pixel_spacing) - 1).max() * extent
        if scaled > TOLERANCE:
            own = _format(series.pixel_spacing)
            raise _mismatch("pixel spacing", _format(plane.pixel_spacing), f"{own} mm")
        number = self.slice_through(plane.corners, sop_instance_uids)
        # Small deviations of spacing and direction move the corners apart: the middle counts.
        own_pixels = [(0, 0), (plane.columns - 1, 0), (0, plane.rows - 1)]
        offsets = self.pixels(plane.corners, number) - own_pixels
        column, row = np.rint((offsets.min(axis=0) + offsets.max(axis=0)) / 2).astype(int).tolist()
        beside = offsets - (column, row)
        if np.abs(beside).max() > TOLERANCE:
            own = _format(series.slices[number].origin)
            across, down = beside[np.abs(beside).max(axis=1).argmax()]
            raise _mismatch(
                "position of the first pixel",
                _format(plane.origin),
                f"{own} mm, and its pixels lie {across:+.2f} columns and {down:+.2f} rows beside "
                "those of the series",
            )
        return Place(number, row, column)

    def on_slice(self, values: NDArray[Any], place: Place) -> NDArray[Any]:
        """Return the values of a plane, ``[h, w]``, on its slice, ``[H, W]``.

        Raises
        ------
        ConfigurationError
            If a value other than 0 lies outside the slice.
        """
        _, rows, columns = self.shape
        top, left = max(place.row, 0), max(place.column, 0)
        part = values[
            max(-place.row, 0) : max(rows - place.row, 0),
            max(-place.column, 0) : max(columns - place.column, 0),
        ]
        if np.count_nonzero(part) < np.count_nonzero(values):
            marked = np.add(np.argwhere(values), (place.row, place.column))
            (top, left), (bottom, right) = marked.min(axis=0), marked.max(axis=0)
            raise ConfigurationError(
                f"marks pixels outside slice {place.number} of the series: rows {top} to {bottom} "
                f"and columns {left} to {right}, where the slice has rows 0 to {rows - 1} and "
                f"columns 0 to {columns - 1}; give the mask that was made for this scan"
            )
        whole = np.zeros((rows, columns), values.dtype)
        whole[top : top + part.shape[0], left : left + part.shape[1]] = part
        return whole

    def slice_through(
        self, points: NDArray[np.float64], sop_instance_uids: Iterable[str] = ()
    ) -> int:
        """Return the number of the slice on which all points ``[P, 3]`` (mm) lie.

        Parameters and errors: see ``place_of``.
        """
        heights = points @ self.axes[2]
        offsets = np.abs(self._positions[:, np.newaxis] - heights).max(axis=1)
        near = set(np.flatnonzero(offsets <= self._slice_tolerance).tolist())
        if not near:
            closest = int(offsets.argmin())
            raise ConfigurationError(
                f"lies at {_span(heights)} mm along the slice normal, where the series has no "
                f"slice; the nearest, {closest}, is at {self._positions[closest]:.3f} mm; resample "
                "the mask to the CT, or give all slices that it was made on"
            )
        named = self.named(sop_instance_uids)
        if named and not named & near:
            raise ConfigurationError(
                f"refers to slice {min(named)} of the series but lies on slice {min(near)}, at "
                f"{_span(heights)} mm; one of the two is wrong, so export the mask again"
            )
        near = named & near or near
        if len(near) > 1:
            raise ConfigurationError(
                f"the series has {len(near)} slices at {_span(heights)} mm, and the mask does not "
                "say which is meant; give a series with one phase"
            )
        return near.pop()

    def named(self, sop_instance_uids: Iterable[str]) -> set[int]:
        """Return the numbers of the slices with these SOPInstanceUIDs."""
        return {self._numbers[uid] for uid in sop_instance_uids if uid in self._numbers}

    def pixels(self, points: NDArray[np.float64], number: int) -> NDArray[np.float64]:
        """Return the column and row, ``[P, 2]``, of points ``[P, 3]`` (mm) near a slice."""
        pixels: NDArray[np.float64] = (points - self._origins[number]) @ self._to_pixels
        return pixels


def _slice_distance(series: Series) -> float:
    """Return the smallest distance between slices in mm; for a single slice its thickness."""
    gaps = [b.position - a.position for a, b in pairwise(series.slices)]
    return min(
        (gap for gap in gaps if gap > POSITION_TOLERANCE), default=series.slice_thickness or 1.0
    )


def _mismatch(what: str, mask: str, series: str) -> ConfigurationError:
    return ConfigurationError(
        f"{what} is {mask}, that of the series is {series}; resample the mask to the CT with "
        "nearest neighbours"
    )


def _span(heights: NDArray[np.float64]) -> str:
    low, high = f"{heights.min():.3f}", f"{heights.max():.3f}"
    return low if low == high else f"{low} to {high}"


def _format(numbers: Iterable[float]) -> str:
    """Return numbers as a message shows them."""
    return "\\".join(f"{number:.6g}" for number in numbers)
