"""A small document: headings, paragraphs, lists and tables, for Markdown and LaTeX alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

OPEN: Final = re.compile(r"(\[state: [^\[\]]*\])")
"""What the author has to fill in, as it stands in a text."""


@dataclass(frozen=True)
class Heading:
    """The title of the document (level 1), of a section (2) or of a part of one (3)."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """Sentences; what the author has to state is marked by ``state``."""

    text: str


@dataclass(frozen=True)
class Listing:
    """A list with bullets."""

    items: Sequence[str]


@dataclass(frozen=True)
class Grid:
    """A table of text, which may go over several pages.

    Attributes
    ----------
    widths
        Part of the page's width that each column takes; together at most 1.
    rows
        As many cells each as there are headings.
    """

    caption: str
    headings: Sequence[str]
    widths: Sequence[float]
    rows: Sequence[Sequence[str]]


Block = Heading | Paragraph | Listing | Grid


def state(what: str) -> str:
    """Return a mark for what the author has to state, as the report does not tell it."""
    return f"[state: {what}]"


def without_marks(text: str) -> str:
    """Return a text without the sentences that are marks alone."""
    return re.sub(r"\s*" + OPEN.pattern + r"\.", "", text).strip()


def texts(block: Block) -> list[str]:
    """Return all texts of a block."""
    if isinstance(block, Listing):
        return list(block.items)
    if isinstance(block, Grid):
        return [block.caption, *(cell for row in block.rows for cell in row)]
    return [block.text]
