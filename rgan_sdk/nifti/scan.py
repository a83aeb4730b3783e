"""A CT scan in a NIfTI file: what header and sidecar say of it, and its values as HU."""

from __future__ import annotations

import gzip
import importlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.header import Vector
from rgan_sdk.dicom.stamp import CHANGED, Stamp
from rgan_sdk.errors import ConfigurationError, NiftiError
from rgan_sdk.kernels.name import kernel_name
from rgan_sdk.nifti.sidecar import Sidecar
from rgan_sdk.nifti.slice_order import SliceOrder, find_order

COMMENT_CODE: Final = 6
"""Of a header extension that is plain text (NIFTI_ECODE_COMMENT)."""
MARK: Final = b"rgan-sdk: harmonized"
"""What the comment in the header of each harmonized file begins with."""
MM: Final = ("mm", "unknown")
SPACING_TOLERANCE: Final = 0.005
"""Relative: pixdim and the affine may differ so much."""
COMPRESSION: Final = 6


@dataclass(frozen=True)
class NiftiScan:
    """What a file's header and its sidecar say, as ``dicom.series.Described`` asks for it.

    Attributes
    ----------
    stamp
        Of the file that the header was read from.
    shape
        Of the array as it is stored.
    slope, intercept
        ``HU = stored * slope + intercept``.
    order
        How the array becomes slices.
    is_harmonized
        Whether the pixels have been harmonized already.
    header
        nibabel's, with the scaling as the file has it.
    """

    path: Path
    stamp: Stamp = field(repr=False)
    shape: tuple[int, ...]
    slope: float
    intercept: float
    order: SliceOrder
    convolution_kernel: str | None
    pixel_spacing: Vector
    is_harmonized: bool
    sidecar: Sidecar = field(repr=False)
    header: Any = field(repr=False)

    @property
    def manufacturer(self) -> str:
        """Empty where it is not stated."""
        return self.sidecar.manufacturer

    @property
    def slice_thickness(self) -> float | None:
        """In mm; None where it is not stated."""
        return self.sidecar.slice_thickness

    @property
    def reconstruction(self) -> None:
        """Sidecars do not state it."""
        return

    @property
    def image_type(self) -> tuple[str, ...]:
        """The values of ImageType, in upper case."""
        return self.sidecar.image_type

    @property
    def mean_pixel_spacing(self) -> float:
        """The mean of both values of ``pixel_spacing``, mm."""
        return sum(self.pixel_spacing) / 2

    @property
    def count(self) -> int:
        """How many slices there are."""
        return self.shape[2]


def open_scan(path: Path, kernel: str | None) -> NiftiScan:
    """Read what a file's header and its sidecar say.

    Parameters
    ----------
    kernel
        ConvolutionKernel, where the user gives it.

    Raises
    ------
    NiftiError
        If it is no NIfTI file of one CT scan, or sidecar and ``kernel`` contradict each other.
    ConfigurationError
        If nibabel is not installed.
    """
    sidecar = Sidecar.of(path)
    stamp = _read_stamp(path)
    with unchanged(path, stamp):
        image = _load(path)
        header = _read_header(path, image)
    _check_header(header, sidecar)
    order = find_order(image.affine, sidecar.orientation)
    return NiftiScan(
        path,
        stamp,
        shape=tuple(image.shape),
        slope=float(image.dataobj.slope),
        intercept=float(image.dataobj.inter),
        order=order,
        convolution_kernel=_settle_kernel(kernel, sidecar.kernel),
        pixel_spacing=_pixel_spacing(image.affine, header, order),
        is_harmonized=sidecar.is_harmonized or _has_mark(header),
        sidecar=sidecar,
        header=header,
    )


def read_stored(scan: NiftiScan) -> NDArray[Any]:
    """Return the values of a file as they are stored, ``[X, Y, N]``.

    Raises
    ------
    NiftiError
        If the file is damaged, or is not the one whose header was read.
    """
    with unchanged(scan.path, scan.stamp):
        image = _load(scan.path)
        with _translate_errors():
            stored = image.dataobj.get_unscaled()
    return np.asarray(stored).reshape(scan.shape[:3])


@contextmanager
def unchanged(path: Path, stamp: Stamp) -> Iterator[None]:
    """Refuse a file that is not the one that was found, before and after it is read.

    Raises
    ------
    NiftiError
        If its stamp is another one, or it is gone.
    """
    _check_stamp(path, stamp)
    yield
    _check_stamp(path, stamp)


