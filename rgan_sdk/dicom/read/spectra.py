"""Measure the power spectra of a CT series, from which its kernel is fitted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.cores import usable_cores
from rgan_sdk.dicom.read.batches import hide_padding
from rgan_sdk.dicom.series import Series
from rgan_sdk.dicom.slices.table import SliceFile
from rgan_sdk.kernels import KernelSpectra, join_spectra, measure_kernel
from rgan_sdk.kernels.inserts import PhantomSpectra, join_phantom, measure_phantom_slice
from rgan_sdk.slices import spread_indices

SLICES: Final = 24
PHANTOM_SLICES: Final = 48
"""More, as a phantom has its wires or rods in a part of its slices only."""
MOST_THREADS: Final = 8

T = TypeVar("T")


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
    return measure_slices(series, _spread(series, slices))


def measure_slices(series: Series, files: Iterable[SliceFile]) -> KernelSpectra:
    """Measure the spectra of some slices of a series, as ``measure_series`` does.

    Raises
    ------
    DicomError
        If a slice cannot be read. The message names its file.
    """
    return join_spectra(
        _map_slices(series, files, lambda hu, spacing: measure_kernel(hu[np.newaxis], spacing))
    )


def measure_phantom_series(series: Series, slices: int = PHANTOM_SLICES) -> PhantomSpectra:
    """Measure a kernel on a QA phantom, from slices all over its series.

    Parameters
    ----------
    slices
        How many; all where there are fewer.

    Raises
    ------
    DicomError
        If a slice cannot be read. The message names its file.
    MeasurementError
        If there is no rod and no wire that tells the kernel.
    """
    return join_phantom(_map_slices(series, _spread(series, slices), measure_phantom_slice))


def _spread(series: Series, count: int) -> list[SliceFile]:
    """Return slices from all over a series."""
    return [series.slices[index] for index in spread_indices(len(series.slices), count)]


def _map_slices(
    series: Series,
    files: Iterable[SliceFile],
    measure: Callable[[NDArray[np.float32], tuple[float, float]], T],
) -> list[T]:
    """Measure slices of a series, several at once."""
    rows, columns = series.pixel_spacing

    def read(file: SliceFile) -> T:
        source = file.read()
        hide_padding(source, source.hu)
        return measure(source.hu, (rows, columns))

    with ThreadPoolExecutor(min(usable_cores(), MOST_THREADS)) as pool:
        return list(pool.map(read, files))
