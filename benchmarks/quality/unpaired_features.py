"""Fill the table of radiomic features in docs/results/unpaired.md: models without and with pairs.

    python benchmarks/quality/unpaired_features.py

Needs the scans of docs/data.md in .data/, and pyradiomics (make eval-deps). Features are kept in
runs/, so that a second run goes on. Exit code 1 where the limit is not met.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from cells import environment
from reproducibility import evaluate_models
from result_page import fill_page
from spacings.plan import Plan, list_data, make_cells, read_plan
from spacings.training import Place, is_done, make_model
from unpaired import PAGE, RESULTS
from unpaired_pairs import DATA, PAIRS, splits

from rgan_sdk.dicom.slices.table import SliceTable
from rgan_train.evaluation.results import INPUT, THRESHOLDS
from rgan_train.matching.groups import open_group
from rgan_train.matching.match import match
from rgan_train.pairs.dataset import load_dataset

PAIR = "siemens"
WORK = Path("runs/unpaired")
RANGES = ("[-800, -300] HU", "[-100, 250] HU", "[300, 800] HU")
KEPT = 0.9
"""Share of the paired model's reproducible features that `match` must have in these ranges."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    jobs = parser.parse_args().jobs
    plan = read_plan()
    blocks, met = [], True
    for way in (PAIRS[PAIR].kernels, PAIRS[PAIR].kernels[::-1]):
        path = RESULTS / f"features_{way[0]}-{way[1]}.json"
        if not path.exists():
            path.write_text(json.dumps(count(way, plan, jobs), indent=1) + "\n")
        lines, all_met = make_table(way, json.loads(path.read_text())["groups"])
        blocks.append("\n".join(lines))
        met &= all_met
    fill_page(PAGE, {"table features": "\n\n".join(blocks)})
    return 0 if met else 1


def count(way: tuple[str, str], plan: Plan, jobs: int) -> dict[str, Any]:
    """Count the reproducible features of the test slices, by HU range and model."""
    (cell,) = make_cells(plan, PAIR, *way, "linear", "aware")
    if not is_done(cell):
        make_model(cell, plan, jobs)
    dataset = load_dataset(list_data(plan, PAIR), cell.config().data)
    models = {"match": match_model(way), "paired": Place.of(cell).model}
    evaluation = evaluate_models(dataset, models, jobs)
    return {
        "environment": environment(),
        "groups": {
            group: {
                method: vars(evaluation.agreement(group, method).counts[THRESHOLDS[0]])
                for method in (INPUT, *models)
            }
            for group in evaluation.compared_groups
        },
        "provenance": evaluation.provenance,
    }


def match_model(way: tuple[str, str]) -> Path:
    """Match the first of the five divisions of the slices that are not tested on."""
    pair = PAIRS[PAIR]
    halves = next(splits(pair.known))
    groups = []
    for name, kernel, half in zip(("source", "target"), way, halves, strict=True):
        group = open_group(name, [DATA / pair.folder / kernel])
        (series,) = group.series
        chosen = SliceTable.of(series.slices[index] for index in sorted(half))
        groups.append(replace(group, series=(replace(series, slices=chosen),)))
    path = WORK / f"{way[0]}-to-{way[1]}.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    match(groups[0], groups[1], path)
    return path


def make_table(way: tuple[str, str], groups: dict[str, Any]) -> tuple[list[str], bool]:
    """Return the table of one direction, and whether `match` keeps enough in each range."""
    lines = [
        f"**Reproducible features, {way[0]} to {way[1]}** (concordance of 0.85 or more)",
        "",
        "| HU range | input | `match`, linear | paired linear | `match` of paired |",
        "|---|---|---|---|---|",
    ]
    met = True
    for group, found in groups.items():
        counts = {name: one["features"] for name, one in found.items()}
        share = counts["match"] / counts["paired"]
        fails = group in RANGES and share < KEPT
        met &= not fails
        verdict = f", at least {KEPT:.0%} wanted: missed" if fails else ""
        shown = " | ".join(f"{counts[name]:,}" for name in (INPUT, "match", "paired"))
        name = group.replace("[", r"\[")
        lines.append(f"| {name} | {shown} | {share:.0%}{verdict} |")
    return lines, met


if __name__ == "__main__":
    sys.exit(main())
