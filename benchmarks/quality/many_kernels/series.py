"""Series to learn from, each with the transfer function that its own slices show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from many_kernels.conditions import Curve
from rgan_sdk.kernels import fit_kernel
from rgan_train.matching.groups import measure_group, open_group, read_slices


@dataclass(frozen=True)
class KnownSeries:
    """A series whose kernel was measured.

    Attributes
    ----------
    name
        Of its folder, with the kernel.
    hu
        ``[N, H, W]`` float32.
    curve
        Its kernel's transfer function on its pixels.
    """

    name: str
    hu: NDArray[np.float32]
    curve: Curve


def read_series(folder: Path, chosen: Sequence[int] | None = None) -> KnownSeries:
    """Read a series and measure its kernel.

    Parameters
    ----------
    chosen
        Numbers of the slices that may be seen, by ascending position; None: all.
    """
    group = open_group("source", [folder])
    (series,) = group.series
    slices = series.slices if chosen is None else [series.slices[number] for number in chosen]
    mtf = fit_kernel(measure_group(group), resamples=0).mtf
    curve = Curve.on_pixels(mtf.frequency, mtf.value, series.mean_pixel_spacing)
    return KnownSeries(f"{folder.parent.name}/{folder.name}", read_slices(slices), curve)
