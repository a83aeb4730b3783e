"""Mean error by tissue: does a method keep the HU scale, apart from sharpness and noise.

The ranges are apart: what lies between them is mostly pixels with two tissues in them.
"""

from __future__ import annotations

import math
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
"""Narrower than the ranges of the paper's random regions: from -100 to 250 HU, for one, there are
both fat and muscle, and an error of one may hide that of the other."""

MEAN_OF: Final = 7
ALL_OF: Final = 3
MIN_PIXELS: Final = 1000


def tissue_bias(slices: NDArray[np.float32], target: NDArray[np.float32]) -> dict[str, float]:
    """Measure mean differences to the target, in the tissues that the target shows.

    A pixel counts for a tissue if the means of 7x7 pixels around it and around its eight
    neighbours are in the tissue's range, on the target.

    Parameters
    ----------
    slices, target
        ``[N, H, W]`` HU, the same slices.

    Returns
    -------
    dict of str to float
        Mean of slices minus target in HU, by the names in ``TISSUES``; NaN for a tissue of which
        the target has fewer than 1,000 pixels, in which noise and the shape of borders decide.

    Raises
    ------
    ValueError
        If the shapes differ.

    Notes
    -----
    Single pixels of a noisy target do not tell tissue. A pixel of fat that noise lifts to 0 HU
    would count as soft tissue, where an image without that noise would then be 100 HU too low:
    regression to the mean, and no bias. A mean of 49 pixels has little of the noise of one. What
    remains, at noise of 40 HU, is 2 HU at most, and less where image and target share their
    noise.

    The neighbours keep out borders: between two tissues there are all values between theirs, and
    it is sharpness that decides on those. Bone is little more than border, so there sharpness
    counts as well.

    Many files hold nothing below -1024 HU, which cuts the noise of a sharp kernel in air: its
    mean there is then one or two HU higher than that of a soft one.
    """
    if slices.shape != target.shape:
        raise ValueError(f"slices {slices.shape} and target {target.shape} differ in shape")
    errors: dict[str, list[NDArray[np.float32]]] = {name: [] for name in TISSUES}
    for image, hu in zip(slices, target, strict=True):
        lowest, highest = _means_around(hu)
        for name, tissue in TISSUES.items():
            inside = (lowest >= tissue.lower) & (highest <= tissue.upper)
            errors[name].append(image[inside] - hu[inside])
    return {name: _mean(np.concatenate(parts)) for name, parts in errors.items()}


def _means_around(hu: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the lowest and the highest local mean at each pixel and its neighbours."""
    from scipy.ndimage import maximum_filter, minimum_filter, uniform_filter

    means = uniform_filter(hu, MEAN_OF, mode="nearest")
    return minimum_filter(means, ALL_OF), maximum_filter(means, ALL_OF)


def _mean(errors: NDArray[np.float32]) -> float:
    return float(errors.mean(dtype=np.float64)) if errors.size >= MIN_PIXELS else math.nan
