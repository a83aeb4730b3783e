"""Subtract the plane that fits a block of pixels best, so that shading is not taken for noise."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def subtract_planes(blocks: NDArray[np.float32]) -> Floats:
    """Return square blocks ``[N, side, side]`` without their planes."""
    planes = _planes(blocks.shape[-1])
    flat = blocks.reshape(len(blocks), len(planes)).astype(np.float64)
    return (flat - flat @ planes @ planes.T).reshape(blocks.shape)


@functools.cache
def _planes(side: int) -> Floats:
    """Return an orthonormal basis of the planes on a block, ``[side * side, 3]``."""
    y, x = (axis.ravel() for axis in np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j])
    return np.linalg.qr(np.stack([np.ones_like(x), x, y], axis=1)).Q
