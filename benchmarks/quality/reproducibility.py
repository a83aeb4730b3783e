"""Make docs/results/reproducibility.md: radiomic features, each method beside each other.

    python benchmarks/quality/reproducibility.py                  # trains what is missing, first
    python benchmarks/quality/reproducibility.py --only tumour    # one of them, and its tables

Models are those of the cells of methods.py. Needs the scans of docs/data.md in .data/, and
pyradiomics (make eval-deps). Reports with pictures are written to runs/reproducibility/, features
are kept there; the figures of the page are files in docs/results/reproducibility/.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}

import argparse
import json
import statistics
import sys
import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cells import Cell
from methods import PLAN, WORK, compute_missing, list_pairs, plan_cells
from result_page import fill_page
from rich.progress import Progress, TaskID

from rgan_train.evaluation.evaluate import EvaluationOptions, evaluate
from rgan_train.evaluation.regions.given_regions import read_box_regions
from rgan_train.evaluation.regions.rois import Roi
from rgan_train.evaluation.report.table import to_markdown
from rgan_train.evaluation.report.tables import make_tables
from rgan_train.evaluation.report.write import results_data, write_report
from rgan_train.evaluation.results import THRESHOLDS, Evaluation
from rgan_train.pairs.csv import read_pairs
from rgan_train.pairs.dataset import Dataset, load_dataset

PAGE = Path("docs/results/reproducibility.md")
FIGURES = Path("docs/results/reproducibility")
REPORTS = Path("runs/reproducibility")
GROUPS = ("main", "others", "tumour", "window", "window_elsewhere", "wide")
BOXES = {"tumour": "bbox_xml"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--only", default="", help="directions whose name holds this")
    options = parser.parse_args()
    plan = tomllib.loads(PLAN.read_text())
    directions = {n: ones for n, ones in chosen_cells(plan).items() if options.only in n}
    compute_missing([c for ones in directions.values() for c in ones], plan, options.jobs)
    FIGURES.mkdir(parents=True, exist_ok=True)
    for name, cells in directions.items():
        folder = Path(plan["pairs"][cells[0].pair]["folder"])
        evaluation = evaluate_direction(cells[0].pair, folder, cells, options.jobs)
        (FIGURES / f"{name}.json").write_text(as_json(evaluation))
        write_report(evaluation, REPORTS / name)
        write_tables(name, evaluation, [cell for cell in cells if cell.row != "input"])


def chosen_cells(plan: dict[str, Any]) -> dict[str, list[Cell]]:
    """Return the cells of each direction: all methods of the tables, all their seeds."""
    chosen = {**plan, "group": {name: plan["group"][name] for name in GROUPS}}
    cells: dict[str, list[Cell]] = defaultdict(list)
    for cell in plan_cells(chosen):
        cells[f"{cell.pair}_{cell.source}-{cell.target}"].append(cell)
    return cells


def evaluate_direction(pair: str, folder: Path, cells: list[Cell], jobs: int) -> Evaluation:
    """Evaluate all models of one direction, on the test slices of their split."""
    dataset = load_dataset(read_pairs(list_pairs(pair, str(folder))), cells[0].config().data)
    models = {shown(cell): WORK / f"{cell.name}.onnx" for cell in cells if cell.row != "input"}
    given = read_box_regions(folder / BOXES[pair], dataset) if pair in BOXES else ()
    return evaluate_models(dataset, models, jobs, given)


def evaluate_models(
    dataset: Dataset, models: Mapping[str, Path], jobs: int, given: Sequence[Roi] = ()
) -> Evaluation:
    """Evaluate models on the test slices of a data set, and show how far it is."""
    with Progress() as bars:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)

        evaluation = evaluate(
            dataset,
            models,
            REPORTS / "features",
            options=EvaluationOptions(workers=jobs),
            given=given,
            progress=show,
        )
    return evaluation.with_provenance(command=f"python {' '.join(sys.argv)}")


def shown(cell: Cell) -> str:
    """Return what a model is called: later seeds of a method have their number."""
    return cell.row if cell.seed == 0 else f"{cell.row}, seed {cell.seed}"


def as_json(evaluation: Evaluation) -> str:
    return json.dumps(results_data(evaluation), indent=1) + "\n"


def write_tables(name: str, evaluation: Evaluation, cells: list[Cell]) -> None:
    """Replace the tables of one direction in the page."""
    first = evaluation.with_methods([n for n in evaluation.methods if ", seed " not in n])
    blocks = {table.name: to_markdown(table) for table in make_tables(first)}
    blocks["seeds"] = seeds_table(evaluation, cells)
    fill_page(PAGE, {f"{name} {kind}": block for kind, block in blocks.items()})


def seeds_table(evaluation: Evaluation, cells: list[Cell]) -> str:
    """Return how many features are reproducible with each training of a method."""
    groups = list(dict.fromkeys(agreement.group for agreement in evaluation.agreements))
    rows = defaultdict(list)
    for cell in cells:
        rows[cell.row].append(shown(cell))
    lines = [f"| method | {' | '.join(groups)} |", "|---" * (len(groups) + 1) + "|"]
    for row, names in rows.items():
        if len(names) > 1:
            found = [counts(evaluation, group, names) for group in groups]
            lines.append(f"| {row} | {' | '.join(found)} |")
    return "\n".join(lines)


def counts(evaluation: Evaluation, group: str, names: list[str]) -> str:
    numbers = [evaluation.agreement(group, n).counts[THRESHOLDS[0]].features for n in names]
    return f"{statistics.mean(numbers):.0f} ({', '.join(map(str, numbers))})"


if __name__ == "__main__":
    main()
