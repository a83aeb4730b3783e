"""Stacks of slices: pad them to the sizes that a model takes, choose a few from all over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def pad_to_multiple(hu: NDArray[np.float32], multiple: int) -> NDArray[np.float32]:
    """Pad the last two axes at their ends by repeating the edge.

    Parameters
    ----------
    hu
        ``[..., H, W]`` HU.
    multiple
        What height and width become multiples of: the model card's ``multiple``.

    Returns
    -------
    ndarray
        ``[..., H', W']``; ``hu`` itself where nothing is to be added. Crop with
        ``[..., :H, :W]``.
    """
    margins = [(0, 0)] * (hu.ndim - 2) + [(0, -size % multiple) for size in hu.shape[-2:]]
    return np.pad(hu, margins, mode="edge") if np.any(margins) else hu


def spread_indices(total: int, count: int) -> list[int]:
    """Choose ``count`` of ``total`` indices, evenly spaced from the first to the last.

    All of them if there are fewer than ``count``; only the first if ``count`` is 1.
    """
    return [int(i) for i in np.linspace(0, total - 1, min(count, total)).round()]
