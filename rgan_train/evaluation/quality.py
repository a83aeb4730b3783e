"""Image quality of one method's slices against the target's."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import MeasurementError
from rgan_sdk.kernels import edge_rise, noise_power_ratio
from rgan_train.evaluation.metrics.image_quality import (
    QUALITY_RANGE,
    mean_absolute_error,
    psnr,
    ssim,
)
from rgan_train.evaluation.metrics.tissue_bias import tissue_bias
from rgan_train.evaluation.results import ImageQuality, Spread

Measurement = TypeVar("Measurement")


def measure_quality(
    images: NDArray[np.float32],
    target: NDArray[np.float32],
    pixel_spacing: tuple[float, float],
    padding: NDArray[np.bool_],
) -> ImageQuality:
    """Measure image quality, noise, sharpness and bias.

    Parameters
    ----------
    images, target
        ``[N, H, W]`` HU, the same slices.
    pixel_spacing
        Distance between rows and between columns, mm.
    padding
        ``[N, H, W]``, true for pixels that do not count.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    every = [
        (image, expected, QUALITY_RANGE, outside)
        for image, expected, outside in zip(images, target, padding, strict=True)
    ]
    counted = np.array([not outside.all() for outside in padding])
    slices = list(itertools.compress(every, counted))
    psnr_db, ssims = (np.array([measure(*one) for one in every]) for measure in (psnr, ssim))
    return ImageQuality(
        psnr_db=_spread(psnr_db[counted]),
        ssim=_spread(ssims[counted]),
        mae_hu=_spread(mean_absolute_error(*one) for one in slices),
        noise_power=_measure_or_none(lambda: noise_power_ratio(images, target, padding)),
        edge_rise_mm=_measure_or_none(lambda: edge_rise(images, target, pixel_spacing, padding)),
        bias_hu=tissue_bias(images, target, padding),
        by_slice={"psnr_db": psnr_db, "ssim": ssims},
    )


def _measure_or_none(measure: Callable[[], Measurement]) -> Measurement | None:
    """Measure, or return None if the slices have no place to measure at."""
    try:
        return measure()
    except MeasurementError:
        return None


def _spread(values: Iterable[float]) -> Spread:
    array = np.array(list(values))
    has_spread = len(array) > 1 and np.isfinite(array).all()
    sd = float(array.std(ddof=1)) if has_spread else math.nan
    return Spread(float(array.mean()), sd, len(array))
