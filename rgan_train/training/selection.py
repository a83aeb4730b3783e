"""Dynamic selection: the HU by which the discriminator tells candidates from targets.

Paper, section 2.2 and figure 2: random subsets are harmonized and the frozen discriminator
judges them. Grad-CAM shows where it saw "non-standard". The HU of these hot pixels are listed,
without HU that occur only once in an image.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray

from rgan_sdk.dicom.read.padding import find_padding
from rgan_sdk.hu import HUWindow
from rgan_train.methods.base import Method
from rgan_train.networks.base import trim
from rgan_train.networks.gradcam import non_standard_cam
from rgan_train.networks.window import network_window, normalize
from rgan_train.pairs.samples import Batch
from rgan_train.processes import combine
from rgan_train.training.curriculum import Selection


def select(
    fabric: Fabric,
    method: Method,
    subsets: Iterable[Batch],
    hu_range: HUWindow,
    th_fail: float,
) -> Selection:
    """Judge random subsets of the training data, and merge the results of all processes.

    The candidates are made and judged over the whole range, so that the window can also grow
    again. A discriminator that was last trained in a narrow window sees them in other units.

    Parameters
    ----------
    subsets
        Batches ``[N, 1, H, W]`` of this process, in HU.
    hu_range
        The whole range of HU.
    th_fail
        Pixels with a class activation above this are hot.
    """
    lowest, highest = math.inf, -math.inf
    counts = dict.fromkeys(("subsets", "images", "pixels", "hot", "kept", "dropped"), 0.0)
    cam_sum = 0.0
    for subset in subsets:
        fake_hu, cam = _judge(fabric, method, subset, network_window(hu_range))
        counts["subsets"] += 1
        counts["images"] += len(cam)
        counts["pixels"] += cam.size
        cam_sum += float(cam.sum())
        for hu, hot in zip(fake_hu, cam > th_fail, strict=True):
            inside = np.clip(hu[hot], hu_range.lower, hu_range.upper)
            kept, dropped = repeated_values(inside)
            counts["hot"] += inside.size
            counts["kept"] += inside.size - dropped
            counts["dropped"] += dropped
            if kept.size:
                lowest, highest = min(lowest, kept[0]), max(highest, kept[-1])
    lower, upper = combine(fabric, "max", -lowest, highest)
    *totals, cam_total = combine(fabric, "sum", *counts.values(), cam_sum)
    counts = dict(zip(counts, totals, strict=True))
    statistics = {
        **{name: round(counts[name]) for name in ("subsets", "images", "kept", "dropped")},
        "hot_share": counts["hot"] / counts["pixels"],
        "mean": cam_total / counts["pixels"],
    }
    return Selection(-lower, upper, statistics)


def repeated_values(hu: NDArray[np.float32]) -> tuple[NDArray[np.float64], int]:
    """Return the HU that occur more than once, and the number of pixels with other HU.

    HU are rounded to whole numbers, and returned in ascending order.
    """
    values, counts = np.unique(np.round(hu), return_counts=True)
    return values[counts > 1].astype(np.float64), int((counts == 1).sum())


@torch.no_grad()
def _judge(
    fabric: Fabric, method: Method, batch: Batch, window: HUWindow
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the candidates in HU and their class activation maps, both ``[N, H, W]``.

    Candidates are made of real slices of different patients where there are some. The activation
    of padding is 0, so that it is never hot.
    """
    assert method.D is not None
    source_hu, coarsest = batch.sample.source_hu, batch.pixel_spacing
    if batch.real:
        source_hu, coarsest = batch.real.source_hu, batch.real.coarsest
    real_a = normalize(torch.from_numpy(source_hu).to(fabric.device), window)
    spacing = torch.tensor([batch.pixel_spacing], device=fabric.device)
    with method.D.freeze_weights():
        fake_b = method.G(real_a, spacing)
        cam = non_standard_cam(
            method.D, *method.judged(real_a, fake_b, batch.pixel_spacing, coarsest)
        )
    size = cam.shape[-2], cam.shape[-1]
    padding = trim(torch.from_numpy(find_padding(source_hu)).to(cam.device), size)
    fake_hu = trim(fake_b, size)[:, 0] * window.width + window.lower
    return fake_hu.cpu().numpy(), cam.masked_fill(padding[:, 0], 0).cpu().numpy()
