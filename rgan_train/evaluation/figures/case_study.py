"""The case-study figure: one slice of source, models and target side by side (paper, figure 3)."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.hu import HUWindow
from rgan_train.evaluation.metrics.image_quality import QUALITY_RANGE, psnr
from rgan_train.evaluation.regions.boxes import Box

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

COLUMN_INCHES = 2.1
BOX_COLOR = "#2ecc40"
ROWS = ("slice", "region", "region minus target")


@dataclass(frozen=True)
class CaseStudy:
    """What a case-study figure shows.

    Attributes
    ----------
    images
        ``[H, W]`` HU by heading of the column: first the source, then each model.
    target
        Heading of the target, and its ``[H, W]`` HU.
    box
        The region to magnify.
    display
        HU range from black to white.
    padding
        ``[H, W]``, true for pixels that do not count in PSNR and differences.
    caption
        Text below the figure.
    """

    images: Mapping[str, NDArray[np.float32]]
    target: tuple[str, NDArray[np.float32]]
    box: Box
    display: HUWindow
    padding: NDArray[np.bool_]
    caption: str = ""

    def error(self, name: str) -> NDArray[np.float32]:
        """Return an image minus the target in the region, 0 in padding."""
        difference = self.images[name] - self.target[1]
        return np.where(self.padding, np.float32(0), difference)[self.box.part]


def draw_case_study(study: CaseStudy) -> Figure:
    """Draw source, models and target side by side.

    The first row shows the slices with the region outlined, the second the region magnified, and
    the third its difference from the target. Below each column stands the PSNR of the slice and of
    the region.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    heading, target = study.target
    columns = {**study.images, heading: target}
    legend = _legend(study, len(columns))
    region_ratio = min(max(study.box.height / study.box.width, 0.4), 2.0)
    ratios = [target.shape[0] / target.shape[1], region_ratio, region_ratio]
    width = COLUMN_INCHES * len(columns) + 0.25
    height = COLUMN_INCHES * sum(ratios) + 0.95 + 0.12 * legend.count("\n")
    layout = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.03, wspace=0.01, hspace=0.01)
    figure = Figure(figsize=(width, height), layout=layout)
    grid = figure.subplots(3, len(columns), squeeze=False, height_ratios=ratios)
    for axes, (name, hu) in zip(grid.T, columns.items(), strict=True):
        axes[0].set_title(textwrap.fill(name, 24), fontsize=10, parse_math=False)
        _show_slice(axes[0], hu, study)
        _show(axes[1], hu[study.box.part], study.display, "gray")
    limit = difference_limit(study)
    for axes, name in zip(grid[2, :-1], study.images, strict=True):
        drawn = _show(axes, study.error(name), HUWindow(-limit, limit), "RdBu_r")
        axes.set_xlabel(_quality(study, name), fontsize=8.5)
    # The target has no difference from itself, so its place holds the colour scale.
    grid[2, -1].set_axis_off()
    scale = grid[2, -1].inset_axes((0.08, 0.08, 0.07, 0.84))
    figure.colorbar(drawn, cax=scale, ticks=[-limit, 0, limit], label="HU")
    for axes, label in zip(grid[:, 0], ROWS, strict=True):
        axes.set_ylabel(label, fontsize=10)
    figure.supxlabel(legend, fontsize=7.5, parse_math=False)
    return figure


def difference_limit(study: CaseStudy) -> float:
    """Return the end of the difference scale in HU: a round number that 99 % do not exceed."""
    errors = [np.abs(study.error(name)) for name in study.images]
    highest = max(1.0, float(np.percentile(errors, 99)))
    decade: float = 10 ** math.floor(math.log10(highest))
    return next(step * decade for step in (1.0, 2.0, 5.0, 10.0) if step * decade >= highest)


def _show_slice(axes: Axes, hu: NDArray[np.float32], study: CaseStudy) -> None:
    from matplotlib.patches import Rectangle

    _show(axes, hu, study.display, "gray")
    corner = (study.box.left - 0.5, study.box.top - 0.5)
    outline = Rectangle(corner, study.box.width, study.box.height, fill=False, color=BOX_COLOR)
    axes.add_patch(outline)


def _show(axes: Axes, hu: NDArray[np.float32], display: HUWindow, colors: str) -> AxesImage:
    axes.set_xticks([])
    axes.set_yticks([])
    return axes.imshow(hu, cmap=colors, vmin=display.lower, vmax=display.upper)


def _quality(study: CaseStudy, name: str) -> str:
    image, target, padding = study.images[name], study.target[1], study.padding
    part = study.box.part
    whole = psnr(image, target, QUALITY_RANGE, padding)
    region = psnr(image[part], target[part], QUALITY_RANGE, padding[part])
    return f"PSNR {whole:.2f} dB\nin the region {region:.2f} dB"


def _legend(study: CaseStudy, columns: int) -> str:
    display, peak = study.display, QUALITY_RANGE
    ranges = (
        f"Display {display.lower:.0f} to {display.upper:.0f} HU. "
        f"PSNR over {peak.lower:.0f} to {peak.upper:.0f} HU."
    ).replace("-", "−")
    return textwrap.fill(f"{ranges} {study.caption}", 34 * columns)
