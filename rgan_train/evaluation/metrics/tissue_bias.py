"""Mean error by tissue: whether a method keeps the HU scale, apart from sharpness and noise.

There are gaps between the HU ranges. Most pixels in a gap hold two tissues.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.hu import HUWindow

TISSUES: Final = {
    "air": HUWindow(-1024.0, -950.0),
    "lung": HUWindow(-950.0, -700.0),
    "fat": HUWindow(-150.0, -50.0),
    "soft tissue": HUWindow(0.0, 100.0),
    "bone": HUWindow(300.0, 800.0),
    "dense bone": HUWindow(800.0, 3071.0),
}
"""Narrower than the ranges of the paper's random regions. From -100 to 250 HU, for example, there
is both fat and muscle, and an error in one may hide an error in the other."""

MEAN_OF: Final = 7
ALL_OF: Final = 3
MIN_PIXELS: Final = 1000


def tissue_bias(
    slices: NDArray[np.float32],
    target: NDArray[np.float32],
    padding: NDArray[np.bool_] | None = None,
) -> dict[str, float]:
    """Measure the mean difference from the target in each tissue.

    A pixel belongs to a tissue if, on the target, the means of 7x7 pixels around it and around its
    eight neighbours all lie in the tissue's range, and there is no padding among all these pixels.

    Parameters
    ----------
    slices, target
        ``[N, H, W]`` HU, the same slices.
    padding
        ``[N, H, W]``, true for padding; None if there is none.

    Returns
    -------
    dict of str to float
        Mean of slices minus target in HU, by the names in ``TISSUES``. NaN for a tissue that has
        fewer than 1,000 pixels on the target: noise and the shape of borders would decide.

    Raises
    ------
    ValueError
        If the shapes differ.

    Notes
    -----
    Single pixels of a noisy target do not tell which tissue they are. A pixel of fat that noise
    lifts to 0 HU would count as soft tissue, and an image without that noise would seem 100 HU too
    low there. That is regression to the mean and no bias. The mean of 49 pixels has little noise:
    with noise of 40 HU an error of at most 2 HU remains, and less if image and target share their
    noise.

    The neighbours keep borders out. At a border all values between those of the two tissues occur,
    and sharpness decides which. Bone is little more than border, so its bias also depends on
    sharpness.

    Many files hold nothing below -1024 HU. This cuts off noise in air, so the mean of a sharp
    kernel is one or two HU higher there than the mean of a soft one.
    """
    if slices.shape != target.shape:
        raise ValueError(f"slices {slices.shape} and target {target.shape} differ in shape")
    return tissue_means([tissue_sums(slices - target, target, padding)])


def tissue_sums(
    values: NDArray[np.float32],
    target: NDArray[np.float32],
    padding: NDArray[np.bool_] | None = None,
) -> dict[str, tuple[float, int]]:
    """Return the sum of values, and the number of pixels, in each tissue of the target.

    Parameters
    ----------
    values
        ``[N, H, W]``, such as the target itself or what differs from it.
    target, padding
        As ``tissue_bias`` takes them.
    """
    found = dict.fromkeys(TISSUES, (0.0, 0))
    for number, (image, hu) in enumerate(zip(values, target, strict=True)):
        lowest, highest = _means_around(hu)
        is_image = True if padding is None else ~_is_near(padding[number])
        for name, tissue in TISSUES.items():
            inside = image[(lowest >= tissue.lower) & (highest <= tissue.upper) & is_image]
            total, pixels = found[name]
            found[name] = total + float(inside.sum(dtype=np.float64)), pixels + inside.size
    return found


def tissue_means(sums: Sequence[Mapping[str, tuple[float, int]]]) -> dict[str, float]:
    """Return the mean over all pixels of each tissue; NaN if there are fewer than 1,000.

    Parameters
    ----------
    sums
        Of ``tissue_sums``, one for each scan.
    """
    found = {}
    for name in TISSUES:
        totals, pixels = zip(*(one[name] for one in sums), strict=True)
        found[name] = sum(totals) / sum(pixels) if sum(pixels) >= MIN_PIXELS else math.nan
    return found


def _means_around(hu: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the lowest and the highest local mean over each pixel and its eight neighbours."""
    from scipy.ndimage import maximum_filter, minimum_filter, uniform_filter

    means = uniform_filter(hu, MEAN_OF, mode="nearest")
    return minimum_filter(means, ALL_OF), maximum_filter(means, ALL_OF)


def _is_near(padding: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where the local means include padding."""
    from scipy.ndimage import maximum_filter

    near: NDArray[np.bool_] = maximum_filter(padding, MEAN_OF + ALL_OF - 1)
    return near
