"""Make the five folds of docs/results/paper.md: each slice of the main pair is tested once.

    python benchmarks/quality/folds.py                 # train and measure what is missing
    python benchmarks/quality/folds.py --only fold1    # train cells whose name holds a word
    python benchmarks/quality/folds.py --tables        # compute nothing

Needs what factorial.py needs, and all its cells: the generators are the paper's own and the two
best of the others on validation slices. A fold is a cell as any other, so what was interrupted goes
on.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}

import argparse
import dataclasses
import json
import statistics
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from cells import Cell
from factorial import CELLS, PAGE, PAIR, PLAN, plan_cells, read_cell
from methods import WORK, compute_missing, list_pairs
from result_page import difference_table, fill_page, spread_table
from stacks import Images, Stack

from rgan_sdk.harmonizer import Harmonizer
from rgan_train.config import FOLDS
from rgan_train.evaluation.results import INPUT
from rgan_train.pairs.csv import read_pairs
from rgan_train.pairs.dataset import load_dataset
from rgan_train.pairs.samples import PairedSample, SliceReader

FIGURES: Final = Path("docs/results/paper/folds.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2, help="cells at a time, one thread each")
    parser.add_argument("--only", default="", help="train only cells whose name holds this")
    parser.add_argument("--tables", action="store_true", help="compute nothing")
    options = parser.parse_args()
    plan = tomllib.loads(PLAN.read_text())
    if not options.tables:
        rows = choose_rows(plan)
        cells = fold_cells(plan, rows)
        chosen = [cell for cell in cells if options.only in cell.name]
        compute_missing(chosen, plan, options.jobs, CELLS)
        if any(read_cell(cell) is None for cell in cells):
            raise SystemExit("folds are missing; run again without --only for the table")
        found = measure_folds(plan, rows, cells, options.jobs)
        FIGURES.write_text(json.dumps(found, indent=1) + "\n")
    fill_page(PAGE, {"folds": make_tables(json.loads(FIGURES.read_text()))})


def choose_rows(plan: dict[str, Any]) -> list[str]:
    """Return the paper's own generator, and the two others of the highest validation PSNR."""
    found: dict[str, list[float]] = {}
    for cell in plan_cells(plan):
        result = read_cell(cell)
        if result is None:
            raise SystemExit(f"{cell.name} is not computed yet; run factorial.py first")
        found.setdefault(cell.row, []).append(result["validation_psnr_db"])
    own, *others = found
    return [own, *sorted(others, key=lambda row: statistics.mean(found[row]))[:-3:-1]]


def fold_cells(plan: dict[str, Any], rows: Sequence[str]) -> list[Cell]:
    """Return a cell for each generator and fold, with the first seed: all of a fold together."""
    first = {cell.row: cell for cell in reversed(plan_cells(plan))}
    return [
        dataclasses.replace(
            first[row],
            row=f"{row}, fold{fold}",
            settings=(*first[row].settings, f"data.fold={fold}"),
        )
        for fold in range(1, FOLDS + 1)
        for row in rows
    ]


def measure_folds(
    plan: Mapping[str, Any], rows: Sequence[str], cells: Sequence[Cell], jobs: int
) -> dict[str, Any]:
    """Measure each slice with the models that have not seen it, and compare the generators."""
    pairs = read_pairs(list_pairs(PAIR, plan["pairs"][PAIR]["folder"]))
    reader = SliceReader(4096)
    tested: dict[float, PairedSample] = {}
    made: dict[str, dict[float, Images]] = {row: {} for row in rows}
    for cell in cells:
        row, _, _ = cell.row.rpartition(", ")
        with Harmonizer.load(
            WORK / f"{cell.name}.onnx", device="cpu", outside_domain=("spacing",)
        ) as harmonizer:
            for item in load_dataset(pairs, cell.config().data).test:
                sample = tested.setdefault(item.position, reader.read(item))
                made[row][item.position] = harmonizer(sample.source_hu, pixel_spacing=item.spacing)
                spacing = item.spacing
    order = sorted(tested)
    stack = Stack([tested[place] for place in order], spacing, WORK / "features", jobs)
    images = {row: np.stack([found[place] for place in order]) for row, found in made.items()}
    figures, measures = stack.measure({INPUT: stack.source_hu, **images})
    own, *others = rows
    return {
        "slices": len(order),
        "figures": figures,
        "differences": {
            row: {title: one.contrast([row], [own]) for title, one in measures.items()}
            for row in others
        },
    }


def make_tables(found: Mapping[str, Any]) -> str:
    """Return the table of all generators, and that of their differences from the paper's own."""
    names = {name: [name] for name in found["figures"]}
    tables = (
        spread_table("generator", names, found["figures"]),
        difference_table("against the paper's own", found["differences"]),
    )
    return "\n\n".join(tables)


if __name__ == "__main__":
    main()
