"""Simulate roughly what a whole series would be with another convolution kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rgan_sdk.errors import ConfigurationError, InvalidSeriesError, OutputError
from rgan_sdk.kernels.mtf import KernelMTF
from rgan_train.simulation.kernel import simulate_slice, slice_seed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rgan_sdk.dicom.read.pydicom_reader import PydicomSlice
    from rgan_sdk.dicom.series import Series
    from rgan_sdk.dicom.slices.table import SliceFile
    from rgan_sdk.dicom.write.clamping import Clamped


class Change(Protocol):
    """Makes a slice look like another kernel. Its text says how, for people."""

    @property
    def target_kernel(self) -> str:
        """ConvolutionKernel of the simulated series."""
        ...

    def apply(self, slice_: PydicomSlice, spacing: tuple[float, float]) -> NDArray[np.float32]:
        """Return a slice in HU ``[H, W]``, for a PixelSpacing in mm."""
        ...


@dataclass(frozen=True)
class KernelChange:
    """A change from one kernel to another.

    Attributes
    ----------
    source, target
        MTF of both kernels.
    target_kernel
        ConvolutionKernel of the simulated series.
    seed
        Seed of the added noise.
    """

    source: KernelMTF
    target: KernelMTF
    target_kernel: str
    seed: int = 0

    def __str__(self) -> str:
        return (
            f"MTF 50 % / 10 % at {self.source.f50:g} / {self.source.f10:g} lp/cm changed to "
            f"{self.target.f50:g} / {self.target.f10:g}, noise of seed {self.seed}"
        )

    def apply(self, slice_: PydicomSlice, spacing: tuple[float, float]) -> NDArray[np.float32]:
        """Return roughly what the target kernel would have given."""
        seed = slice_seed(self.seed, str(slice_.dataset.SOPInstanceUID))
        return simulate_slice(slice_.hu, spacing, self.source, self.target, seed, slice_.padding)


def open_series(folder: Path) -> Series:
    """Return the one CT series of a folder.

    Raises
    ------
    InvalidSeriesError
        If there is no series, more than one, or one that cannot be read.
    """
    from rgan_sdk.dicom.failures import explain_failures
    from rgan_sdk.dicom.inventory import find_series

    try:
        found = find_series(folder)
    except OSError as exc:
        raise InvalidSeriesError(f"{folder}: cannot be searched ({exc.strerror})") from exc
    if failures := explain_failures(folder, found):
        raise InvalidSeriesError(failures[0])
    if len(found.series) != 1:
        count = f"{len(found.series)} CT series" if found.series else found.explain_empty()
        raise InvalidSeriesError(f"{folder}: {count}; give a folder that holds exactly one")
    return found.series[0]


def simulate_series(
    series: Series,
    folder: Path,
    change: Change,
    on_slice: Callable[[], None] = lambda: None,
) -> Clamped:
    """Write roughly the series that another kernel would have given.

    Parameters
    ----------
    folder
        A new or empty folder, outside the folder of the series. It appears complete or not
        at all.
    on_slice
        Called after each slice.

    Returns
    -------
    Clamped
        The pixels that were clamped to the range of stored values.

    Raises
    ------
    ConfigurationError
        If both kernels have the same name: the two series would not be a pair.
    InvalidSeriesError
        If the series has no ConvolutionKernel, or a slice has changed or cannot be used.
    OutputError
        If ``folder`` is not empty, lies in the folder of the series, or cannot be written to.
    """
    from rgan_sdk import __version__
    from rgan_sdk.dicom.synthetic.simulated import Simulation, write_simulated_series
    from rgan_sdk.run.state.identity import run_timestamp

    kernel = series.convolution_kernel
    if not kernel:
        raise InvalidSeriesError(
            f"series {series.series_instance_uid} has no ConvolutionKernel, so it would not form a "
            "pair with its simulation; set the attribute"
        )
    if kernel.casefold() == change.target_kernel.casefold():
        raise ConfigurationError(
            f"the series itself has kernel {kernel}; choose another name for the target kernel"
        )
    if any(folder.resolve().is_relative_to(file.path.resolve().parent) for file in series.slices):
        raise OutputError(f"{folder} lies in the folder of the series; choose one outside")
    rows, columns = series.pixel_spacing

    def change_slice(file: SliceFile, slice_: PydicomSlice) -> NDArray[np.float32]:
        hu = change.apply(slice_, (rows, columns))
        on_slice()
        return hu

    simulation = Simulation(
        change.target_kernel, str(change), f"rgan-sdk {__version__}", run_timestamp()
    )
    return write_simulated_series(series, folder, simulation, change_slice)
