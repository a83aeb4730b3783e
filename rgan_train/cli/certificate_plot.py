"""The page beside a match: the measured transfer with its limits, and what must agree with it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from rgan_sdk.cli.domain import describe_certificate
from rgan_sdk.cli.drawing import SMALL, TEXT, TITLE, WHITE, place, save_picture
from rgan_sdk.cli.kernel_plot import (
    AXIS,
    COLOURS,
    GAP,
    HEADINGS,
    KEY,
    LABELS,
    MARGIN,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    Panel,
    draw_axes,
    draw_curve,
)
from rgan_sdk.kernels import Curve, TransferRatio
from rgan_train.matching.certificate import Evidence, decibels

STEP: Final = 5.0
"""Between two values of an axis, dB."""

NOTE: Final = (
    "Root mean square up to 0.9 of the Nyquist frequency. Small deviations mean that the slices "
    "suffice, not that source and target differ in their kernels alone."
)

Named = tuple[str, Curve]


def write_certificate(path: Path, evidence: Evidence, source: str, target: str) -> None:
    """Draw the evidence of a match from one kernel to another.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    from PIL import Image, ImageDraw

    left, right = list(_matched(evidence)), list(_unmatched(evidence))
    certificate = list(describe_certificate(evidence.certificate()))
    top = MARGIN + HEADINGS
    below = top + PANEL_HEIGHT + AXIS
    rows = max(len(left), len(right)) + len(certificate) + 2
    width = 2 * (MARGIN + LABELS + PANEL_WIDTH) + GAP
    picture = Image.new("RGB", (width, below + KEY * rows + MARGIN), WHITE)
    draw = ImageDraw.Draw(picture, "RGBA")
    title = f"{source} to {target}, measured without pairs"
    place(draw, MARGIN, MARGIN, title, TITLE, anchor="la")
    highest = math.ceil(evidence.direct.nyquist)
    first = MARGIN + LABELS
    second = first + PANEL_WIDTH + GAP + LABELS
    for x, heading, curves in (
        (first, "gain, dB: all of these must agree", left),
        (second, "a group against itself, dB: must be 0", right),
    ):
        panel = Panel(x, top, highest, *_ends(curves))
        draw_axes(draw, panel, heading, STEP)
        for index, (name, curve) in enumerate(curves):
            draw_curve(draw, panel, curve, COLOURS[index])
            y = below + (index + 0.5) * KEY
            draw.line([(x, y), (x + 50, y)], fill=COLOURS[index], width=4)
            place(draw, x + 64, y, name, TEXT, anchor="lm")
    y = below + KEY * (max(len(left), len(right)) + 1.0)
    for line in certificate:
        place(draw, first, y, line, TEXT, anchor="lm")
        y += KEY
    place(draw, first, y, NOTE, SMALL, anchor="lm")
    save_picture(path, picture)


def _matched(evidence: Evidence) -> Iterator[Named]:
    """Yield the curves from the source to the target."""
    ratio = evidence.direct.ratio
    values = (20 * np.log10(np.maximum(part, 1e-3)) for part in ratio[1:])
    yield "source to target, with 95 % limits", Curve(ratio.frequency, *values)
    yield from _known(("first halves", evidence.halves[:1]), ("second halves", evidence.halves[1:]))
    if evidence.by_third:
        yield from _known(("by way of the third group", evidence.by_third))


def _unmatched(evidence: Evidence) -> Iterator[Named]:
    """Yield the curves that must do nothing."""
    yield from _known(
        ("half of the source to the other half", (evidence.source_to_itself,)),
        ("half of the target to the other half", (evidence.target_to_itself,)),
    )


def _known(*named: tuple[str, Sequence[TransferRatio | None]]) -> Iterator[Named]:
    """Yield the products of transfers, in dB, where all of them are known."""
    for name, parts in named:
        transfers = tuple(part for part in parts if part)
        if len(transfers) == len(parts):
            frequency = np.linspace(0, min(one.nyquist for one in transfers), 65)
            yield name, Curve(frequency, *([decibels(transfers, frequency)] * 3))


def _ends(curves: Sequence[Named]) -> tuple[float, float]:
    """Return the ends of an axis that holds all curves, and 0 with something around it."""
    values = [part for _, curve in curves for part in (curve.lower, curve.upper)]
    lowest = min([-STEP, *(float(part.min()) for part in values)])
    highest = max([STEP, *(float(part.max()) for part in values)])
    return STEP * math.floor(lowest / STEP), STEP * math.ceil(highest / STEP)
