"""The slice of a case study with both kernels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.read.padding import find_padding
from rgan_sdk.errors import ConfigurationError, TrainingError
from rgan_train.pairs.compare import compare_series, kernel_of
from rgan_train.simulation.series import open_series

if TYPE_CHECKING:
    from rgan_sdk.dicom.series import Series


@dataclass(frozen=True)
class CaseSlices:
    """One slice with the source and the target kernel.

    Attributes
    ----------
    source_hu, target_hu
        ``[H, W]`` float32 HU.
    padding
        ``[H, W]``, true where one of them is padding.
    sop_instance_uids
        SOPInstanceUIDs of source and target.
    pixel_spacing
        In mm.
    """

    source_hu: NDArray[np.float32]
    target_hu: NDArray[np.float32]
    padding: NDArray[np.bool_]
    source_kernel: str
    target_kernel: str
    sop_instance_uids: tuple[str, str]
    pixel_spacing: float


def read_case_slices(source: Path, target: Path, number: int) -> CaseSlices:
    """Read one slice from two folders that hold one series each.

    Parameters
    ----------
    source, target
        Folders.
    number
        Index of the slice by ascending position, from 0.

    Raises
    ------
    TrainingError
        If the two series are no pair.
    ConfigurationError
        If there is no such slice.
    DicomError
        If a folder does not hold exactly one CT series, or a slice cannot be read.
    """
    from rgan_sdk.dicom.read.pydicom_reader import read_slice

    a, b = open_series(source), open_series(target)
    reason = compare_series(a, b).difference or _not_one_scan(a, b)
    if reason is not None:
        raise TrainingError(f"{source} and {target} are no pair: {reason}")
    if number >= len(a.slices):
        raise ConfigurationError(f"there is no slice {number}, only 0 to {len(a.slices) - 1}")
    files = a.slices[number], b.slices[number]
    first, second = (read_slice(file.path, file.stamp) for file in files)
    padding = find_padding(first.hu, first.padding) | find_padding(second.hu, second.padding)
    uids = files[0].sop_instance_uid, files[1].sop_instance_uid
    return CaseSlices(
        first.hu,
        second.hu,
        padding,
        kernel_of(a),
        kernel_of(b),
        uids,
        a.mean_pixel_spacing,
    )


def _not_one_scan(a: Series, b: Series) -> str | None:
    if a.study_instance_uid != b.study_instance_uid:
        return "different studies"
    return f"both have kernel {kernel_of(a)}" if kernel_of(a) == kernel_of(b) else None