def write_scan(
    scan: NiftiScan, stored: NDArray[Any], path: Path, *, compress: bool, comment: str
) -> None:
    """Write a file with the header of another one, and other values.

    Parameters
    ----------
    stored
        ``[X, Y, N]``, as ``read_stored`` returns them.
    comment
        Is added to the header as an extension; empty for none.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    nib = _nibabel()
    header = scan.header.copy()
    header["vox_offset"] = 0  # is computed anew
    if comment:
        extension = nib.nifti1.Nifti1Extension(COMMENT_CODE, comment.encode())
        header.extensions.append(extension)
    large = isinstance(header, nib.Nifti2Header)
    image = (nib.Nifti2Image if large else nib.Nifti1Image)(
        stored.reshape(scan.shape), header.get_best_affine(), header
    )
    # Given, so that nibabel writes the values as they are.
    image.header["scl_slope"] = _number(scan.header["scl_slope"], 1.0)
    image.header["scl_inter"] = _number(scan.header["scl_inter"], 0.0)
    with path.open("wb") as file:
        if not compress:
            image.to_stream(file)
            return
        with gzip.GzipFile("", "wb", COMPRESSION, file, mtime=0) as packed:
            image.to_stream(packed)


def _read_stamp(path: Path) -> Stamp:
    with _translate_errors():
        return Stamp.from_stat(path.stat())


def _check_stamp(path: Path, stamp: Stamp) -> None:
    if _read_stamp(path) != stamp:
        raise NiftiError(CHANGED)


def _number(value: Any, default: float) -> float:
    return default if np.isnan(value) else float(value)


def _nibabel() -> Any:
    try:
        return importlib.import_module("nibabel")
    except ImportError as exc:
        raise ConfigurationError(
            "NIfTI files need the package nibabel: pip install 'rgan-sdk[nifti]'"
        ) from exc


@contextmanager
def _translate_errors() -> Iterator[None]:
    nib = _nibabel()
    try:
        yield
    except (FileNotFoundError, PermissionError) as exc:
        raise NiftiError(f"cannot be read ({exc.strerror})") from exc
    except (
        OSError,
        EOFError,
        ValueError,
        zlib.error,
        nib.filebasedimages.ImageFileError,
        nib.spatialimages.HeaderDataError,
        nib.spatialimages.HeaderTypeError,
    ) as exc:
        raise NiftiError("is no NIfTI file, or is truncated or damaged") from exc


def _load(path: Path) -> Any:
    """Open a file; its values are not read yet."""
    nib = _nibabel()
    with _translate_errors():
        image = nib.load(path, mmap=False)
    if not isinstance(image, nib.Nifti1Image):  # which those of NIfTI-2 are, too
        raise NiftiError("is no NIfTI file")
    return image


def _read_header(path: Path, image: Any) -> Any:
    """Return the header with its scaling, which images do not keep."""
    with _translate_errors(), _nibabel().openers.ImageOpener(path) as file:
        return image.header_class.from_fileobj(file)


def _check_header(header: Any, sidecar: Sidecar) -> None:
    if not sidecar.is_ct:
        raise NiftiError("its sidecar says that it is no CT")
    shape = header.get_data_shape()
    if len(shape) < 3 or any(size != 1 for size in shape[3:]):
        raise NiftiError(
            f"has the dimensions {'x'.join(map(str, shape))}; a scan has three: split it"
        )
    if 0 in shape:
        raise NiftiError("holds no pixels")
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf" or dtype.itemsize > (8 if dtype.kind == "f" else 4):
        raise NiftiError(
            f"its values are {header.get_value_label('datatype')}; HU are integers of at most 32 "
            "bits, or float32 or float64"
        )
    if not (header["qform_code"] or header["sform_code"]):
        raise NiftiError("its header gives no orientation: qform_code and sform_code are 0")
    if header.get_xyzt_units()[0] not in MM:
        raise NiftiError(f"its unit of length is {header.get_xyzt_units()[0]}, not mm")


def _pixel_spacing(affine: NDArray[Any], header: Any, order: SliceOrder) -> Vector:
    """Return the distances of rows and of columns in mm.

    They are those of the affine. Both the affine and ``pixdim`` are float32; the latter is what was
    rounded once only, and so is taken.
    """
    axes = (1 - order.column_axis, order.column_axis)
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    zooms = header.get_zooms()
    for axis in axes:
        if abs(zooms[axis] - lengths[axis]) > SPACING_TOLERANCE * lengths[axis]:
            raise NiftiError(
                f"its header gives two pixel spacings: {zooms[axis]:g} mm (pixdim) and "
                f"{lengths[axis]:g} mm (affine)"
            )
    # The shortest decimal number that float32 rounds so, as DICOM has it.
    return float(str(zooms[axes[0]])), float(str(zooms[axes[1]]))


def _settle_kernel(given: str | None, stated: str | None) -> str | None:
    if given is None or stated is None:
        return stated if given is None else kernel_name(given)
    if kernel_name(given).casefold() != stated.casefold():
        raise NiftiError(
            f"--kernel is {given}, but its sidecar says ConvolutionKernel {stated}; leave --kernel "
            "out, or correct the sidecar"
        )
    return stated


def _has_mark(header: Any) -> bool:
    return any(
        extension.get_code() == COMMENT_CODE and extension.get_content().startswith(MARK)
        for extension in header.extensions
    )
