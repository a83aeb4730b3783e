"""A picture of measured kernels: MTF and noise power by spatial frequency, with their limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from rgan_sdk.cli.drawing import FAINT, INK, SMALL, TEXT, TITLE, WHITE, place, save_picture
from rgan_sdk.kernels import Curve, KernelCurves

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

COLOURS: Final = ("#155a94", "#dd7010", "#2f8f4e", "#8c3d9e", "#b02a37", "#6b5b3e")
"""Of the series in turn."""
GRID: Final = "#e4e4e4"
LIMITS_ALPHA: Final = 50
PANEL_WIDTH, PANEL_HEIGHT = 620, 460
MARGIN, LABELS, GAP = 44, 70, 60
HEADINGS, AXIS, KEY = 110, 70, 34

Named = tuple[str, KernelCurves]
Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """An area with axes: frequency from 0, values between two ends.

    Attributes
    ----------
    left, top
        In the picture, pixels.
    highest
        Frequency at the right, lp/cm.
    low, high
        Values at the bottom and at the top.
    """

    left: float
    top: float
    highest: float
    low: float
    high: float

    def points(
        self, frequency: Sequence[float], value: Sequence[float]
    ) -> list[tuple[float, float]]:
        """Return where in the picture the points of a curve are."""
        x = self.left + np.array(frequency) / self.highest * PANEL_WIDTH
        share = (np.clip(value, self.low, self.high) - self.low) / (self.high - self.low)
        return list(zip(x.tolist(), (self.top + (1 - share) * PANEL_HEIGHT).tolist(), strict=True))


def write_kernel_plot(path: Path, measured: Sequence[Named]) -> None:
    """Draw the curves of series, each with its kernel's name.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    save_picture(path, _draw(measured))


def _draw(measured: Sequence[Named]) -> Image.Image:
    from PIL import Image, ImageDraw

    width = 2 * (MARGIN + LABELS + PANEL_WIDTH) + GAP
    top = MARGIN + HEADINGS
    bottom = top + PANEL_HEIGHT + AXIS
    picture = Image.new("RGB", (width, bottom + KEY * len(measured) + MARGIN), WHITE)
    # Pillow blends colours on this canvas where they have an alpha.
    draw = ImageDraw.Draw(picture, "RGBA")
    place(draw, MARGIN, MARGIN, "Kernels, measured on the images", TITLE, anchor="la")
    highest = math.ceil(max(curves.nyquist for _, curves in measured))
    mtfs = [curves.mtf for _, curves in measured]
    powers = [_decibels(curves.noise_power) for _, curves in measured]
    peak = math.ceil(10 * max(1.05, *(float(curve.value.max()) for curve in mtfs)) + 0.5) / 10
    ends = _round_ends(powers)
    left = MARGIN + LABELS
    panels = (
        ("MTF", Panel(left, top, highest, 0, peak), mtfs, 0.2),
        (
            "noise power in soft tissue, dB of HU^2 mm^2",
            Panel(left + PANEL_WIDTH + GAP + LABELS, top, highest, *ends),
            powers,
            10.0,
        ),
    )
    for title, panel, curves, step in panels:
        draw_axes(draw, panel, title, step)
        for index, curve in enumerate(curves):
            draw_curve(draw, panel, curve, COLOURS[index % len(COLOURS)])
    for index, (name, found) in enumerate(measured):
        y = bottom + (index + 0.5) * KEY
        colour = COLOURS[index % len(COLOURS)]
        draw.line([(left, y), (left + 50, y)], fill=colour, width=4)
        text = f"{name}, Nyquist {found.nyquist:.1f} lp/cm"
        place(draw, left + 64, y, text, TEXT, anchor="lm")
    return picture


def draw_axes(draw: ImageDraw.ImageDraw, panel: Panel, title: str, step: float) -> None:
    """Draw a panel without its curves; ``step`` is between two values of the axis."""
    right, bottom = panel.left + PANEL_WIDTH, panel.top + PANEL_HEIGHT
    place(draw, panel.left, panel.top - 30, title, TEXT, anchor="lm")
    for value in np.arange(panel.low, panel.high + step / 2, step):
        y = panel.points([0], [value])[0][1]
        draw.line([(panel.left, y), (right, y)], fill=GRID)
        place(draw, panel.left - 10, y, f"{value:.3g}", SMALL, FAINT, anchor="rm")
    for frequency in range(0, int(panel.highest) + 1, 2):
        x = panel.points([frequency], [panel.low])[0][0]
        draw.line([(x, panel.top), (x, bottom)], fill=GRID)
        place(draw, x, bottom + 18, str(frequency), SMALL, FAINT)
    draw.line([(panel.left, panel.top), (panel.left, bottom), (right, bottom)], fill=INK, width=2)
    place(draw, right, bottom + 44, "spatial frequency, lp/cm", SMALL, anchor="rm")


def draw_curve(draw: ImageDraw.ImageDraw, panel: Panel, curve: Curve, colour: str) -> None:
    """Draw a curve, and its limits as a band."""
    frequency = curve.frequency.tolist()
    band = panel.points(frequency, curve.lower.tolist())
    band += panel.points(frequency, curve.upper.tolist())[::-1]
    rgb = tuple(int(colour[start : start + 2], 16) for start in (1, 3, 5))
    draw.polygon(band, fill=(*rgb, LIMITS_ALPHA))
    draw.line(panel.points(frequency, curve.value.tolist()), fill=colour, width=3, joint="curve")


def _decibels(curve: Curve) -> Curve:
    return Curve(curve.frequency, *(10 * np.log10(np.maximum(part, 1e-6)) for part in curve[1:]))


def _round_ends(curves: Sequence[Curve]) -> tuple[float, float]:
    lowest = min(float(curve.value.min()) for curve in curves)
    highest = max(float(curve.value.max()) for curve in curves)
    return 10.0 * math.floor(lowest / 10), 10.0 * math.ceil(highest / 10)
