"""Pixels without any texture: what is still reproducible on them comes from the mask alone.

Welch et al., Radiotherapy and Oncology 130:2, 2019, asked this of radiomic signatures.
"""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

RANDOM: Final = "control: random pixels"

RANDOM_HU: Final = 100.0
"""Standard deviation of random pixels around 0 HU."""


def random_pixels(hu: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return random HU of the shape of an image: the same each time, others for another image."""
    rng = np.random.default_rng(zlib.crc32(hu.tobytes()))
    return rng.normal(0, RANDOM_HU, hu.shape).astype(np.float32)
