"""Image quality against a target: PSNR, SSIM and mean absolute error (paper, section 3.1).

Padding does not count. Where it is left out, the argument ``padding`` has the shape of the images
and is true for padding; None means that there is none. Slices of padding alone give NaN.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rgan_sdk.hu import HUWindow

QUALITY_RANGE: Final = HUWindow(-1024, 1000)
"""HU range of image quality in evaluations; its width is the data range (paper, section 3.1)."""

_RADIUS = 5
_SIGMA = 1.5

Image = NDArray[np.float32]
Padding = NDArray[np.bool_] | None


def psnr(image: Image, target: Image, window: HUWindow, padding: Padding = None) -> float:
    """Peak signal-to-noise ratio in dB; both images are clipped to the window.

    Parameters
    ----------
    image, target
        HU, of the same shape.
    window
        Its width is the peak.

    Returns
    -------
    float
        Infinite for equal images.
    """
    error = _mean(np.square(_clip(image, window) - _clip(target, window)), padding)
    if math.isnan(error):
        return math.nan
    return 10 * math.log10(window.width**2 / error) if error > 0 else math.inf


def ssim(image: Image, target: Image, window: HUWindow, padding: Padding = None) -> float:
    """Structural similarity, as the mean over the image; both images are clipped to the window.

    Parameters
    ----------
    image, target
        ``[H, W]`` HU, at least 11 x 11.
    window
        Its width is the dynamic range L.

    Notes
    -----
    Wang et al. 2004: Gaussian weights of 11x11 pixels with sigma 1.5, K1 = 0.01 and K2 = 0.03.
    Only places where all weights lie inside the image, and none on padding, count. HU count from
    the lower end of the window, because the index compares means, which must not be negative.
    """
    x, y = (_clip(hu, window) - window.lower for hu in (image, target))
    c1, c2 = (0.01 * window.width) ** 2, (0.03 * window.width) ** 2
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x**2
    variance_y = _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    numerator = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    denominator = (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    near = None if padding is None else _blur(padding.astype(np.float64)) > 0
    return _mean(numerator / denominator, near)


def mean_absolute_error(
    image: Image, target: Image, window: HUWindow, padding: Padding = None
) -> float:
    """Mean absolute error in HU; both images are clipped to the window."""
    limits = window.lower, window.upper
    return _mean(np.abs(np.clip(image, *limits) - np.clip(target, *limits)), padding)


def _mean(values: NDArray[Any], padding: Padding) -> float:
    """Return the mean of the values that are not padding; NaN if all are."""
    if padding is not None and padding.any():
        values = values[~padding]
    return float(values.mean(dtype=np.float64)) if values.size else math.nan


def _clip(image: Image, window: HUWindow) -> NDArray[np.float64]:
    return np.clip(image.astype(np.float64), window.lower, window.upper)


def _blur(image: NDArray[np.float64]) -> NDArray[np.float64]:
    taps = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / _SIGMA) ** 2)
    taps /= taps.sum()
    rows = sliding_window_view(image, len(taps), axis=0) @ taps
    blurred: NDArray[np.float64] = sliding_window_view(rows, len(taps), axis=1) @ taps
    return blurred
