"""Results pages: figures stand between a comment with a name and ``<!-- end -->``."""

from __future__ import annotations

import re
import statistics
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any


def fill_page(page: Path, blocks: Mapping[str, str]) -> None:
    """Replace what stands between ``<!-- NAME -->`` and ``<!-- end -->``, for each name."""
    text = page.read_text()
    for name, block in blocks.items():
        pattern = rf"(?<=<!-- {re.escape(name)} -->\n).*?(?=<!-- end -->)"
        filled = f"\n{block}\n\n"
        text = re.sub(pattern, filled.replace("\\", r"\\"), text, flags=re.DOTALL)
    page.write_text(text)


def spread(values: Sequence[float], digits: int) -> str:
    """Return the mean of a figure over the seeds, with the smallest and largest."""
    if not values:
        return "–"
    mean = f"{statistics.mean(values):,.{digits}f}"
    if len(values) == 1:
        return mean
    return f"{mean} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def shown(row: str, seed: int) -> str:
    """Return what one training of a line of a table is called."""
    return f"{row}, seed {seed}"


def digits_of(title: str) -> int:
    """Return how many digits a measure has in a table: none where it counts."""
    if title.startswith("features") or title == "CPU min":
        return 0
    return 4 if title == "SSIM" else 2


def present_lines(
    planned: Mapping[str, Sequence[str]], found: Container[str]
) -> dict[str, list[str]]:
    """Return the trainings of each line of a table that are there; the title tells if some lack.

    Where all are missing, no line is left.
    """
    lines = {}
    for title, runs in planned.items():
        present = [run for run in runs if run in found]
        some = f" ({len(present)} of {len(runs)} runs)" if len(present) < len(runs) else ""
        lines[title + some] = present
    return lines if any(lines.values()) else {}


def spread_table(
    heading: str, names: Mapping[str, Sequence[str]], figures: Mapping[str, Mapping[str, float]]
) -> str:
    """Return a table of means over the seeds, with the smallest and largest.

    Parameters
    ----------
    names
        What was measured for each line, by its title.
    figures
        Of each of them by measure; what one of them lacks is left empty.
    """
    titles = max((list(one) for one in figures.values()), key=len)
    lines = [f"| {' | '.join([heading, *titles])} |", "|---|" + "---:|" * len(titles)]
    for line, runs in names.items():
        parts = [line]
        for title in titles:
            values = [figures[run][title] for run in runs if title in figures[run]]
            parts.append(spread(values, digits_of(title)) if values else "")
        lines.append(f"| {' | '.join(parts)} |")
    return "\n".join(lines)


def difference_table(
    heading: str,
    differences: Mapping[str, Mapping[str, Mapping[str, Any]]],
    by_seed: Mapping[str, Mapping[str, Sequence[float]]] | None = None,
) -> str:
    """Return a table of differences with their 95 % limits, one line for each.

    Parameters
    ----------
    by_seed
        For each line, differences with each seed by measure: further columns.
    """
    titles = list(next(iter(differences.values())))
    further = list(next(iter(by_seed.values()))) if by_seed else []
    heads = [heading, *titles, *(f"{title}, by seed" for title in further)]
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    for name, one in differences.items():
        parts = [name, *difference_parts(one)]
        if by_seed:
            parts += [", ".join(f"{value:+.2f}" for value in by_seed[name][t]) for t in further]
        lines.append(f"| {' | '.join(parts)} |")
    return "\n".join(lines)


def difference_parts(differences: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the cells of a line of differences with their 95 % limits, by measure."""
    parts = []
    for title, one in differences.items():
        digits = digits_of(title)
        limits = " to ".join(f"{limit:+,.{digits}f}" for limit in one["interval"])
        parts.append(f"{one['value']:+,.{digits}f} ({limits})")
    return parts
