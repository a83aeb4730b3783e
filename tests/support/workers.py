"""What tests run in a process of its own: such functions must be found by their module."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rgan_sdk import HarmonizerConfig


def harmonize(
    config: HarmonizerConfig, hu: NDArray[np.float32], pixel_spacing: float
) -> NDArray[np.float32]:
    """Open a harmonizer and apply it."""
    with config.open() as harmonizer:
        return harmonizer(hu, pixel_spacing=pixel_spacing)
