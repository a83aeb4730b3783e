"""How the array of a NIfTI file becomes slices with the rows and columns that DICOM had.

A network need not treat a mirrored image as it treats the image, so slices are harmonized as the
scanner's rows and columns show them. NIfTI points right, front and up (RAS), DICOM left, back and
up (LPS); dcm2niix also reverses the rows. A converter's sidecar tells the direction of rows and
columns. Without it they run as they do in CT of a patient who lies on the back: to the left, to
the back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import NiftiError

Scalar = TypeVar("Scalar", bound=np.generic)
Floats = NDArray[np.float64]

RAS_TO_LPS: Final = np.diag([-1.0, -1.0, 1.0])
AXIAL: Final = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""ImageOrientationPatient of a patient who lies on the back."""
SLICE_AXIS: Final = 2
PERPENDICULAR: Final = 1e-3
"""The largest cosine between the directions of rows and columns."""


@dataclass(frozen=True)
class SliceOrder:
    """How the axes of an array become slices, rows and columns.

    Attributes
    ----------
    column_axis
        The array's axis along which the columns are counted, 0 or 1; the rows are counted along
        the other one.
    reverses_rows, reverses_columns
        Whether they are counted from the end of that axis.
    """

    column_axis: int
    reverses_rows: bool
    reverses_columns: bool

    def slices(self, array: NDArray[Scalar]) -> NDArray[Scalar]:
        """Return a view of an array ``[X, Y, N]`` as ``[N, H, W]``, to read and to write."""
        turned = array if self.column_axis == 0 else array.swapaxes(0, 1)
        if self.reverses_columns:
            turned = turned[::-1]
        if self.reverses_rows:
            turned = turned[:, ::-1]
        return turned.transpose(2, 1, 0)


def find_order(affine: NDArray[Any], stated: tuple[float, ...] | None) -> SliceOrder:
    """Return how the slices of a file are ordered, whose third axis counts them.

    Parameters
    ----------
    affine
        ``[4, 4]``, from the array's indices to mm, RAS.
    stated
        ImageOrientationPatient (0020,0037) of the slices; None if it is not known.

    Raises
    ------
    NiftiError
        If the affine is none for slices, or slices are not counted along the third axis.
    """
    axes = _directions(affine)
    _check_slice_axis(axes, stated)
    orientation = np.array(stated or AXIAL).reshape(2, 3)
    # Rows of the result: along a row (columns are counted), down a column (rows are counted).
    cosines = orientation @ axes[:, :SLICE_AXIS]
    straight = abs(cosines[0, 0]) + abs(cosines[1, 1])
    crossed = abs(cosines[0, 1]) + abs(cosines[1, 0])
    column_axis = 0 if straight >= crossed else 1
    return SliceOrder(
        column_axis,
        reverses_rows=bool(cosines[1, 1 - column_axis] < 0),
        reverses_columns=bool(cosines[0, column_axis] < 0),
    )


def _directions(affine: NDArray[Any]) -> Floats:
    """Return the unit vectors of the array's axes, LPS, as columns."""
    axes: Floats = RAS_TO_LPS @ np.asarray(affine, np.float64)[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if not (np.isfinite(lengths).all() and lengths.all()):
        raise NiftiError("its affine has an axis without direction")
    axes = axes / lengths
    if abs(axes[:, 0] @ axes[:, 1]) > PERPENDICULAR:
        raise NiftiError(
            "its affine is sheared: rows and columns are not perpendicular; take the file as it "
            "was converted"
        )
    return axes


def _check_slice_axis(axes: Floats, stated: tuple[float, ...] | None) -> None:
    if stated is None:
        normal = np.array([0.0, 0.0, 1.0])
        says = "CT slices follow each other from feet to head"
    else:
        normal = np.cross(stated[:3], stated[3:])
        says = "its sidecar's ImageOrientationPatientDICOM says that slices lie otherwise"
    nearest = int(np.argmax(np.abs(normal @ axes)))
    if nearest != SLICE_AXIS:
        names = ("first", "second", "third")
        raise NiftiError(
            f"its {names[nearest]} axis runs across the slices, and should be the third: {says}; "
            "take the file as it was converted, or reorder its axes"
        )
