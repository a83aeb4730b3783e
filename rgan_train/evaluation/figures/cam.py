"""The class activation map on a slice (paper, figure 5b)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.hu import HUWindow

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS = "autumn_r"
DIFFERENCE_HU = 100.0


def draw_cam(
    harmonized: NDArray[np.float32],
    target: NDArray[np.float32],
    cam: NDArray[np.float32],
    th_fail: float,
    display: HUWindow,
    title: str,
) -> Figure:
    """Draw a harmonized slice, the class activation map on it, and its error.

    Parameters
    ----------
    harmonized, target
        ``[H, W]`` HU.
    cam
        ``[H, W]`` in [0, 1]; 1 where the discriminator has the strongest evidence against a target.
    th_fail
        Pixels above this are hot; the colour bar has a line here.
    display
        HU range from black to white.
    title
        Text above the figure.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.1), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    gray = {"cmap": "gray", "vmin": display.lower, "vmax": display.upper}
    left.imshow(harmonized, **gray)
    left.set_title("harmonized", fontsize=9)
    middle.imshow(harmonized, **gray)
    middle.imshow(cam, cmap=COLORS, vmin=0, vmax=1, alpha=np.minimum(2 * cam, 1))
    middle.set_title(f"“non-standard” (Grad-CAM); hot above {th_fail:g}", fontsize=9)
    scale = figure.colorbar(ScalarMappable(cmap=COLORS), ax=middle, shrink=0.8)
    scale.ax.axhline(th_fail, color="black")
    error = right.imshow(harmonized - target, cmap="gray", vmin=-DIFFERENCE_HU, vmax=DIFFERENCE_HU)
    right.set_title("harmonized minus target, HU", fontsize=9)
    figure.colorbar(error, ax=right, shrink=0.8)
    for axes in (left, middle, right):
        axes.set_axis_off()
    figure.suptitle(title, fontsize=10)
    return figure
