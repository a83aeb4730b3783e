"""Whether two series of one study differ in nothing but their convolution kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rgan_sdk.errors import DicomError
from rgan_train.pairs.acquisition import compare_acquisitions

if TYPE_CHECKING:
    from rgan_sdk.dicom.read.acquisition import Acquisition
    from rgan_sdk.dicom.series import Series

    Reader = Callable[[Series], Sequence[Acquisition]]

OnFiles = Callable[[int], None]
"""Is called now and then with how many headers were read since."""


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


def make_reader(on_files: OnFiles | None) -> Reader:
    """Return what reads the acquisition of each slice of a series, and counts the slices."""
    from rgan_sdk.dicom.read.acquisition import read_acquisitions

    def read(series: Series) -> Sequence[Acquisition]:
        found = read_acquisitions(series)
        if on_files is not None:
            on_files(len(found))
        return found

    return read


def compare_series(a: Series, b: Series, read: Reader | None = None) -> Comparison:
    """Compare two series of one study, first their geometry, then slice by slice the acquisition.

    Parameters
    ----------
    read
        Reads the acquisition of each slice; None reads it from the files.
    """
    from rgan_sdk.dicom.geometry import compare_geometry, compare_strengths, why_not_square
    from rgan_sdk.dicom.read.acquisition import read_acquisitions

    kernels = (kernel_of(a), kernel_of(b))
    difference = "a series has no ConvolutionKernel" if not all(kernels) else None
    difference = difference or compare_geometry(a, b) or why_not_square(a) or None
    if difference is not None:
        return Comparison(difference)
    read = read or read_acquisitions
    try:
        first, second = read(a), read(b)
    except DicomError as exc:
        return Comparison(str(exc))
    difference = compare_strengths(*kernels)
    if difference is not None and not any(each.simulated for each in (*first, *second)):
        return Comparison(difference)
    return Comparison(*compare_acquisitions(first, second, kernels))
