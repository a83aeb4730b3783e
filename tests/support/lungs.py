"""A chest with lungs of known density, a trachea that divides, and gas in the stomach."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from support.dicom_phantoms import uid, write_ct

SLICES, SIZE, PIXEL_MM, DISTANCE_MM = 20, 192, 1.25, 5.0
SHARES = {-970.0: 0.2, -930.0: 0.1, -850.0: 0.7}
"""Share of the lungs by HU: LAA-950 is 20 %, LAA-910 30 %, Perc15 -970 HU, the mean -882 HU."""

FIRST_LUNG, CARINA, LAST_BRONCHUS, STOMACH = 2, 9, 13, 17
"""Slices from the head down: where lungs begin, where the trachea has divided, where the bronchi
end in the lung, where the stomach begins."""


def make_chest(gas: float = -1000.0) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return HU and lungs, ``[20, 192, 192]``, from the feet up."""
    rng = np.random.default_rng(0)
    hu = np.full((SLICES, SIZE, SIZE), -1000.0)
    hu[:, _ellipse(96, 96, 76, 92)] = 40
    lungs = np.zeros(hu.shape, np.bool_)
    lungs[FIRST_LUNG:] = _ellipse(96, 52, 50, 30) | _ellipse(96, 140, 50, 30)
    hu[lungs] = rng.choice(list(SHARES), np.count_nonzero(lungs), p=list(SHARES.values()))
    for number in range(LAST_BRONCHUS + 1):
        step = max(0, number - CARINA + 1)
        for side in (-1, 1):
            column = 96 + 6 * side * step
            wall, lumen = (_ellipse(96, column, radius, radius) for radius in (9, 6))
            hu[number, wall] = 40
            lungs[number, wall] = False
            hu[number, lumen] = gas
    hu[STOMACH:, _ellipse(96, 96, 6, 8)] = gas
    return hu[::-1].astype(np.float32), lungs[::-1]


def _ellipse(row: float, column: float, height: float, width: float) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:SIZE, :SIZE]
    return np.hypot((rows - row) / height, (columns - column) / width) <= 1


def write_chest(
    folder: Path, hu: NDArray[np.float32], kernel: str = "B40f", series: int = 1, **attributes
) -> Path:
    """Write HU as a series with whole stored values from -1024 HU."""
    for number, one in enumerate(hu):
        own = {
            "SeriesInstanceUID": uid(1, 1, series),
            "SOPInstanceUID": uid(1, 1, series, number + 1),
            "ImagePositionPatient": [-120, -120, DISTANCE_MM * number],
            "PixelSpacing": [PIXEL_MM, PIXEL_MM],
            "SliceThickness": 1,
            "ConvolutionKernel": kernel,
        }
        stored = np.clip(np.round(one + 1024), 0, 4095).astype(np.uint16)
        path = folder / f"{series}-{number:02d}.dcm"
        write_ct(path, stored, bits_stored=12, **{**own, **attributes})
    return folder
