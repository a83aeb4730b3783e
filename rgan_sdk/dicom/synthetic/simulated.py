"""Simulated CT series: derived objects that stand for a reconstruction with another kernel.

Unlike harmonized objects they name the other kernel in ConvolutionKernel. So they can be paired
with their source, and they are accepted as input. ``docs/simulation.md`` lists the attributes that
tell them from real scans.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from rgan_sdk.dicom import uids, values
from rgan_sdk.dicom.header import convolution_kernel
from rgan_sdk.dicom.read.pydicom_reader import PydicomSlice, read_slice
from rgan_sdk.dicom.series import Series
from rgan_sdk.dicom.slices.table import SliceFile
from rgan_sdk.dicom.write.clamping import Clamped, StorableRange
from rgan_sdk.dicom.write.derived_header import copy_header, set_identity, translate_header_errors
from rgan_sdk.dicom.write.provenance import add_derivation_code
from rgan_sdk.dicom.write.writer import encode, make_derived_slice, write_file
from rgan_sdk.errors import ConfigurationError, InvalidSeriesError, OutputError

_VALUE: Final = r"[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?"  # of SH, in ASCII
_KERNEL_NAME: Final = re.compile(rf"{_VALUE}(\\{_VALUE})*")
_MAX_KERNEL_NAME: Final = 64  # as in a model card

SliceSimulator = Callable[[SliceFile, PydicomSlice], NDArray[np.float32]]
"""Returns the simulated HU of one slice, ``[H, W]`` float32."""


@dataclass(frozen=True)
class Simulation:
    """How a series is simulated.

    A simulated object depends on its source and on this, and on nothing else.

    Attributes
    ----------
    target_kernel
        ConvolutionKernel of the simulated series; a backslash separates its values.
    method
        A description for people that names every choice which changes pixels. Only the first 512
        characters get into the files.
    software
        Name and version, for example ``rgan-sdk 0.1.0``.
    timestamp
        When the series is made, with a time zone.

    Raises
    ------
    ConfigurationError
        If ``target_kernel`` cannot stand in ConvolutionKernel, or there is no time zone.
    """

    target_kernel: str
    method: str
    software: str
    timestamp: datetime

    def __post_init__(self) -> None:
        name = self.target_kernel
        if not _KERNEL_NAME.fullmatch(name) or len(name) > _MAX_KERNEL_NAME:
            raise ConfigurationError(
                f"target kernel '{name}': ConvolutionKernel takes 1 to 16 ASCII characters, no "
                "space at the ends; a backslash separates two values, and all take at most "
                f"{_MAX_KERNEL_NAME}"
            )
        if self.timestamp.tzinfo is None:
            raise ConfigurationError("the timestamp of a simulation needs a time zone")

    def uid(self, kind: str, source_uid: str, group: int) -> str:
        """Return the UID of a simulated object.

        Parameters
        ----------
        kind
            ``series`` or ``instance``.
        source_uid
            UID of the source's series or instance.
        group
            ``Series.group`` of the source.
        """
        return uids.hashed_uid(
            f"simulated {kind}",
            source_uid,
            str(group),
            self.target_kernel,
            self.method,
            self.software,
            self.timestamp.astimezone(UTC).isoformat(),
        )


def write_simulated_series(
    series: Series, folder: Path, simulation: Simulation, simulate: SliceSimulator
) -> Clamped:
    """Write a simulated series. ``folder`` appears complete or not at all.

    Parameters
    ----------
    folder
        Must be empty or absent; its parents are created where needed. Files are named
        ``<SOPInstanceUID>.dcm``.
    simulate
        Called for each slice in the order of the series.

    Returns
    -------
    Clamped
        How many pixels could not be stored as computed.

    Raises
    ------
    DicomError
        If a slice cannot be read, or its header cannot be carried over.
    OutputError
        If ``folder`` is not empty, or the files cannot be written.
    """
    clamped = Clamped()
    with _atomic_folder(folder) as staging:
        for file in series.slices:
            source = read_slice(file.path, file.stamp)
            hu = simulate(file, source)
            try:
                header = simulated_header(source.dataset, simulation, series.group)
                derived = make_derived_slice(source, hu, header)
                content = encode(derived.dataset)
            except InvalidSeriesError as error:
                raise InvalidSeriesError(f"{file.path.name}: {error}") from error
            write_file(staging / f"{header.SOPInstanceUID}.dcm", content)
            range_of_slice = StorableRange.of(source.dataset)
            clamped = clamped.plus(range_of_slice.locate(hu, derived.clips))
    return clamped


def simulated_header(source: Dataset, simulation: Simulation, group: int = 0) -> Dataset:
    """Return the data set of a simulated object without its pixel data.

    Raises
    ------
    InvalidSeriesError
        If the source's header cannot be carried over.
    """
    with translate_header_errors():
        dataset = copy_header(source, simulation.software, simulation.timestamp)
        kernel = convolution_kernel(source)[:64] or "unknown"
        dataset.DerivationDescription = (
            f"SIMULATED, not reconstructed: convolution kernel {kernel} made to look like "
            f"{simulation.target_kernel}. {simulation.method[:512]}; {simulation.software[:64]}. "
            "Research use."
        )
        add_derivation_code(dataset, uids.SIMULATED_CODE, uids.SIMULATED_MEANING)
        dataset.ConvolutionKernel = simulation.target_kernel.split("\\")
        series_uid = values.uid(source, "SeriesInstanceUID")
        sop_uid = values.uid(source, "SOPInstanceUID")
        set_identity(
            dataset,
            series_uid=simulation.uid("series", series_uid, group),
            sop_uid=simulation.uid("instance", sop_uid, group),
            suffix=f"SIMULATED>{simulation.target_kernel}",
        )
        return dataset


@contextmanager
def _atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder. It is renamed to ``folder`` at the end, or removed on an error."""
    target = folder.resolve()
    staging = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if target.exists() and any(target.iterdir()):
            raise OutputError(f"{folder} is not empty; choose an empty or a new folder")
        staging.mkdir(parents=True)
        yield staging
        staging.replace(target)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
