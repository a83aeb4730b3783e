"""Simulated pairs: the sharper group's series, and what the softer kernel makes of them.

A sharp slice holds all that a soft one does, so the softer image of a pair can be computed: its
spectrum is multiplied by the measured transfer, which softens anatomy and noise alike, and it is
stored in whole steps as a reconstruction is. The way back can't be computed; a network learns it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import OutputError, RganError, TrainingError
from rgan_sdk.kernels import TransferRatio
from rgan_train.matching.groups import Group
from rgan_train.matching.measurement import Measurement
from rgan_train.pairs.find import Pair, make_pair
from rgan_train.simulation.kernel import filter_slice
from rgan_train.simulation.series import open_series, simulate_series

if TYPE_CHECKING:
    from rgan_sdk.dicom.read.pydicom_reader import PydicomSlice

FOLDER = "simulated"


@dataclass(frozen=True)
class MeasuredChange:
    """A change of kernel with a measured transfer."""

    transfer: TransferRatio
    target_kernel: str

    def __str__(self) -> str:
        gains = self.transfer.gain(np.arange(1.0, int(self.transfer.nyquist) + 1))
        values = (f"{gain:.3f}" for gain in gains)
        return f"spectrum multiplied by {' '.join(values)} at 1, 2, ... lp/cm, measured"

    def apply(self, slice_: PydicomSlice, spacing: tuple[float, float]) -> NDArray[np.float32]:
        """Return the slice with its spectrum multiplied."""
        return filter_slice(slice_.hu, spacing, self.transfer.gain, slice_.padding)


def check_place(run: Path) -> None:
    """Refuse a folder in which an earlier start did not finish.

    Raises
    ------
    OutputError
        If there are simulated series, whole or not.
    """
    root = run / FOLDER
    if root.exists():
        raise OutputError(
            f"{root} is left from a start that did not get to its training; delete it, and the "
            "same command begins again, or choose another folder"
        )


def simulate_pairs(
    measurement: Measurement, run: Path, on_slice: Callable[[int, int], None]
) -> list[Pair]:
    """Write the softer image of each series of the sharper group, and return the pairs.

    Parameters
    ----------
    run
        Folder of the run; the series go into a folder in it.
    on_slice
        Called with the number of finished slices and the number of all slices.

    Raises
    ------
    TrainingError
        If the sharper group shows no patients, or a series cannot be simulated.
    OutputError
        If a file cannot be written, or an earlier simulation is there.
    """
    check_place(run)
    root = run / FOLDER
    sharp, soft = by_sharpness(measurement)
    change = MeasuredChange(measurement.softening(), soft.kernels[0])
    stated = [one for one in sharp.patients if one.convolution_kernel]
    if not stated:
        raise TrainingError(
            f"a network learns from patients with the sharper kernel {sharp.kernels[0]}, and the "
            f"{sharp.name} group has none; add some with --{sharp.name}, or take --method linear"
        )
    try:
        root.mkdir(mode=0o700, parents=True)  # patients' images: readable by their owner only
    except OSError as exc:
        raise OutputError(f"{root}: cannot be made ({exc.strerror})") from exc
    total, done, pairs = sum(len(one.slices) for one in stated), 0, []

    def count() -> None:
        nonlocal done
        done += 1
        on_slice(done, total)

    for number, series in enumerate(stated):
        folder = root / f"{number:04d}"
        try:
            simulate_series(series, folder, change, count)
            pair = make_pair(series, open_series(folder))
        except RganError as exc:
            raise TrainingError(
                f"series {series.series_instance_uid} of the {sharp.name} group cannot be "
                f"simulated with the kernel {change.target_kernel}: {exc}"
            ) from exc
        pairs.append(replace(pair, kernel_a=sharp.kernels[0], kernel_b=soft.kernels[0]))
    return pairs


def by_sharpness(measurement: Measurement) -> tuple[Group, Group]:
    """Return the sharper and the softer group."""
    groups = measurement.source, measurement.target
    return groups[::-1] if measurement.target_is_sharper else groups
