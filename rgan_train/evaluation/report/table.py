"""A table of a report, and how to write it as Markdown and LaTeX."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

WIDEST: Final = 150
"""Most characters beside each other on a page of 1280 pixels, without the names of methods."""
MARGIN: Final = 2


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    over
        Heading that it shares with its neighbours; empty if it shares none.
    label
        Its own heading.
    texts
        Text of the cell of each method.
    values
        Values to sort by, one for each method; NaN if there is none.
    badness
        Values to rank by, rounded like the texts: smaller is better; NaN if there is none.
    """

    over: str
    label: str
    texts: Sequence[str]
    values: Sequence[float]
    badness: Sequence[float]

    @property
    def best(self) -> frozenset[int]:
        """Row numbers of the best values."""
        least = min((bad for bad in self.badness if not math.isnan(bad)), default=math.nan)
        return frozenset(row for row, bad in enumerate(self.badness) if bad == least)

    def with_controls(self, texts: Sequence[str], values: Sequence[float]) -> Column:
        """Return a column with more rows at the end, which are never the best."""
        unranked = [math.nan] * len(values)
        return Column(
            self.over,
            self.label,
            [*self.texts, *texts],
            [*self.values, *values],
            [*self.badness, *unranked],
        )


@dataclass(frozen=True)
class Table:
    """A table with a row for each method.

    Attributes
    ----------
    name
        Name for links and labels.
    title
        What the table shows, without a full stop.
    methods
        Name of each row.
    remarks
        Sentences that explain the table. Tables of one section may share some.
    """

    name: str
    title: str
    methods: Sequence[str]
    columns: Sequence[Column]
    remarks: Sequence[str] = ()

    @property
    def caption(self) -> str:
        """Text of a table that stands alone: its title and all its remarks."""
        return " ".join([f"{self.title}.", *self.remarks])

    @property
    def heading_spans(self) -> dict[str, int]:
        """Number of columns below each shared heading; empty if no column has one."""
        spans = Counter(column.over for column in self.columns)
        return dict(spans) if any(spans) else {}


def collect_remarks(tables: Sequence[Table]) -> list[str]:
    """Return the remarks of the tables of a section, each of them once."""
    return list(dict.fromkeys(remark for table in tables for remark in table.remarks))


def split_columns(table: Table) -> list[Table]:
    """Divide a table that is too wide for a page; columns that share a heading stay together."""
    parts: list[list[Column]] = []
    room = 0
    for _, group in groupby(table.columns, key=lambda column: column.over or column.label):
        columns = list(group)
        width = sum(map(_count_characters, columns))
        if width > room:
            parts.append([])
            room = WIDEST
        parts[-1] += columns
        room -= width
    first, *others = (replace(table, columns=columns) for columns in parts or [[]])
    continued = [
        replace(other, name=f"{other.name}-{number}", title=f"{other.title}, continued")
        for number, other in enumerate(others, start=2)
    ]
    return [first, *continued]


def _count_characters(column: Column) -> int:
    """Return how wide a column is on the page: intervals stand below, and headings wrap."""
    lines = [line for text in column.texts for line in text.split(" (")]
    return max(map(len, [*lines, *column.label.split()])) + MARGIN


def to_markdown(table: Table) -> str:
    """Return a table in GitHub's Markdown, with its caption above."""
    headings = [", ".join(filter(None, (c.over, c.label))) for c in table.columns]
    lines = [["method", *headings], ["---"] + ["---:"] * len(table.columns)]
    lines[0] = [escape_markdown(heading) for heading in lines[0]]
    for row, method in enumerate(table.methods):
        cells = [escape_markdown(column.texts[row]) for column in table.columns]
        lines.append(
            [
                escape_markdown(method),
                *(
                    f"**{cell}**" if row in column.best else cell
                    for cell, column in zip(cells, table.columns, strict=True)
                ),
            ]
        )
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{escape_markdown(table.caption)}\n\n{body}\n"


def to_latex(table: Table) -> str:
    """Return a table in LaTeX, with its caption; it needs the package booktabs.

    Columns that share a heading are stacked: side by side they would be wider than a page.
    """
    stacked = any(column.over for column in table.columns)
    headings = dict.fromkeys(c.over if stacked else c.label for c in table.columns)
    kinds = dict.fromkeys(c.label if stacked else "" for c in table.columns)
    cells = {(c.over, c.label) if stacked else (c.label, ""): c for c in table.columns}
    lines = []
    for row, method in enumerate(table.methods):
        for number, kind in enumerate(kinds):
            line = [escape_latex("" if number else method)] + [escape_latex(kind)] * stacked
            line += [_latex_cell(cells.get((heading, kind)), row) for heading in headings]
            lines.append(" & ".join(line) + r" \\")
    first = ["Method"] + [""] * stacked + [escape_latex(heading) for heading in headings]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{escape_latex(table.caption)}}}",
            rf"\label{{tab:{table.name}}}",
            r"\centering\footnotesize",
            rf"\begin{{tabular}}{{l{'l' * stacked}{'r' * len(headings)}}}",
            r"\toprule",
            " & ".join(first) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _latex_cell(column: Column | None, row: int) -> str:
    if column is None:
        return ""
    text = escape_latex(column.texts[row])
    return rf"\textbf{{{text}}}" if row in column.best else text


_MARKDOWN: Final = str.maketrans({mark: f"\\{mark}" for mark in r"\`*_[]<>|~$"})
_LATEX: Final = str.maketrans(
    {
        **{mark: f"\\{mark}" for mark in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "^": r"\textasciicircum{}",
        "~": r"\textasciitilde{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "[": "{[}",  # without braces it would be an option of the line break before it
        "]": "{]}",
        "±": r"$\pm$",
        "−": "$-$",
        "–": "--",
        "×": r"$\times$",
        "σ": r"$\sigma$",
        "→": r"$\rightarrow$",
        "≥": r"$\geq$",
        "≤": r"$\leq$",
        "∞": r"$\infty$",
    }
)


def escape_markdown(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    return text.translate(_MARKDOWN)


def escape_latex(text: str) -> str:
    """Return a text that LaTeX shows as it is."""
    return text.translate(_LATEX)
