"""Padding in the files of a scan: the corners outside the field of view."""

from pathlib import Path

import numpy as np
from pydicom import dcmread


def corners(size: int) -> np.ndarray:
    """Return what lies outside the inscribed circle of a square slice."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    mask: np.ndarray = np.hypot(y, x) > size / 2
    return mask


def pad_files(folder: Path, padding: np.ndarray, hu: int, **attributes: int) -> None:
    """Set padding to a value in all files of a folder, and store them as signed HU."""
    for path in folder.rglob("*.dcm"):
        dataset = dcmread(path)
        stored = dataset.pixel_array.astype(np.int16) + int(dataset.RescaleIntercept)
        stored[padding] = hu
        dataset.PixelRepresentation, dataset.RescaleIntercept = 1, 0
        dataset.BitsStored, dataset.HighBit = 16, 15
        for keyword, value in attributes.items():
            dataset.add_new(keyword, "SS", value)
        dataset.PixelData = stored.tobytes()
        dataset.save_as(path)
