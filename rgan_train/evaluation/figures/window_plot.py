"""The figure of a window schedule: HU against epoch (paper, figure 5a)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from rgan_train.evaluation.figures.window_log import EpochWindow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PHASE_NAMES = {
    "growing": "fixed growing",
    "selection": "dynamic selection",
    "whole": "whole range",
}
PHASE_COLORS = {"growing": "#e8eef7", "selection": "#fbeee0", "whole": "#ececec"}
EDGE_COLOR, BAND_COLOR = "#2b6cb0", "#a9c4e4"

REASONS = {
    "th_acc": ("accuracy passed $th_{acc}$", "^"),
    "th_eta": ("$th_{\\eta}$ epochs in the stage", "s"),
    "no hot pixel": ("no hot pixel: the whole range", "X"),
    "hot pixel": ("range of HU under hot pixels", "D"),
    "": ("another reason", "o"),
}
"""By a word that a reason contains: label in the legend, and marker. The first match counts."""


def draw_windows(epochs: Sequence[EpochWindow], title: str, th_acc: float) -> Figure:
    """Draw the window of each epoch as a band, and the accuracy below it.

    Phases are shaded. A marker on the accuracy says why the window changes after the epoch. The
    dashed line is ``th_acc``, the accuracy that ends a growing stage.

    Parameters
    ----------
    epochs
        At least one, in order.
    title
        Text above the figure.
    th_acc
        Accuracy threshold.
    """
    from matplotlib.figure import Figure

    width = min(14.0, 5.0 + 0.22 * len(epochs))
    figure = Figure(figsize=(width, 5.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.4, 1])
    _shade_phases((above, below), epochs)
    _draw_band(above, epochs)
    _draw_accuracy(below, epochs)
    _draw_threshold(below, epochs, th_acc)
    above.set_title(title, fontsize=11, parse_math=False)
    below.set_xlabel("epoch")
    below.set_xlim(epochs[0].epoch - 0.5, epochs[-1].epoch + 0.5)
    below.xaxis.get_major_locator().set_params(nbins=16, integer=True)
    return figure


def _draw_band(axes: Axes, epochs: Sequence[EpochWindow]) -> None:
    lower = [item.window.lower for item in epochs]
    upper = [item.window.upper for item in epochs]
    edges = np.append([item.epoch - 0.5 for item in epochs], epochs[-1].epoch + 0.5)
    axes.stairs(upper, edges, baseline=lower, fill=True, color=BAND_COLOR)
    for ends in (lower, upper):
        axes.stairs(ends, edges, baseline=None, color=EDGE_COLOR, linewidth=1.6)
    span = max(upper) - min(lower)
    axes.set_ylim(min(lower) - 0.08 * span, max(upper) + 0.16 * span)
    axes.set_ylabel("window, lower to upper end (HU)")
    for item in (epochs[0], epochs[-1]):
        _name_ends(axes, item)


def _name_ends(axes: Axes, item: EpochWindow) -> None:
    for value, above in ((item.window.lower, False), (item.window.upper, True)):
        axes.annotate(
            f"{value:.0f}".replace("-", "−"),
            (item.epoch, value),
            xytext=(0, 3 if above else -3),
            textcoords="offset points",
            ha="center",
            va="bottom" if above else "top",
            fontsize=7.5,
        )


def _draw_accuracy(axes: Axes, epochs: Sequence[EpochWindow]) -> None:
    numbers = [item.epoch for item in epochs]
    axes.plot(numbers, [item.accuracy for item in epochs], color="0.35", linewidth=1.2)
    kinds = [_kind(item.reason) for item in epochs]
    for kind, (label, marker) in REASONS.items():
        marked = [item for item, found in zip(epochs, kinds, strict=True) if found == kind]
        if marked:
            places = [item.epoch for item in marked]
            values = [item.accuracy for item in marked]
            axes.plot(places, values, marker, color="0.15", markersize=4.5, label=label)
    axes.set_ylabel("accuracy")
    axes.margins(y=0.2)
    if any(kind is not None for kind in kinds):
        axes.legend(
            title="why the window changes after the epoch",
            loc="upper center",
            bbox_to_anchor=(0.5, -0.42),
            ncols=2,
            fontsize=8,
            title_fontsize=8,
            frameon=False,
        )


def _draw_threshold(axes: Axes, epochs: Sequence[EpochWindow], th_acc: float) -> None:
    """Draw the threshold over the epochs it applies to: while the window grows."""
    growing = [item.epoch for item in epochs if item.phase == "growing"]
    if growing:
        start, end = growing[0] - 0.5, growing[-1] + 0.5
        axes.hlines(th_acc, start, end, color="#b7410e", linestyle="--", linewidth=1)
        place = (end, th_acc)
        axes.annotate(
            f"$th_{{acc}}$ = {th_acc:g}",
            place,
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color="#b7410e",
        )


def _kind(reason: str) -> str | None:
    return next(word for word in REASONS if word in reason) if reason else None


def _shade_phases(panels: tuple[Axes, Axes], epochs: Sequence[EpochWindow]) -> None:
    """Shade each run of epochs of one phase, and name the phase at the top of the first panel."""
    for phase, stretch in groupby(epochs, key=lambda item: item.phase):
        numbers = [item.epoch for item in stretch]
        start, end = numbers[0] - 0.5, numbers[-1] + 0.5
        for axes in panels:
            axes.axvspan(start, end, color=PHASE_COLORS[phase], linewidth=0, zorder=0)
        panels[0].text(
            (start + end) / 2,
            0.97,
            PHASE_NAMES[phase],
            transform=panels[0].get_xaxis_transform(),
            ha="center",
            va="top",
            fontsize=9,
        )
