"""Make the factorial of docs/results/paper.md: what each part of RadiomicGAN is worth.

    python benchmarks/quality/factorial.py                 # train and measure what is missing
    python benchmarks/quality/factorial.py --only seed0    # cells whose name holds a word
    python benchmarks/quality/factorial.py --features      # train nothing
    python benchmarks/quality/factorial.py --tables        # compute nothing

Needs the scans of docs/data.md in .data/, and pyradiomics for the features (make eval-deps). The
plan is paper.toml. A cell takes some twenty minutes on one thread. Cells are files in
docs/results/paper/cells/, runs and models are kept in runs/cells/; what was interrupted goes on
where it stood.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}

import argparse
import itertools
import json
import statistics
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from cells import Cell
from methods import CONFIGURATIONS, WORK, compute_missing, list_pairs
from result_page import difference_table, fill_page, shown, spread_table
from stacks import Stack

from rgan_sdk.files import file_sha256
from rgan_train.evaluation.results import INPUT
from rgan_train.pairs.csv import read_pairs
from rgan_train.pairs.dataset import load_dataset
from rgan_train.pairs.samples import SliceReader

PLAN: Final = Path(__file__).with_name("paper.toml")
PAGE: Final = Path("docs/results/paper.md")
CELLS: Final = Path("docs/results/paper/cells")
FIGURES: Final = Path("docs/results/paper/factorial.json")
PAIR: Final = "siemens"
NOISE: Final = "noise power distance, dB"


class Effect(NamedTuple):
    """One choice against the other of the same factor, all else alike."""

    title: str
    plus: list[str]
    minus: list[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2, help="cells at a time, one thread each")
    parser.add_argument("--only", default="", help="only cells whose name holds this")
    parser.add_argument("--features", action="store_true", help="train nothing")
    parser.add_argument("--tables", action="store_true", help="compute nothing")
    options = parser.parse_args()
    plan = tomllib.loads(PLAN.read_text())
    cells = plan_cells(plan)
    if not (options.features or options.tables):
        chosen = [cell for cell in cells if options.only in cell.name]
        compute_missing(chosen, plan, options.jobs, CELLS)
    there = {cell: result for cell in cells if (result := read_cell(cell)) is not None}
    if not options.tables:
        measure(plan, there, options.jobs)
    write_page(plan, cells)


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


def read_cell(cell: Cell) -> dict[str, Any] | None:
    """Read a cell that is there and up to date."""
    if not cell.is_computed(CELLS):
        return None
    result: dict[str, Any] = json.loads((CELLS / f"{cell.name}.json").read_text())
    return result


def find_effects(factors: Mapping[str, Mapping[str, Any]]) -> Iterator[Effect]:
    """Return the effect of each factor, for each choice of the first; and of the first itself.

    The first choice of a factor counts as plus.
    """
    heads, *others = factors.values()
    rows = [", ".join(choices) for choices in itertools.product(*factors.values())]

    def chosen(*choices: str) -> list[str]:
        return [row for row in rows if set(choices) <= set(row.split(", "))]

    for plus, minus in others:
        for head in heads:
            yield Effect(f"{plus} against {minus}, {head}", chosen(head, plus), chosen(head, minus))
    plus, minus = heads
    yield Effect(f"{plus} against {minus}", chosen(plus), chosen(minus))


def measure(plan: dict[str, Any], there: Mapping[Cell, dict[str, Any]], jobs: int) -> None:
    """Measure the models of all cells that are there on the test slices, and compare them."""
    results = {shown(cell.row, cell.seed): result for cell, result in there.items()}
    models = {shown(cell.row, cell.seed): WORK / f"{cell.name}.onnx" for cell in there}
    for name, path in models.items():
        if not path.exists() or file_sha256(path) != results[name]["model_sha256"]:
            raise SystemExit(f"{path}: is not the model of {name}; delete that cell, and run again")
    config = next(iter(there)).config().data
    dataset = load_dataset(read_pairs(list_pairs(PAIR, plan["pairs"][PAIR]["folder"])), config)
    reader = SliceReader(4096)
    samples = [reader.read(item) for item in dataset.test]
    stack = Stack(samples, dataset.test[0].spacing, WORK / "features", jobs)
    images = {name: stack.apply_model(path) for name, path in models.items()}
    figures, measures = stack.measure({INPUT: stack.source_hu, **images})
    seeds = complete_seeds(plan, there)
    found = {
        "models": {name: result["model_sha256"] for name, result in results.items()},
        "seeds": seeds,
        "figures": {
            name: one | training_figures(results[name]) if name in results else one
            for name, one in figures.items()
        },
        "effects": {
            effect.title: {
                title: one.contrast(
                    [shown(row, seed) for row in effect.plus for seed in seeds],
                    [shown(row, seed) for row in effect.minus for seed in seeds],
                )
                for title, one in measures.items()
            }
            for effect in find_effects(plan["factor"])
            if seeds
        },
    }
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(found, indent=1) + "\n")


def training_figures(result: dict[str, Any]) -> dict[str, float]:
    """Return how a training went: its best validation PSNR, early and in the end, and minutes."""
    curve = result["validation_psnr_db_by_epoch"]
    found = {
        "validation PSNR at 3/4, dB": max(curve[: len(curve) * 3 // 4]),
        "validation PSNR at the end, dB": max(curve),
    }
    return found | ({"CPU min": minutes} if (minutes := result["minutes"].get("cpu")) else {})


def complete_seeds(plan: dict[str, Any], there: Iterable[Cell]) -> list[int]:
    """Return the seeds of which all cells are there: effects compare these alone."""
    found = {(cell.row, cell.seed) for cell in there}
    wanted = {(cell.row, cell.seed) for cell in plan_cells(plan)}
    return [seed for seed in plan["seeds"] if {one for one in wanted if one[1] == seed} <= found]


def write_page(plan: dict[str, Any], cells: Sequence[Cell]) -> None:
    """Fill the two tables of the page from the figures that are there."""
    found = json.loads(FIGURES.read_text())
    names: dict[str, list[str]] = {}
    for cell in cells:
        if (name := shown(cell.row, cell.seed)) in found["models"]:
            names.setdefault(cell.row, []).append(name)
    seeds = len(plan["seeds"])
    lines = {
        row if len(runs) == seeds else f"{row} ({len(runs)} of {seeds} seeds)": runs
        for row, runs in names.items()
    }
    blocks = {
        "factorial": spread_table("generator", {INPUT: [INPUT], **lines}, found["figures"]),
        "factorial effects": effect_table(find_effects(plan["factor"]), found),
    }
    fill_page(PAGE, blocks)


def effect_table(effects: Iterable[Effect], found: Mapping[str, Any]) -> str:
    """Return the table of effects with 95 % limits; of noise power, that of each seed."""
    if not found["seeds"]:
        return "Not computed yet."
    lines = difference_table("effect of", found["effects"]).splitlines()
    lines[0] += f" {NOISE} |"
    lines[1] += "---:|"
    for number, effect in enumerate(effects, start=2):
        each = [noise_effect(effect, found["figures"], seed) for seed in found["seeds"]]
        by_seed = ", ".join(f"{value:+.2f}" for value in each)
        lines[number] += f" {statistics.mean(each):+.2f} ({by_seed}) |"
    return "\n".join(lines)


def noise_effect(effect: Effect, figures: Mapping[str, Mapping[str, float]], seed: int) -> float:
    """Return the effect on the noise power distance in the cells of one seed."""
    plus, minus = (
        statistics.mean(figures[shown(row, seed)][NOISE] for row in rows)
        for rows in (effect.plus, effect.minus)
    )
    return plus - minus


if __name__ == "__main__":
    main()
