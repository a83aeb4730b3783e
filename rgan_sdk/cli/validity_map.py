"""A picture of a card's validity map: where the model gains, and where it loses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rgan_sdk.card import ModelCard
from rgan_sdk.cli.domain import RESAMPLED, describe_spacing, gain, is_stated, number, panels
from rgan_sdk.errors import ConfigurationError, OutputError
from rgan_sdk.files import atomic_write

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

STEPS: Final = (1.0, 3.0, 6.0)
"""Where the colour changes, in dB to either side of 0: the same in all pictures."""
LOSSES: Final = ("#fde3c4", "#f6ad67", "#dd7010", "#9a3f00")
GAINS: Final = ("#dceaf6", "#9fc6e5", "#4f93c8", "#155a94")
NEITHER: Final = "#f4f4f4"
INK, FAINT, WHITE = "#1a1a1a", "#767676", "#ffffff"
TITLE, TEXT, SMALL = 32, 21, 19
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
            f"{card.name}: its card has no validity map to draw. `rgan-train export` measures one "
            "where the run has pairs to test with: export the model again with this version"
        )
    picture = _draw(card)
    try:
        with atomic_write(path) as temporary:
            picture.save(temporary, format="PNG")
    except OSError as exc:
        raise OutputError(f"{path}: cannot be written ({exc.strerror})") from exc


def _draw(card: ModelCard) -> Image.Image:
    from PIL import Image, ImageDraw

    validity = card.validity
    assert validity is not None
    tables = panels(validity)
    grid = len(validity.added_noise) * CELL_WIDTH
    width = max(LEAST_WIDTH, 2 * MARGIN + LABELS + len(tables) * (grid + GAP) - GAP)
    above = [
        *_wrap(f"Where {card.name} {card.version} gains, and where it loses", TITLE, width),
        *_wrap(
            f"{', '.join(card.source_kernels)} to {card.target_kernel}: gain in PSNR, dB, "
            f"on {validity.data}. {RESAMPLED}",
            TEXT,
            width,
        ),
    ]
    below = list(
        _wrap(f"The bracket marks what the card states: {describe_spacing(card)}.", TEXT, width)
    )
    top = MARGIN + _height(above) + HEADINGS
    bottom = top + len(validity.pixel_spacing) * CELL_HEIGHT
    scale = bottom + 40
    end = scale + SCALE_HEIGHT + 52
    picture = Image.new("RGB", (width, end + _height(below) + MARGIN), WHITE)
    draw = ImageDraw.Draw(picture)
    _write(draw, MARGIN, above)
    _draw_labels(draw, top, card, validity.pixel_spacing)
    for index, (title, gains) in enumerate(tables):
        left = MARGIN + LABELS + index * (grid + GAP)
        _draw_panel(draw, left, top, title, validity.added_noise, gains)
    _draw_scale(draw, MARGIN + LABELS, scale)
    _write(draw, end, below)
    return picture


def _draw_labels(
    draw: ImageDraw.ImageDraw, top: int, card: ModelCard, spacings: Sequence[float]
) -> None:
    """Write the pixel spacings, with a bracket beside those on the card."""
    right = MARGIN + LABELS - 30
    _place(draw, MARGIN, top - 36, "pixel", SMALL, anchor="lm")
    _place(draw, MARGIN, top - 14, "spacing, mm", SMALL, anchor="lm")
    stated = [index for index, spacing in enumerate(spacings) if is_stated(card, spacing)]
    for index, spacing in enumerate(spacings):
        ink = INK if index in stated else FAINT
        middle = top + (index + 0.5) * CELL_HEIGHT
        _place(draw, right - 8, middle, number(spacing), TEXT, ink, anchor="rm")
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
    _place(draw, middle, top - 84, f"gain {title}", TEXT)
    _place(draw, middle, top - 50, "added noise, HU", SMALL)
    for column, noise in enumerate(noises):
        _place(draw, left + (column + 0.5) * CELL_WIDTH, top - 20, number(noise), TEXT)
    for row, values in enumerate(gains):
        for column, value in enumerate(values):
            x, y = left + column * CELL_WIDTH, top + row * CELL_HEIGHT
            colour = _colour(value)
            draw.rectangle((x + 1, y + 1, x + CELL_WIDTH - 2, y + CELL_HEIGHT - 2), fill=colour)
            ink = WHITE if colour in (LOSSES[-1], GAINS[-1]) else INK
            _place(draw, x + CELL_WIDTH / 2, y + CELL_HEIGHT / 2, gain(value), TEXT + 2, ink)


def _draw_scale(draw: ImageDraw.ImageDraw, left: int, top: int) -> None:
    """Draw the colours, with the gains in dB where they change below."""
    colours = (*reversed(LOSSES), *GAINS)
    ends = (*(-step for step in reversed(STEPS)), 0.0, *STEPS)
    for index, colour in enumerate(colours):
        x = left + index * SCALE_WIDTH
        draw.rectangle((x, top, x + SCALE_WIDTH - 1, top + SCALE_HEIGHT), fill=colour)
    for index, end in enumerate(ends, start=1):
        text = f"{end:+.0f}" if end else "0"
        _place(draw, left + index * SCALE_WIDTH, top + SCALE_HEIGHT + 16, text, SMALL)
    middle = top + SCALE_HEIGHT / 2
    _place(draw, left - 12, middle, "worse", SMALL, anchor="rm")
    _place(draw, left + len(colours) * SCALE_WIDTH + 12, middle, "better, dB", SMALL, anchor="lm")


def _colour(value: float) -> str:
    shown = round(value, 1)
    if shown == 0:
        return NEITHER
    colours = GAINS if shown > 0 else LOSSES
    return colours[sum(abs(shown) >= step for step in STEPS)]


@dataclass(frozen=True)
class _Line:
    text: str
    size: int

    @property
    def height(self) -> int:
        return round(1.4 * self.size)


def _wrap(text: str, size: int, width: int) -> Iterator[_Line]:
    """Yield a text in lines that fit a picture of this width."""
    font = _font(size)
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and font.getlength(longer) > width - 2 * MARGIN:
            yield _Line(line, size)
            longer = word
        line = longer
    yield _Line(line, size)


def _height(lines: Sequence[_Line]) -> int:
    return sum(line.height for line in lines)


def _write(draw: ImageDraw.ImageDraw, top: int, lines: Sequence[_Line]) -> None:
    for line in lines:
        _place(draw, MARGIN, top, line.text, line.size, anchor="la")
        top += line.height


def _place(
    draw: ImageDraw.ImageDraw,
    x: float,
    y: float,
    text: str,
    size: int,
    ink: str = INK,
    anchor: str = "mm",
) -> None:
    draw.text((x, y), text, fill=ink, font=_font(size), anchor=anchor)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size=size)
