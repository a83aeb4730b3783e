"""What NIfTI-1 says twice or not quite: directions that are not orthogonal, sform and qform.

SimpleITK refuses a file whose sform has axes that are not at right angles to about 1e-4. Rounding
in single precision, and programs that register images, write many such files.
"""

from __future__ import annotations

import gzip
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations, product
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import ConfigurationError

MAX_SHEAR: Final = 0.1
"""Degrees by which the axes may be off a right angle: a pixel in 573."""

_PERMISSIVE: Final = "ITK_NIFTI_SFORM_PERMISSIVE"
_PIXDIM: Final = {348: ("f", 76), 540: ("d", 104)}
"""Type and offset of pixdim[0], by the size of the header: NIfTI-1 and NIfTI-2."""

_HEADER_BYTES: Final = 112
_TO_LPS: Final = np.array([-1.0, -1.0, 1.0])
_UNIT_MM: Final = {1: 1000.0, 3: 0.001}
"""By the lowest three bits of xyzt_units: metre and micrometre. All else is mm."""


def read_sheared(path: Path) -> Any:
    """Read a file whose sform SimpleITK refuses, with the nearest axes that are orthogonal.

    Raises
    ------
    ConfigurationError
        If the axes are more than ``MAX_SHEAR`` off a right angle.
    RuntimeError
        If SimpleITK cannot read the file even so.
    """
    import SimpleITK

    with _permissive():
        image: Any = SimpleITK.ReadImage(str(path))
    steps, origin = _sform(image)
    spacing = np.linalg.norm(steps, axis=0)
    axes = steps / spacing
    shear = max(
        abs(np.degrees(np.arcsin(axes[:, a] @ axes[:, b]))) for a, b in combinations(range(3), 2)
    )
    if not np.isfinite(shear):
        raise ConfigurationError("its sform has no direction for an axis; write the mask again")
    if shear > MAX_SHEAR:
        raise ConfigurationError(
            f"the axes of its voxels (sform) are {shear:.3g} degrees off a right angle, and "
            f"{MAX_SHEAR:g} are accepted; resample the mask to the CT with nearest neighbours"
        )
    left, _, right = np.linalg.svd(axes)
    image.SetDirection((left @ right).ravel().tolist())
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(origin.tolist())
    return image


def check_one_place(image: Any, path: Path, tolerance: float) -> None:
    """Refuse an image whose sform and qform place its voxels differently.

    Parameters
    ----------
    image, path
        As SimpleITK read it, and its file; nothing is done if it is not NIfTI.
    tolerance
        Of the smallest distance between voxels.

    Raises
    ------
    ConfigurationError
        If they differ by more.
    """
    codes = [_number(image, f"{form}_code") for form in ("sform", "qform")]
    if not all(code > 0 for code in codes):  # one of them counts, or the file has neither
        return
    ends = np.array(list(product(*((0, size - 1) for size in image.GetSize()))), np.float64)
    (s_steps, s_origin), (q_steps, q_origin) = _sform(image), _qform(image, _qfac(path))
    apart = np.linalg.norm(ends @ (s_steps - q_steps).T + s_origin - q_origin, axis=1).max()
    if apart > tolerance * np.linalg.norm(s_steps, axis=0).min():
        raise ConfigurationError(
            f"its sform and its qform place the same voxels {apart:.3g} mm apart, so it is unclear "
            "where they lie; remove the wrong one, or write the mask again"
        )


@contextmanager
def _permissive() -> Iterator[None]:
    """Let SimpleITK read any sform meanwhile."""
    before = os.environ.get(_PERMISSIVE)
    os.environ[_PERMISSIVE] = "ON"
    try:
        yield
    finally:
        os.environ.pop(_PERMISSIVE)
        if before is not None:
            os.environ[_PERMISSIVE] = before


def _sform(image: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the steps from voxel to voxel as columns, ``[3, 3]``, and the origin, mm in LPS."""
    rows = [[float(text) for text in image.GetMetaData(f"srow_{axis}").split()] for axis in "xyz"]
    matrix = np.array(rows) * _TO_LPS[:, np.newaxis] * _unit(image)
    return matrix[:, :3], matrix[:, 3]


def _qform(image: Any, qfac: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what ``_sform`` does: a rotation by a quaternion, spacing, and ``qfac``."""
    b, c, d = (_number(image, f"quatern_{axis}") for axis in "bcd")
    a = np.sqrt(max(0.0, 1 - b * b - c * c - d * d))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    spacing = np.array([_number(image, f"pixdim[{axis}]") for axis in (1, 2, 3)])
    spacing[2] *= qfac
    origin = np.array([_number(image, f"qoffset_{axis}") for axis in "xyz"])
    scale = _TO_LPS * _unit(image)
    return rotation * spacing * scale[:, np.newaxis], origin * scale


def _qfac(path: Path) -> float:
    """Return the sign of the third axis, which SimpleITK does not give correctly."""
    with path.open("rb") as file:
        is_compressed = file.read(2) == b"\x1f\x8b"
    with gzip.open(path) if is_compressed else path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    for order in "<>":
        size = struct.unpack_from(f"{order}i", header)[0]
        if size in _PIXDIM:
            kind, offset = _PIXDIM[size]
            return -1.0 if struct.unpack_from(f"{order}{kind}", header, offset)[0] < 0 else 1.0
    raise ConfigurationError("its header is not that of NIfTI; write the mask again")


def _unit(image: Any) -> float:
    return _UNIT_MM.get(int(_number(image, "xyzt_units")) & 7, 1.0)


def _number(image: Any, key: str) -> float:
    """Return a number of the header; 0 if the file is not NIfTI."""
    return float(image.GetMetaData(key)) if image.HasMetaDataKey(key) else 0.0
