"""Make the five folds of docs/results/paper.md: each slice of the main pair is tested once.

    python benchmarks/quality/folds.py                 # train and measure what is missing
    python benchmarks/quality/folds.py --only residual #  generators whose name holds a word
    python benchmarks/quality/folds.py --tables        # compute nothing

Needs what factorial.py needs, and all its cells: the generators are that nearest to the paper's and
the two best of the others on validation slices. A fold is a cell as any other, so what was
interrupted goes on.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}

import argparse
import dataclasses
import statistics
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from cells import Cell
from factorial import PAGE, PAIR, PLAN, plan_cells
from measured import Record, difference, read_all
from methods import WORK, list_pairs
from paper_cells import has_model, measure_input, open_stack, read_cell, train_cells
from processes import run_all
from result_page import difference_table, fill_page, spread_table

from rgan_sdk.harmonizer import Harmonizer
from rgan_train.config import FOLDS
from rgan_train.evaluation.results import INPUT
from rgan_train.pairs.csv import read_pairs
from rgan_train.pairs.dataset import load_dataset
from rgan_train.pairs.samples import SliceReader

TABLE: Final = "folds"


@dataclass(frozen=True)
class Generator:
    """A line of the table: a generator, and its training on each fold."""

    row: str
    folds: tuple[Cell, ...]

    @property
    def name(self) -> str:
        """What the table calls it."""
        return self.row

    @property
    def record(self) -> Record | None:
        """Where its figures are kept; None as long as folds are missing."""
        results = [read_cell(cell) for cell in self.folds]
        if None in results:
            return None
        return Record(TABLE, self.row, {"models": [one["model_sha256"] for one in results if one]})

    @property
    def is_measured(self) -> bool:
        """Whether its figures are there."""
        return self.record is not None and self.record.read() is not None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2, help="cells at a time, one thread each")
    parser.add_argument("--only", default="", help="only generators whose name holds this")
    parser.add_argument("--tables", action="store_true", help="compute nothing")
    options = parser.parse_args()
    plan = tomllib.loads(PLAN.read_text())
    generators, ok = plan_folds(plan, choose_rows(plan)), True
    if not options.tables:
        chosen = [one for one in generators if options.only in one.row and not one.is_measured]
        ok = train_cells([cell for one in chosen for cell in one.folds], plan, options.jobs)
        pairs_csv = list_pairs(PAIR, plan["pairs"][PAIR]["folder"])
        measure_input(generators[0].folds, TABLE, pairs_csv)
        trained = [one for one in chosen if all(map(has_model, one.folds))]
        ok = run_all(measure_generator, trained, options.jobs, pairs_csv) and ok
    fill_page(PAGE, make_tables(generators))
    return 0 if ok else 1


def choose_rows(plan: dict[str, Any]) -> list[str]:
    """Return the generator nearest to the paper's, and the two others of the highest PSNR."""
    found: dict[str, list[float]] = {}
    for cell in plan_cells(plan):
        result = read_cell(cell)
        if result is None:
            raise SystemExit(f"{cell.name} is not computed yet; run factorial.py first")
        found.setdefault(cell.row, []).append(result["validation_psnr_db"])
    own, *others = found
    return [own, *sorted(others, key=lambda row: statistics.mean(found[row]))[:-3:-1]]


def plan_folds(plan: dict[str, Any], rows: Sequence[str]) -> list[Generator]:
    """Return a training on each fold for each generator, with the first seed."""
    first = {cell.row: cell for cell in reversed(plan_cells(plan))}
    return [
        Generator(row, tuple(on_fold(first[row], fold) for fold in range(1, FOLDS + 1)))
        for row in rows
    ]


def on_fold(cell: Cell, fold: int) -> Cell:
    """Return the same training on a fold."""
    settings = (*cell.settings, f"data.fold={fold}")
    return dataclasses.replace(cell, row=f"{cell.row}, fold{fold}", settings=settings)


def measure_generator(generator: Generator, pairs_csv: Path, threads: int) -> str:
    """Measure each slice with the model that has not seen it; return what to say."""
    pairs, reader, made = read_pairs(pairs_csv), SliceReader(4096), {}
    for cell in generator.folds:
        items = load_dataset(pairs, cell.config().data).test
        with Harmonizer.load(
            WORK / f"{cell.name}.onnx", device="cpu", outside_domain=("spacing",)
        ) as harmonizer:
            for item in items:
                hu = reader.read(item).source_hu
                made[item.position] = harmonizer(hu, pixel_spacing=item.spacing)
    stack, record = open_stack(generator.folds, pairs_csv), generator.record
    assert record is not None
    measured = stack.measure(np.stack([made[position] for position in sorted(made)]))
    record.write(measured)
    return measured.summary


def make_tables(generators: Sequence[Generator]) -> dict[str, str]:
    """Return the tables of all generators and of their differences from the first."""
    records = [Record(TABLE, INPUT, {}), *(one.record for one in generators)]
    found = read_all(record for record in records if record)
    own, *others = generators
    if own.row not in found:
        return {}
    lines = {name: [name] for name in found}
    differences = {
        one.row: difference([found[one.row]], [found[own.row]])
        for one in others
        if one.row in found
    }
    tables = [spread_table("generator", lines, {n: one.figures for n, one in found.items()})]
    if differences:
        tables.append(difference_table(f"against {own.row}", differences))
    return {"folds": "\n\n".join(tables)}


if __name__ == "__main__":
    sys.exit(main())
