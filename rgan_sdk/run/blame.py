"""Batches in which something goes wrong: find the slice to blame, and save the others.

A batch may hold slices of several series, and so of several patients. If it fails, its slices are
tried one by one. Alone a slice gets the same bits: engines whose bits depend on the size of a batch
get it filled up with copies of the slice (see ``Harmonizer``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.read.batches import BatchReader, ReadResult
from rgan_sdk.dicom.slices.table import SliceFile
from rgan_sdk.errors import DeviceMemoryError, InferenceError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.run.jobs import BatchItem


def read_batch(
    reader: BatchReader, files: Sequence[SliceFile], hu: NDArray[np.float32]
) -> list[ReadResult]:
    """Read as ``BatchReader.read`` does; what goes wrong there concerns single slices."""
    try:
        return reader.read(files, hu)
    except Exception:
        return [_read_alone(reader, file, hu[i : i + 1]) for i, file in enumerate(files)]


def _read_alone(reader: BatchReader, file: SliceFile, hu: NDArray[np.float32]) -> ReadResult:
    try:
        (source,) = reader.read([file], hu)
    except Exception as error:
        return error
    return source


def harmonize_batch(
    harmonizer: Harmonizer, items: Sequence[BatchItem], hu: NDArray[np.float32]
) -> None:
    """Replace the HU of a batch, which has one pixel spacing, by harmonized HU.

    A slice that cannot be computed fails its series, and leaves the others as they would have been.

    Parameters
    ----------
    hu
        ``[N, H, W]`` float32, a slice for each item.
    """
    start, spacing = 0, items[0].pixel_spacing
    while start < len(items):
        try:
            start += harmonizer.harmonize_some(hu[start:], hu[start:], spacing)
        except Exception:  # nothing from ``start`` on has been changed
            stop = start + harmonizer.fitting_batch_size
            _harmonize_singly(harmonizer, items[start:stop], hu[start:stop])
            start = stop


def _harmonize_singly(
    harmonizer: Harmonizer, items: Sequence[BatchItem], hu: NDArray[np.float32]
) -> None:
    spacing = items[0].pixel_spacing
    for index, item in enumerate(items):
        if item.job.error is not None:
            continue
        one = hu[index : index + 1]
        try:
            harmonizer.harmonize_some(one, one, spacing)
        except DeviceMemoryError as error:  # no fault of the slice
            item.job.fail(error)
        except InferenceError as error:
            item.job.fail(InferenceError(f"{item.file.path}: {error}"))
        except Exception as error:
            item.job.fail(error)
