"""A picture of a card's validity map: where the model gains, and where it loses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rgan_sdk.card import ModelCard
from rgan_sdk.cli.domain import RESAMPLED, describe_spacing, gain, is_stated, number, panels
from rgan_sdk.cli.drawing import (
    FAINT,
    INK,
    SMALL,
    TEXT,
    TITLE,
    WHITE,
    height,
    place,
    save_picture,
    wrap,
    write_lines,
)
from rgan_sdk.errors import ConfigurationError

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

STEPS: Final = (1.0, 3.0, 6.0)
"""Where the colour changes, in dB to either side of 0: the same in all pictures."""
LOSSES: Final = ("#fde3c4", "#f6ad67", "#dd7010", "#9a3f00")
GAINS: Final = ("#dceaf6", "#9fc6e5", "#4f93c8", "#155a94")
NEITHER: Final = "#f4f4f4"
MARGIN, GAP = 44, 56
CELL_WIDTH, CELL_HEIGHT = 108, 56
LABELS = 126
"""Width of the column of pixel spacings, with the bracket at its right."""
HEADINGS = 116
"""Height of what stands above the cells."""
SCALE_WIDTH, SCALE_HEIGHT = 64, 26
LEAST_WIDTH = 900

Rows = Sequence[Sequence[float]]


def write_validity_map(path: Path, card: ModelCard) -> None:
    """Draw the validity map of a card as PNG.

    Raises
    ------
    ConfigurationError
        If the card has no validity map.
    OutputError
        If the file cannot be written.
    """
    if card.validity is None:
        raise ConfigurationError(
            f"{card.name}: its card has no validity map to draw. `rgan-train export` of this "
            "version measures one on the pairs of the run; a model made without pairs has none"
        )
    save_picture(path, _draw(card))


def _draw(card: ModelCard) -> Image.Image:
    from PIL import Image, ImageDraw

    validity = card.validity
    assert validity is not None
    tables = panels(validity)
    grid = len(validity.added_noise) * CELL_WIDTH
    width = max(LEAST_WIDTH, 2 * MARGIN + LABELS + len(tables) * (grid + GAP) - GAP)
    room = width - 2 * MARGIN
    above = [
        *wrap(f"Where {card.name} {card.version} gains, and where it loses", TITLE, room),
        *wrap(
            f"{', '.join(card.source_kernels)} to {card.target_kernel}: gain in PSNR, dB, "
            f"on {validity.data}. {RESAMPLED}",
            TEXT,
            room,
        ),
    ]
    below = list(
        wrap(f"The bracket marks what the card states: {describe_spacing(card)}.", TEXT, room)
    )
    top = MARGIN + height(above) + HEADINGS
    bottom = top + len(validity.pixel_spacing) * CELL_HEIGHT
    scale = bottom + 40
    end = scale + SCALE_HEIGHT + 52
    picture = Image.new("RGB", (width, end + height(below) + MARGIN), WHITE)
    draw = ImageDraw.Draw(picture)
    write_lines(draw, MARGIN, MARGIN, above)
    _draw_labels(draw, top, card, validity.pixel_spacing)
    for index, (title, gains) in enumerate(tables):
        left = MARGIN + LABELS + index * (grid + GAP)
        _draw_panel(draw, left, top, title, validity.added_noise, gains)
    _draw_scale(draw, MARGIN + LABELS, scale)
    write_lines(draw, MARGIN, end, below)
    return picture


def _draw_labels(
    draw: ImageDraw.ImageDraw, top: int, card: ModelCard, spacings: Sequence[float]
) -> None:
    """Write the pixel spacings, with a bracket beside those on the card."""
    right = MARGIN + LABELS - 30
    place(draw, MARGIN, top - 36, "pixel", SMALL, anchor="lm")
    place(draw, MARGIN, top - 14, "spacing, mm", SMALL, anchor="lm")
    stated = [index for index, spacing in enumerate(spacings) if is_stated(card, spacing)]
    for index, spacing in enumerate(spacings):
        ink = INK if index in stated else FAINT
        middle = top + (index + 0.5) * CELL_HEIGHT
        place(draw, right - 8, middle, number(spacing), TEXT, ink, anchor="rm")
    if stated:
        first = top + stated[0] * CELL_HEIGHT + 4
        last = top + (stated[-1] + 1) * CELL_HEIGHT - 4
        corners = [(right + 18, first), (right + 8, first), (right + 8, last), (right + 18, last)]
        draw.line(corners, fill=INK, width=4)


def _draw_panel(
    draw: ImageDraw.ImageDraw,
    left: int,
    top: int,
    title: str,
    noises: Sequence[float],
    gains: Rows,
) -> None:
    middle = left + len(noises) * CELL_WIDTH / 2
    place(draw, middle, top - 84, f"gain {title}", TEXT)
    place(draw, middle, top - 50, "added noise, HU", SMALL)
    for column, noise in enumerate(noises):
        place(draw, left + (column + 0.5) * CELL_WIDTH, top - 20, number(noise), TEXT)
    for row, values in enumerate(gains):
        for column, value in enumerate(values):
            x, y = left + column * CELL_WIDTH, top + row * CELL_HEIGHT
            colour = _colour(value)
            draw.rectangle((x + 1, y + 1, x + CELL_WIDTH - 2, y + CELL_HEIGHT - 2), fill=colour)
            ink = WHITE if colour in (LOSSES[-1], GAINS[-1]) else INK
            place(draw, x + CELL_WIDTH / 2, y + CELL_HEIGHT / 2, gain(value), TEXT + 2, ink)


def _draw_scale(draw: ImageDraw.ImageDraw, left: int, top: int) -> None:
    """Draw the colours, with the gains in dB where they change below."""
    colours = (*reversed(LOSSES), *GAINS)
    ends = (*(-step for step in reversed(STEPS)), 0.0, *STEPS)
    for index, colour in enumerate(colours):
        x = left + index * SCALE_WIDTH
        draw.rectangle((x, top, x + SCALE_WIDTH - 1, top + SCALE_HEIGHT), fill=colour)
    for index, end in enumerate(ends, start=1):
        text = f"{end:+.0f}" if end else "0"
        place(draw, left + index * SCALE_WIDTH, top + SCALE_HEIGHT + 16, text, SMALL)
    middle = top + SCALE_HEIGHT / 2
    place(draw, left - 12, middle, "worse", SMALL, anchor="rm")
    place(draw, left + len(colours) * SCALE_WIDTH + 12, middle, "better, dB", SMALL, anchor="lm")


def _colour(value: float) -> str:
    shown = round(value, 1)
    if shown == 0:
        return NEITHER
    colours = GAINS if shown > 0 else LOSSES
    return colours[sum(abs(shown) >= step for step in STEPS)]
