r"""Make docs/results/cohorts.md: two groups without pairs, before and after harmonization.

    python benchmarks/quality/cohorts.py            # measures what is missing
    python benchmarks/quality/cohorts.py --tables   # the page from the figures that are there

Needs the scans of docs/data.md in .data/, and ``make eval-deps``. About a quarter of an hour for a
case on two cores; features that are in runs/cohorts are not computed again. Exit code 1 where the
controls do not show what they must.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import shutil
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cells import environment
from result_page import fill_page

from rgan_sdk.cores import usable_cores
from rgan_train.evaluation.cohorts.controls import BLUR
from rgan_train.evaluation.cohorts.evaluate import evaluate_cohorts
from rgan_train.evaluation.evaluate import EvaluationOptions
from rgan_train.evaluation.random_pixels import RANDOM
from rgan_train.evaluation.report.cohorts.tables import make_tables
from rgan_train.evaluation.report.cohorts.write import results_data, write_cohort_report
from rgan_train.evaluation.report.table import to_markdown
from rgan_train.matching.groups import Group, open_group
from rgan_train.matching.match import match

PAGE, RESULTS, RUNS = Path("docs/results/cohorts.md"), Path("docs/results/cohorts"), Path("runs")
DATA = Path(".data")
SIEMENS, GE = "pair_lungdx_A0002_siemens", "lidc_idri_0001_ge_standard"
PARAMETERS = Path(__file__).with_suffix(".yaml")
SHOWN = ("auc", "distances", "images", "tissues", "nodules", "holes")


@dataclass(frozen=True)
class Case:
    """Two groups, each some slices of a series: folder, first slice, and step."""

    title: str
    source: tuple[str, int, int]
    target: tuple[str, int, int]
    packaged: str | None = None


CASES = {
    "soft-to-sharp": Case(
        "B40f (slices 0, 2, ... 28) to B70f (slices 1, 3, ... 29)",
        (f"{SIEMENS}/B40f", 0, 2),
        (f"{SIEMENS}/B70f", 1, 2),
        "b40f-to-b70f",
    ),
    "sharp-to-soft": Case(
        "B70f (slices 0, 2, ... 28) to B40f (slices 1, 3, ... 29)",
        (f"{SIEMENS}/B70f", 0, 2),
        (f"{SIEMENS}/B40f", 1, 2),
        "b70f-to-b40f",
    ),
    "ge-to-siemens": Case(
        "GE STANDARD (every sixth slice) to Siemens B40f (slices 1, 3, ... 29), another patient",
        (GE, 0, 6),
        (f"{SIEMENS}/B40f", 1, 2),
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", action="store_true", help="compute nothing")
    options = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    if not options.tables:
        for name, case in CASES.items():
            path = RESULTS / f"{name}.json"
            if not path.exists():
                path.write_text(json.dumps(measure(name, case), indent=1) + "\n")
    return 0 if write_page() else 1


def tell(name: str, step: str, done: int, total: int) -> None:
    """Print a step when it is done."""
    if done == total:
        print(name, step, total, flush=True)


def measure(name: str, case: Case) -> dict[str, Any]:
    """Match the groups, evaluate, and return all figures."""
    folder = RUNS / "cohorts" / name
    source = take("source", case.source, folder)
    target = take("target", case.target, folder)
    match(source, target, folder / "match.onnx")
    models = {"match": folder / "match.onnx"}
    evaluation = evaluate_cohorts(
        source.series,
        target.series,
        {"packaged": case.packaged, **models} if case.packaged else models,
        folder / "features",
        options=EvaluationOptions(PARAMETERS, workers=usable_cores()),
        progress=partial(tell, name),
    )
    write_cohort_report(evaluation, folder / "report")
    found = results_data(evaluation)
    del found["summary"]
    return {
        "environment": environment(),
        **found,
        "tables": {table.name: to_markdown(table) for table in make_tables(evaluation)},
    }


def take(name: str, part: tuple[str, int, int], folder: Path) -> Group:
    """Copy some slices of a series, and open them as a group."""
    path, first, step = part
    (series,) = open_group(name, [DATA / path]).series
    (folder / name).mkdir(parents=True, exist_ok=True)
    for file in series.slices[first::step]:
        shutil.copy(file.path, folder / name)
    return open_group(name, [folder / name])


def write_page() -> bool:
    """Fill the tables of the page; return whether the controls show what they must."""
    blocks, met = {}, True
    for name, case in CASES.items():
        path = RESULTS / f"{name}.json"
        if not path.exists():
            continue
        found = json.loads(path.read_text())
        checks = check(found)
        met &= all(checks.values())
        tables = [found["tables"][table].partition("\n\n")[2] for table in SHOWN]
        lines = [f"- {what}: {'met' if holds else 'missed'}" for what, holds in checks.items()]
        blocks[f"table {name}"] = "\n".join([f"### {case.title}", "", *tables, *lines])
    fill_page(PAGE, blocks)
    return met


def check(found: dict[str, Any]) -> dict[str, bool]:
    """Return what the controls must show, and whether they do."""
    failures = {row: len(listed) for row, listed in found["lesion_failures"].items()}
    chance = dict.fromkeys(failures, 0)
    for group in found["groups"]:
        separation = group["separation"] or {}
        if group["name"] in chance and (limits := separation.get("limits")):
            chance[group["name"]] += separation["auc"] <= limits[1]
    best = max(count for row, count in chance.items() if row not in (RANDOM, BLUR))
    by_chance = ", ".join(f"{row} {count}" for row, count in chance.items())
    fails = ", ".join(f"{row} {count}" for row, count in failures.items())
    return {
        "the blur is told apart no better than by chance in as many of the four kinds of regions "
        f"as the best of input and models ({by_chance})": chance[BLUR] >= best,
        f"the controls fail most of 12 comparisons of lesions ({fails})": min(
            failures[BLUR], failures[RANDOM]
        )
        > 6,
    }


if __name__ == "__main__":
    sys.exit(main())
