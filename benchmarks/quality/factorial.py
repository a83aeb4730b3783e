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
from contrasts import measure_all
from methods import CONFIGURATIONS, WORK, compute_missing, list_pairs
from reproducibility import evaluate_models
from result_page import difference_parts, fill_page, spread

from rgan_sdk.files import file_sha256
from rgan_train.evaluation.metrics.blocks import Place
from rgan_train.pairs.csv import read_pairs
from rgan_train.pairs.dataset import load_dataset

PLAN: Final = Path(__file__).with_name("paper.toml")
PAGE: Final = Path("docs/results/paper.md")
CELLS: Final = Path("docs/results/paper/cells")
FIGURES: Final = Path("docs/results/paper/factorial.json")
PAIR: Final = "siemens"
QUALITY: Final = {"psnr_db": 2, "ssim": 4, "nps_distance_db": 2}
"""Measures of a cell in the table, and their digits."""


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
    write_page(plan, cells, there)


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
    return json.loads((CELLS / f"{cell.name}.json").read_text())


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
    """Measure the features of the models of all cells that are there, and compare them."""
    models = {shown(cell.row, cell.seed): WORK / f"{cell.name}.onnx" for cell in there}
    results = {shown(cell.row, cell.seed): result for cell, result in there.items()}
    for name, path in models.items():
        if not path.exists() or file_sha256(path) != results[name]["model_sha256"]:
            raise SystemExit(f"{path}: is not the model of {name}; delete that cell, and run again")
    config = next(iter(there)).config().data
    dataset = load_dataset(read_pairs(list_pairs(PAIR, plan["pairs"][PAIR]["folder"])), config)
    evaluation = evaluate_models(dataset, models, jobs)
    places = [Place(item.patient, item.frame, item.position) for item in dataset.test]
    psnr = {name: evaluation.quality[name].by_slice["psnr_db"] for name in models}
    measures = measure_all(psnr, evaluation.table, evaluation.compared_groups, places)
    seeds = complete_seeds(plan, there)
    figures = {
        "models": {name: result["model_sha256"] for name, result in results.items()},
        "seeds": seeds,
        "values": {title: one.values for title, one in measures.items()},
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
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")


def complete_seeds(plan: dict[str, Any], there: Iterable[Cell]) -> list[int]:
    """Return the seeds of which all cells are there: effects compare these alone."""
    found = {(cell.row, cell.seed) for cell in there}
    wanted = {(cell.row, cell.seed) for cell in plan_cells(plan)}
    return [seed for seed in plan["seeds"] if {one for one in wanted if one[1] == seed} <= found]


def shown(row: str, seed: int) -> str:
    """Return what the model of a cell is called."""
    return f"{row}, seed {seed}"


def write_page(
    plan: dict[str, Any], cells: Sequence[Cell], there: Mapping[Cell, dict[str, Any]]
) -> None:
    """Fill the two tables of the page."""
    figures = json.loads(FIGURES.read_text())
    rows: dict[str, list[dict[str, Any]]] = {cell.row: [] for cell in cells}
    for cell, result in there.items():
        rows[cell.row].append(result)
    groups = [title for title in figures["values"] if title.startswith("features")]
    blocks = {
        "factorial": cell_table(rows, figures["values"], groups, len(plan["seeds"])),
        "factorial effects": effect_table(find_effects(plan["factor"]), figures, rows),
    }
    fill_page(PAGE, blocks)


def cell_table(
    rows: Mapping[str, list[dict[str, Any]]],
    values: Mapping[str, Mapping[str, float]],
    groups: Sequence[str],
    seeds: int,
) -> str:
    """Return the table of all cells, one line for all seeds of a row."""
    titles = ["generator", "seeds", "PSNR, dB", "SSIM", "noise power distance, dB", *groups]
    titles += ["validation PSNR at 3/4 and at the end, dB", "CPU min"]
    lines = [f"| {' | '.join(titles)} |", "|---|" + "---:|" * (len(titles) - 1)]
    for row, results in rows.items():
        quality = [result["quality"] for result in results]
        names = [shown(row, result["seed"]) for result in results]
        parts = [
            row,
            f"{len(results)} of {seeds}",
            *(spread([one[key] for one in quality], digits) for key, digits in QUALITY.items()),
            *(spread([values[group][name] for name in names], 0) for group in groups),
            convergence(results),
            spread([r["minutes"]["cpu"] for r in results if "cpu" in r["minutes"]], 0),
        ]
        lines.append(f"| {' | '.join(parts)} |")
    return "\n".join(lines)


def effect_table(
    effects: Iterable[Effect],
    figures: Mapping[str, Any],
    rows: Mapping[str, list[dict[str, Any]]],
) -> str:
    """Return the table of effects with 95 % limits; of noise power, that of each seed."""
    if not figures["seeds"]:
        return "Not computed yet."
    titles = ["effect of", *figures["values"], "noise power distance, dB"]
    lines = [f"| {' | '.join(titles)} |", "|---|" + "---:|" * (len(titles) - 1)]
    for effect in effects:
        parts = [effect.title]
        parts += difference_parts(figures["effects"][effect.title])
        each = [noise_effect(effect, rows, seed) for seed in figures["seeds"]]
        parts.append(f"{statistics.mean(each):+.2f} ({', '.join(f'{v:+.2f}' for v in each)})")
        lines.append(f"| {' | '.join(parts)} |")
    return "\n".join(lines)


def noise_effect(effect: Effect, rows: Mapping[str, list[dict[str, Any]]], seed: int) -> float:
    """Return the effect on the noise power distance in the cells of one seed."""

    def mean(names: Sequence[str]) -> float:
        results = (result for name in names for result in rows[name] if result["seed"] == seed)
        return statistics.mean(result["quality"]["nps_distance_db"] for result in results)

    return mean(effect.plus) - mean(effect.minus)


def convergence(results: Sequence[dict[str, Any]]) -> str:
    """Return the validation PSNR after three quarters of the epochs, and at the end."""
    curves = [result["validation_psnr_db_by_epoch"] for result in results]
    if not curves:
        return "–"
    late = statistics.mean(max(curve[: len(curve) * 3 // 4]) for curve in curves)
    return f"{late:.2f}, {statistics.mean(max(curve) for curve in curves):.2f}"


if __name__ == "__main__":
    main()
