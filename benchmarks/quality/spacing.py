"""Make docs/results/spacing.md: models that know the pixel spacing, and ones made for a single one.

    python benchmarks/quality/spacing.py                  # trains and measures what is missing
    python benchmarks/quality/spacing.py --train-only --jobs 8      # on a machine with a GPU
    python benchmarks/quality/spacing.py --evaluate-only  # measures the models that are there
    python benchmarks/quality/spacing.py --tables         # the page from the figures that are there

Needs the scans of docs/data.md in .data/, and pyradiomics for the features (make eval-deps). The
plan is spacing.toml. Models are kept in runs/spacing/, figures in docs/results/spacing/. A model
is missing if neither it nor its figures are there: to train it again, delete both. Exit code 1
where something failed or a gate is not met.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cells import Cell
from processes import run_all
from spacings.features import measure_features
from spacings.figures import Figures
from spacings.gates import check_gates
from spacings.measuring import is_measured, measure_subject, subjects
from spacings.page import write_page
from spacings.plan import Plan, plan_cells, read_plan
from spacings.training import is_done, make_model
from spacings.written import measure_written, packaged_models, read_written

PAGE = Path("docs/results/spacing.md")


def main() -> int:
    options = parse_arguments()
    plan = read_plan(tuple(options.set))
    cells = [cell for cell in plan_cells(plan) if options.only in cell.name]
    ok = True
    if not (options.evaluate_only or options.tables):
        ok &= run_all(make_model, [c for c in cells if is_wanted(c, plan)], options.jobs, plan)
    if options.train_only:
        return 0 if ok else 1
    if not options.tables:
        missing = [s for s in subjects(plan, cells) if not is_measured(s, plan)]
        there = [s for s in missing if s.cell is None or is_done(s.cell)]
        ok &= run_all(measure_subject, there, options.jobs, plan)
        unwritten = [model for model in packaged_models(plan) if not read_written(model, plan)]
        ok &= run_all(measure_written, unwritten, options.jobs, plan)
        measure_features(plan, options.jobs)
    figures = Figures.read(plan)
    gates = check_gates(plan, figures)
    print(*gates, sep="\n")
    write_page(PAGE, plan, figures, gates)
    return 0 if ok and all(gate.is_met for gate in gates) else 1


def is_wanted(cell: Cell, plan: Plan) -> bool:
    """Whether a model is missing that was not measured yet either."""
    return not is_done(cell) and any(not is_measured(s, plan) for s in subjects(plan, [cell]))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--only", default="", help="only models whose name holds this")
    parser.add_argument("--set", action="append", default=[], help="table.key=value, to try things")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--train-only", action="store_true", help="train and export, no more")
    what.add_argument("--evaluate-only", action="store_true", help="train nothing")
    what.add_argument("--tables", action="store_true", help="compute nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
