"""Whether two series of one study differ in nothing but their convolution kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from rgan_sdk.errors import DicomError
from rgan_train.pairs.acquisition import compare_acquisitions

if TYPE_CHECKING:
    from rgan_sdk.dicom.read.acquisition import Acquisition
    from rgan_sdk.dicom.series import Series

    Reader = Callable[[Series], Sequence[Acquisition]]

POSITION_TOLERANCE = 0.01
"""mm by which the header positions of two slices at the same place may differ."""

SPACING_TOLERANCE = 1e-4
"""mm by which the pixel spacing of two series may differ."""

ORIENTATION_TOLERANCE = 1e-4
"""Amount by which the direction cosines of two series may differ."""


class Comparison(NamedTuple):
    """The result of ``compare_series``.

    Attributes
    ----------
    difference
        Why the two series cannot be paired, None if they can.
    remarks
        What cannot be compared, because one series alone states it, and what may matter.
    """

    difference: str | None
    remarks: tuple[str, ...] = ()


def kernel_of(series: Series) -> str:
    """Return the ConvolutionKernel, empty if the header has none."""
    return series.convolution_kernel or ""


def compare_series(a: Series, b: Series, read: Reader | None = None) -> Comparison:
    """Compare two series of one study, first their geometry, then slice by slice the acquisition.

    Parameters
    ----------
    read
        Reads the acquisition of each slice; None reads it from the files.
    """
    from rgan_sdk.dicom.geometry import why_not_square
    from rgan_sdk.dicom.read.acquisition import read_acquisitions

    kernels = (kernel_of(a), kernel_of(b))
    difference = "a series has no ConvolutionKernel" if not all(kernels) else None
    difference = difference or _compare_geometry(a, b) or why_not_square(a) or None
    if difference is not None:
        return Comparison(difference)
    read = read or read_acquisitions
    try:
        first, second = read(a), read(b)
    except DicomError as exc:
        return Comparison(str(exc))
    difference = _compare_strengths(*kernels)
    if difference is not None and not any(each.simulated for each in (*first, *second)):
        return Comparison(difference)
    return Comparison(*compare_acquisitions(first, second, kernels))


def _compare_strengths(a: str, b: str) -> str | None:
    """Compare the values after the first, such as the strength of an iterative reconstruction.

    They are nothing that a simulation changes, though its name for the kernel may leave them out.
    """
    if a.split("\\")[1:] == b.split("\\")[1:]:
        return None
    return f"different reconstruction: ConvolutionKernel {a} and {b}"


def _compare_geometry(a: Series, b: Series) -> str | None:
    if a.frame_of_reference_uid != b.frame_of_reference_uid:
        return "different frames of reference"
    if (a.rows, a.columns) != (b.rows, b.columns):
        return f"different matrix: {a.rows}x{a.columns} and {b.rows}x{b.columns}"
    if not _are_close(a.pixel_spacing, b.pixel_spacing, SPACING_TOLERANCE):
        return f"different pixel spacing: {a.pixel_spacing} and {b.pixel_spacing} mm"
    if not _are_close(a.orientation, b.orientation, ORIENTATION_TOLERANCE):
        return "different orientation"
    if len(a.slices) != len(b.slices):
        return f"different number of slices: {len(a.slices)} and {len(b.slices)}"
    for number, (slice_a, slice_b) in enumerate(zip(a.slices, b.slices, strict=True)):
        if not _are_close(slice_a.origin, slice_b.origin, POSITION_TOLERANCE):
            return (
                f"different positions: slice {number} is at {_format_point(slice_a.origin)} and "
                f"{_format_point(slice_b.origin)} mm"
            )
    for first, second in pairwise(a.slices):
        if second.position - first.position <= POSITION_TOLERANCE:
            return f"several slices at one position, {second.position:.3f} mm"
    return None


def _are_close(first: Sequence[float], second: Sequence[float], tolerance: float) -> bool:
    return all(abs(x - y) <= tolerance for x, y in zip(first, second, strict=True))


def _format_point(point: Sequence[float]) -> str:
    return "\\".join(f"{value:.3f}" for value in point)
