"""Write a document as Markdown and as LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rgan_train.evaluation.report.table import escape_latex, escape_markdown
from rgan_train.evaluation.writeup.document import OPEN, Block, Grid, Heading, Listing

LONGEST_WORD: Final = 40
"""Longer words, such as hashes, may be broken in LaTeX after every eight characters."""

_PREAMBLE: Final = r"""% Compile with pdflatex, or with lualatex if names are not in Latin letters.
\documentclass[11pt]{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage[margin=25mm]{geometry}
\usepackage{array,booktabs,longtable}
\setlength{\parindent}{0pt}
\setlength{\parskip}{6pt plus 2pt}
\emergencystretch=3em
\begin{document}
"""
_SECTIONS: Final = {1: "section*", 2: "subsection*", 3: "subsubsection*"}


def to_markdown(blocks: Sequence[Block]) -> str:
    """Return a document in GitHub's Markdown."""
    return "\n\n".join(map(_markdown_block, blocks)) + "\n"


def to_latex(blocks: Sequence[Block]) -> str:
    """Return a document in LaTeX, complete with a preamble."""
    return _PREAMBLE + "\n\n".join(map(_latex_block, blocks)) + "\n\n\\end{document}\n"


def _markdown_block(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {_markdown(block.text)}"
    if isinstance(block, Listing):
        return "\n".join(f"- {_markdown(item)}" for item in block.items)
    if isinstance(block, Grid):
        lines = [block.headings, ["---"] * len(block.headings)]
        lines += [[_markdown(cell) for cell in row] for row in block.rows]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"{_markdown(block.caption)}\n\n{table}"
    return _markdown(block.text)


def _markdown(text: str) -> str:
    """Return a text with its marks in bold."""
    parts = [escape_markdown(part) for part in OPEN.split(_one_line(text))]
    parts[1::2] = [f"**{mark}**" for mark in parts[1::2]]
    return "".join(parts)


def _latex_block(block: Block) -> str:
    if isinstance(block, Heading):
        return rf"\{_SECTIONS[block.level]}{{{_latex(block.text)}}}"
    if isinstance(block, Listing):
        items = "\n".join(rf"\item {{}}{_latex(item)}" for item in block.items)
        return f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}"
    if isinstance(block, Grid):
        return _longtable(block)
    return _latex(block.text)


def _longtable(grid: Grid) -> str:
    columns = "".join(
        rf">{{\raggedright\arraybackslash}}p{{{width - 0.03:.2f}\linewidth}}"
        for width in grid.widths
    )
    heading = " & ".join(map(_latex, grid.headings)) + r" \\"
    return "\n".join(
        [
            _latex(grid.caption),
            "",
            r"{\footnotesize",
            rf"\begin{{longtable}}{{{columns}}}",
            r"\toprule",
            heading,
            r"\midrule",
            r"\endhead",
            r"\bottomrule",
            r"\endfoot",
            *(" & ".join(map(_latex, row)) + r" \\ \addlinespace[2pt]" for row in grid.rows),
            r"\end{longtable}",
            "}",
        ]
    )


def _latex(text: str) -> str:
    """Return a text with its marks in bold, in which long words may be broken."""
    parts = [" ".join(map(_latex_word, part.split(" "))) for part in OPEN.split(_one_line(text))]
    parts[1::2] = [rf"\textbf{{{mark}}}" for mark in parts[1::2]]
    return "".join(parts)


def _latex_word(word: str) -> str:
    if len(word) <= LONGEST_WORD:
        return escape_latex(word)
    pieces = [word[start : start + 8] for start in range(0, len(word), 8)]
    return r"\allowbreak{}".join(map(escape_latex, pieces))


def _one_line(text: str) -> str:
    return " ".join(text.split())
