"""Slices without the noise and the edges of a kernel, on which regions can be chosen."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.read.padding import fill_padding
from rgan_sdk.kernels.interpolation import gaussian_blur

SMOOTHING_MM: Final = 1.5
"""Standard deviation of the Gaussian: 10 % of its MTF is left at 2.3 lp/cm."""


def blur_slices(
    hu: NDArray[np.float32],
    padding: NDArray[np.bool_],
    pixel_spacing: tuple[float, float],
    sigma_mm: float,
) -> NDArray[np.float32]:
    """Blur slices with a Gaussian, after their padding is filled.

    Parameters
    ----------
    hu, padding
        ``[N, H, W]`` HU, and true for padding.
    pixel_spacing
        Mm between rows, mm between columns.
    sigma_mm
        Standard deviation, mm.
    """
    rows, columns = (sigma_mm / distance for distance in pixel_spacing)
    return np.stack(
        [
            gaussian_blur(fill_padding(one, outside), (rows, columns)).astype(np.float32)
            for one, outside in zip(hu, padding, strict=True)
        ]
    )
