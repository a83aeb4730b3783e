"""The tables of docs/results/methods.md from the cells in docs/results/cells/."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path
from typing import Any

from cells import Cell
from result_page import fill_page

HEAD = (
    "| method | PSNR, dB | SSIM | mean error, HU | bias, HU | noise power distance, dB "
    "| CPU min | weights, trained / all | GMAC |"
)

BEST = {"psnr_db": max, "ssim": max, "mae_hu": min, "nps_distance_db": min}


def write_tables(page: Path, folder: Path, cells: list[Cell], plan: dict[str, Any]) -> None:
    """Fill the tables of the page."""
    blocks = {}
    for name, group in plan["group"].items():
        tables = []
        for pair, source, target in group["directions"]:
            chosen = [
                cell
                for cell in cells
                if (cell.pair, cell.source, cell.target) == (pair, source, target)
                and cell.row in group["rows"]
                and cell.seed in group["seeds"]
            ]
            title = f"**{plan['pairs'][pair]['title']}, {source} to {target}**"
            tables.append(f"{title}\n\n{make_table(folder, chosen, group['rows'])}")
        blocks[f"table {name}"] = "\n\n".join(tables)
    fill_page(page, blocks)


def make_table(folder: Path, cells: list[Cell], rows: list[str]) -> str:
    """Return one table, best figures in bold."""
    found = {row: read_cells(folder, [cell for cell in cells if cell.row == row]) for row in rows}
    measured = {row: results for row, results in found.items() if results}
    best = {
        key: choose((mean(results, key) for results in measured.values()), default=None)
        for key, choose in BEST.items()
    }
    lines = [HEAD, "|---|---|---|---|---|---|---|---|---|"]
    lines += [line(row, results, best) for row, results in found.items()]
    return "\n".join(lines)


def line(row: str, results: list[dict[str, Any]], best: dict[str, Any]) -> str:
    """Return the line of one method: means over the seeds, and their spread."""
    if not results:
        return f"| {row} | not computed yet | | | | | | | |"
    figures = []
    for key, digits in (
        *(("psnr_db", 2), ("ssim", 4), ("mae_hu", 2)),
        *(("bias_hu", 2), ("nps_distance_db", 2)),
    ):
        value, text = mean(results, key), show(results, key, digits)
        figures.append(f"**{text}**" if best.get(key) == value else text)
    if "minutes" not in results[0]:
        return f"| {row} | {' | '.join(figures)} | | | |"
    minutes = [result["minutes"]["cpu"] for result in results if "cpu" in result["minutes"]]
    spent = f"{statistics.mean(minutes):.1f}" if minutes else "not recorded"
    parameters = results[0]["parameters"]
    cost = f"{spent} | {parameters['trained']:,} / {parameters['all']:,} | {results[0]['gmac']}"
    return f"| {row} | {' | '.join(figures)} | {cost} |"


def read_cells(folder: Path, cells: list[Cell]) -> list[dict[str, Any]]:
    """Read the cells that are there and up to date."""
    return [
        json.loads((folder / f"{cell.name}.json").read_text())
        for cell in cells
        if cell.is_computed(folder)
    ]


def mean(results: list[dict[str, Any]], key: str) -> float:
    """Return the mean of a figure over the seeds; NaN where it could not be measured."""
    values = [result["quality"][key] for result in results]
    return math.nan if None in values else statistics.mean(values)


def show(results: list[dict[str, Any]], key: str, digits: int) -> str:
    """Return a mean, with the smallest and largest of several seeds."""
    values = [result["quality"][key] for result in results]
    if None in values:
        return "–"
    text = f"{statistics.mean(values):.{digits}f}"
    if len(values) == 1:
        return text
    return f"{text} ({min(values):.{digits}f} to {max(values):.{digits}f})"
