"""Make docs/results/lung.md: lung density of the Siemens chest before and after harmonization.

    python benchmarks/quality/lung.py                                    # the packaged models
    python benchmarks/quality/lung.py --model a.onnx --model b.onnx      # one for each direction

Needs the scans of docs/data.md in .data/. Run it again whenever the models change: the page states
the SHA-256 of the files that its figures come from. Takes half a minute.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from methods import list_pairs
from result_page import fill_page

from rgan_train.config import DataConfig
from rgan_train.evaluation.lungs.compare import LungCase, compare_lungs
from rgan_train.evaluation.lungs.density import END_POINTS, EndPoint
from rgan_train.evaluation.lungs.picture import draw_lungs
from rgan_train.evaluation.report.texts import format_number
from rgan_train.evaluation.results import INPUT, TARGET
from rgan_train.evaluation.stacks import harmonize_stack, read_test_stack
from rgan_train.pairs.csv import read_pairs
from rgan_train.pairs.dataset import load_dataset

PAGE = Path("docs/results/lung.md")
FIGURES = Path("docs/results/lung.json")
PICTURE = Path("runs/lung/masks.png")
FOLDER = ".data/pair_lungdx_A0002_siemens"
KERNELS = ("B40f", "B70f")
MODELS = ("b40f-to-b70f", "b70f-to-b40f")
HARMONIZED = "harmonized"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", action="append", default=[], help="soft to sharp, then back")
    models = parser.parse_args().model or MODELS
    directions = {}
    for (source, target), model in zip((KERNELS, KERNELS[::-1]), models, strict=True):
        case, record, notes = measure(source, target, model)
        directions[f"{source} to {target}"] = {
            "model": record,
            "slices": len(case.slices),
            "volume_ml": case.volume_ml,
            "off_protocol": case.off_protocol,
            "notes": notes,
            "densities": {n: dataclasses.asdict(d) for n, d in case.densities.items()},
        }
    FIGURES.write_text(json.dumps(directions, indent=1) + "\n")
    block = "\n\n".join(make_table(title, found) for title, found in directions.items())
    print(block)
    fill_page(PAGE, {"table": block})


def measure(source: str, target: str, model: str) -> tuple[LungCase, dict[str, Any], list[str]]:
    """Measure input, target and harmonized test slices of one direction."""
    pairs = read_pairs(list_pairs("siemens", FOLDER))
    config = DataConfig(source_kernel=source, target_kernel=target)
    stack = read_test_stack(load_dataset(pairs, config, needed=("test",)))
    harmonized, record = harmonize_stack(model, stack, source, target, lambda: None)
    images = {TARGET: stack.target_hu, INPUT: stack.source_hu, HARMONIZED: harmonized}
    (case,), notes = compare_lungs(stack, images)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.with_stem(f"masks-{target}").write_bytes(
        draw_lungs(np.stack([stack.target_hu[n] for n in case.slices]), case.mask)
    )
    return case, record, notes


def make_table(title: str, found: dict[str, Any]) -> str:
    """Return the table of one direction: figures, and in brackets their bias."""
    densities, model = found["densities"], found["model"]
    points = {**END_POINTS, "clamped": EndPoint("clamped", "%", 2)}
    lines = [
        f"**{title}**, model `{model['name']}` {model['version']}, SHA-256 `{model['sha256']}`; "
        f"mask on {title.split()[-1]}, {found['volume_ml']:,.0f} mL",
        "",
        f"| image | {' | '.join(f'{p.title}, {p.unit}' for p in points.values())} |",
        "|---|" + "---:|" * len(points),
    ]
    for name in (TARGET, INPUT, HARMONIZED):
        cells = []
        for key, point in points.items():
            value, goal = densities[name][key], densities[TARGET][key]
            bias = "" if name == TARGET else f" ({format_number(value - goal, point.digits, '+')})"
            cells.append(format_number(value, point.digits) + bias)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
