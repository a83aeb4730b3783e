"""Masks in DICOM files: Segmentation and RT Structure Set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydicom import dcmread
from pydicom.pixels.utils import pixel_array
from pydicom.uid import RTStructureSetStorage, SegmentationStorage

from rgan_sdk.dicom import values
from rgan_sdk.dicom.discovery import open_dicom
from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.regions.masks.grid import SeriesGrid
from rgan_train.evaluation.regions.masks.mask import Mask
from rgan_train.evaluation.regions.masks.rtstruct import read_structures
from rgan_train.evaluation.regions.masks.seg import read_segments

_LABEL_MAP_SEGMENTATION_STORAGE: Final = "1.2.840.10008.5.1.4.1.1.66.7"  # pydicom 3.0 lacks it


def read_dicom_masks(path: Path, grid: SeriesGrid) -> Iterator[Mask]:
    """Yield the structures of a DICOM file, named by SegmentLabel or ROIName.

    Raises
    ------
    ConfigurationError
        If the file holds no masks, or masks on another grid.
    DicomError
        If the file is not DICOM, or malformed.
    """
    with open_dicom(path.resolve()) as file:
        dataset = dcmread(file, force=True)
        sop_class = values.text(dataset, "SOPClassUID")
        if sop_class == RTStructureSetStorage:
            yield from read_structures(dataset, grid)
        elif sop_class in (SegmentationStorage, _LABEL_MAP_SEGMENTATION_STORAGE):
            # All frames at once: pydicom 3.0 cannot find a frame of bits that begins inside a byte.
            yield from read_segments(dataset, pixel_array(dataset, raw=True), grid)
        else:
            raise ConfigurationError("is DICOM, but neither a Segmentation nor an RT Structure Set")
