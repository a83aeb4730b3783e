"""Rows that no good method may resemble: they show what a measure can be fooled by.

Both are applied to both groups. A blur that takes away all that kernels differ in leaves nothing to
tell the groups apart by but anatomy, and no lesions either. Random pixels in the same regions say
what the shapes of the regions alone tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_train.evaluation.cohorts.cohort import Scan
from rgan_train.evaluation.random_pixels import RANDOM, random_pixels
from rgan_train.evaluation.regions.smooth import blur_slices

BLUR: Final = "control: blur of both groups"
BLUR_MM: Final = 3.0
"""Standard deviation of the Gaussian: 1 % of its MTF is left at 1.6 lp/cm."""

Control = Callable[[Scan, NDArray[np.float32]], NDArray[np.float32]]


def blur(scan: Scan, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blur the slices ``[N, H, W]`` of a scan, whose padding is filled before."""
    return blur_slices(images, scan.padding, scan.pixel_spacing, BLUR_MM)


def randomize(scan: Scan, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return random pixels, the same each time for one scan."""
    return random_pixels(scan.hu)


CONTROLS: Final[Mapping[str, Control]] = {RANDOM: randomize, BLUR: blur}
