"""Measure the power spectra of a CT series, from which its kernel is fitted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from rgan_sdk.cores import usable_cores
from rgan_sdk.dicom.read.padding import fill_padding, find_padding
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.dicom.series import Series, SliceFile
from rgan_sdk.kernels import KernelSpectra, join_spectra, measure_kernel
from rgan_sdk.slices import spread_indices

SLICES: Final = 24
MOST_THREADS: Final = 8


def measure_series(series: Series, slices: int = SLICES) -> KernelSpectra:
    """Read slices from all over a series, and measure their spectra.

    Padding is replaced by the image next to it.

    Parameters
    ----------
    slices
        How many; all where there are fewer.

    Raises
    ------
    DicomError
        If a slice cannot be read. The message names its file.
    """
    rows, columns = series.pixel_spacing

    def measure(file: SliceFile) -> KernelSpectra:
        source = read_slice(file.path, file.stamp)
        hu = fill_padding(source.hu, find_padding(source.hu, source.padding))
        return measure_kernel(hu[None], (rows, columns))

    chosen = [series.slices[index] for index in spread_indices(len(series.slices), slices)]
    with ThreadPoolExecutor(min(usable_cores(), MOST_THREADS)) as pool:
        return join_spectra(list(pool.map(measure, chosen)))
