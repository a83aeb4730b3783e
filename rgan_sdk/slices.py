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


def are_same_memory(left: NDArray[np.float32], right: NDArray[np.float32]) -> bool:
    """Return whether two arrays are one and the same memory, element by element."""
    return left.shape == right.shape and _layout(left) == _layout(right)


def _layout(array: NDArray[np.float32]) -> tuple[int, ...]:
    """Return the address of an array, and its strides along axes of more than one element."""
    steps = (step for step, size in zip(array.strides, array.shape, strict=True) if size > 1)
    return (array.__array_interface__["data"][0], *steps)
