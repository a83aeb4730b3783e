"""Measure the power spectra of a CT series, from which its kernel is fitted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np

from rgan_sdk.cores import usable_cores
from rgan_sdk.dicom.read.padding import PADDING_HU
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.dicom.series import Series, SliceFile
from rgan_sdk.kernels import KernelSpectra, join_spectra, measure_kernel
from rgan_sdk.slices import spread_indices

SLICES: Final = 24
MOST_THREADS: Final = 8


def measure_series(series: Series, slices: int = SLICES) -> KernelSpectra:
    """Read slices from all over a series, and measure their spectra.

    Blocks with padding do not count.

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
        declared = source.padding
        hu = source.hu if declared is None else np.where(declared, PADDING_HU, source.hu)
        return measure_kernel(hu[np.newaxis], (rows, columns))

    chosen = [series.slices[index] for index in spread_indices(len(series.slices), slices)]
    with ThreadPoolExecutor(min(usable_cores(), MOST_THREADS)) as pool:
        return join_spectra(list(pool.map(measure, chosen)))
