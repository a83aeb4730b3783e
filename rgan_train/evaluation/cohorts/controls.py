"""Rows that no good method may resemble: they show what a measure can be fooled by.

Both are applied to both groups. A blur that takes away all that kernels differ in leaves nothing to
tell the groups apart by but anatomy, and no lesions either. Random pixels in the same regions say
what the shapes of the regions alone tell (Welch et al., Radiotherapy and Oncology 130:2, 2019,
asked this of radiomic signatures).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.read.padding import fill_padding
from rgan_sdk.kernels.interpolation import gaussian_blur
from rgan_train.evaluation.cohorts.cohort import Scan

BLUR: Final = "control: blur of both groups"
RANDOM: Final = "control: random pixels"

BLUR_MM: Final = 3.0
"""Standard deviation of the Gaussian: 1 % of its MTF is left at 1.6 lp/cm."""

RANDOM_HU: Final = 100.0
"""Standard deviation of random pixels around 0 HU."""

Control = Callable[[Scan, NDArray[np.float32]], NDArray[np.float32]]


def blur(scan: Scan, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blur the slices ``[N, H, W]`` of a scan, whose padding is filled before."""
    rows, columns = (BLUR_MM / distance for distance in scan.pixel_spacing)
    return np.stack(
        [
            gaussian_blur(fill_padding(hu, padding), (rows, columns)).astype(np.float32)
            for hu, padding in zip(images, scan.padding, strict=True)
        ]
    )


def randomize(scan: Scan, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return random pixels, the same each time for one scan."""
    rng = np.random.default_rng(zlib.crc32(scan.hu.tobytes()))
    return rng.normal(0, RANDOM_HU, images.shape).astype(np.float32)


CONTROLS: Final[Mapping[str, Control]] = {RANDOM: randomize, BLUR: blur}
