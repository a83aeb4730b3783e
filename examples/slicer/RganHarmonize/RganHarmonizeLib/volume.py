"""Harmonize the voxels of a volume. Nothing here knows 3D Slicer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import rgan_sdk as rgan

Progress = Callable[[int, int], bool]
"""Called with the number of slices that are done, and of all; False stops."""


def harmonize_volume(
    hu: NDArray[np.number],
    pixel_spacing: tuple[float, float],
    model: str,
    kernel: str | None = None,
    on_slice: Progress = lambda done, slices: True,
) -> NDArray[np.float32]:
    """Return the volume as the model's target kernel would show it.

    Parameters
    ----------
    hu
        ``[slices, rows, columns]`` in HU, as acquired: each slice is harmonized by itself.
    pixel_spacing
        Between rows and between columns, in mm.
    model
        A packaged model's name, or a file.
    kernel
        The volume's ConvolutionKernel (0018,1210); None if that is not known.

    Raises
    ------
    rgan_sdk.CancelledError
        If ``on_slice`` returns False.
    rgan_sdk.RganError
        If the model is not made for this kernel or spacing, or anything else goes wrong.
    """
    with rgan.Harmonizer.load(model) as harmonizer:
        card = harmonizer.model.card
        if kernel is not None and not card.accepts_kernel(kernel):
            takes = ", ".join(card.source_kernels)
            raise rgan.IneligibleError(f"the kernel is {kernel}; the model takes {takes}")
        out = np.empty(hu.shape, np.float32)
        for number, image in enumerate(hu):
            harmonizer(image, out[number], pixel_spacing=sum(pixel_spacing) / 2)
            if not on_slice(number + 1, len(hu)):
                raise rgan.CancelledError("stopped, as you asked")
    return out
