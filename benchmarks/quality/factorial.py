"""Make the factorial of docs/results/paper.md: what each part of RadiomicGAN is worth.

    python benchmarks/quality/factorial.py                 # train and measure what is missing
    python benchmarks/quality/factorial.py --only seed0    # cells whose name holds a word
    python benchmarks/quality/factorial.py --tables        # compute nothing

Needs the scans of docs/data.md in .data/, and pyradiomics for the features (make eval-deps). The
plan is paper.toml. A cell takes some twenty minutes on one thread. Cells and what was measured are
files in docs/results/paper/, runs and models are kept in runs/cells/; what was interrupted goes on
where it stood.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}

import argparse
import itertools
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from cells import Cell
from measured import NOISE, PSNR, Measured, Record, difference, difference_by_seed
from methods import CONFIGURATIONS, list_pairs
from paper_cells import compute_cells, measure_input, read_cell, record_of
from result_page import difference_table, fill_page, present_lines, spread_table

from rgan_train.evaluation.results import INPUT

PLAN: Final = Path(__file__).with_name("paper.toml")
PAGE: Final = Path("docs/results/paper.md")
TABLE: Final = "factorial"
PAIR: Final = "siemens"


class Effect(NamedTuple):
    """Two generators that differ in one choice: the rows of the factor's first and second."""

    title: str
    plus: str
    minus: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2, help="cells at a time, one thread each")
    parser.add_argument("--only", default="", help="only cells whose name holds this")
    parser.add_argument("--tables", action="store_true", help="compute nothing")
    options = parser.parse_args()
    plan = tomllib.loads(PLAN.read_text())
    cells, ok = plan_cells(plan), True
    if not options.tables:
        pairs_csv = list_pairs(PAIR, plan["pairs"][PAIR]["folder"])
        measure_input(cells[:1], TABLE, pairs_csv)
        chosen = [cell for cell in cells if options.only in cell.name]
        ok = compute_cells(chosen, TABLE, plan, options.jobs)
    fill_page(PAGE, make_tables(plan, cells))
    return 0 if ok else 1


def plan_cells(plan: dict[str, Any]) -> list[Cell]:
    """Return one cell for each choice from each factor and each seed, the first seed first."""
    source, target = plan["pairs"][PAIR]["direction"]
    cells = []
    for seed in plan["seeds"]:
        for choices in itertools.product(*(factor.items() for factor in plan["factor"].values())):
            settings = (text for _, choice in choices for text in choice["set"])
            is_pretrained = any(choice.get("vgg") for _, choice in choices)
            cells.append(
                Cell(
                    pair=PAIR,
                    source=source,
                    target=target,
                    row=", ".join(name for name, _ in choices),
                    seed=seed,
                    base=CONFIGURATIONS / "radiomicgan.toml",
                    settings=(*plan["set"], *settings),
                    vgg_weights=Path(plan["vgg"]) if is_pretrained else None,
                )
            )
    return cells


def find_effects(factors: Mapping[str, Mapping[str, Any]]) -> Iterator[Effect]:
    """Return the effect of each factor beside each choice from the others."""
    names = [list(choices) for choices in factors.values()]
    for number, (plus, minus) in enumerate(names):
        for others in itertools.product(*names[:number], *names[number + 1 :]):
            rows = (
                ", ".join((*others[:number], choice, *others[number:])) for choice in (plus, minus)
            )
            yield Effect(f"{plus} against {minus}: {', '.join(others)}", *rows)


def read_measured(cell: Cell) -> Measured | None:
    """Return what was measured of a cell, and how its training went."""
    record, result = record_of(cell, TABLE), read_cell(cell)
    measured = record and record.read()
    return measured.with_figures(training_figures(result)) if measured and result else None


def training_figures(result: dict[str, Any]) -> dict[str, float]:
    """Return how a training went: its best validation PSNR, early and in the end, and minutes."""
    curve = result["validation_psnr_db_by_epoch"]
    found = {
        "validation PSNR at 3/4, dB": max(curve[: len(curve) * 3 // 4]),
        "validation PSNR at the end, dB": max(curve),
    }
    return found | ({"CPU min": minutes} if (minutes := result["minutes"].get("cpu")) else {})


def make_tables(plan: dict[str, Any], cells: Sequence[Cell]) -> dict[str, str]:
    """Return both tables of what is there, by their place on the page."""
    found = {cell: one for cell in cells if (one := read_measured(cell))}
    if not found:
        return {}
    measured = {cell.name: one for cell, one in found.items()}
    names: dict[str, list[str]] = {}
    for cell in cells:
        names.setdefault(cell.row, []).append(cell.name)
    if before := Record(TABLE, INPUT, {}).read():
        measured[INPUT] = before
    lines = present_lines({INPUT: [INPUT], **names}, measured)
    figures = {name: one.figures for name, one in measured.items()}
    return {
        "factorial": spread_table("generator", lines, figures),
        "factorial effects": effect_table(plan, found),
    }


def complete_seeds(plan: dict[str, Any], there: Iterable[Cell]) -> list[int]:
    """Return the seeds of which all cells are there: effects compare these alone."""
    found = {(cell.row, cell.seed) for cell in there}
    wanted = {(cell.row, cell.seed) for cell in plan_cells(plan)}
    return [seed for seed in plan["seeds"] if {one for one in wanted if one[1] == seed} <= found]


def effect_table(plan: dict[str, Any], found: Mapping[Cell, Measured]) -> str:
    """Return the table of effects with 95 % limits; of PSNR and noise power also by seed."""
    seeds = complete_seeds(plan, found)
    if not seeds:
        return "Not computed yet."
    by_run = {(cell.row, cell.seed): measured for cell, measured in found.items()}
    differences, by_seed = {}, {}
    for effect in find_effects(plan["factor"]):
        plus, minus = ([by_run[row, seed] for seed in seeds] for row in (effect.plus, effect.minus))
        differences[effect.title] = difference(plus, minus)
        by_seed[effect.title] = difference_by_seed(plus, minus, (PSNR, NOISE))
    return difference_table("effect of", differences, by_seed)


if __name__ == "__main__":
    sys.exit(main())
