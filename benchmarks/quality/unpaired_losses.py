"""Make the table of losses without pairs in docs/results/paper.md.

    python benchmarks/quality/unpaired_losses.py           # train and measure what is missing
    python benchmarks/quality/unpaired_losses.py --tables  # the page from figures that are there

Needs what adversarial.py needs. `match` trains on one half of the scan with the source kernel and
on the other half with the target kernel: L1 knows simulated targets alone, and the discriminator
the texture of real ones. Another seed is another division into halves. Runs are kept in
runs/unpaired-losses/; what was interrupted goes on where it stood.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import torch
from noise_losses.judge import judge, make_tables
from result_page import fill_page
from stacks import Stack
from unpaired_networks import Network, Training, train
from unpaired_pairs import PAIRS, Scan

from rgan_train.evaluation.cohorts.lesions.plant import measure_mtfs
from rgan_train.export.export import load_graph
from rgan_train.networks.graph import HarmonizationGraph

PAGE: Final = Path("docs/results/paper.md")
FIGURES: Final = Path("docs/results/paper/unpaired-losses.json")
RUNS: Final = Path("runs/unpaired-losses")
PAIR: Final = PAIRS["siemens"]
DIVISIONS: Final = (0, 1, 2)
WEIGHTS: Final = {
    "L1 on simulated pairs": 0.0,
    "L1 + adversarial, 0.05": 0.05,
    "L1 + adversarial, 1": 1.0,
}
"""Weights of the adversarial loss; that of L1 is 100."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time")
    parser.add_argument("--tables", action="store_true", help="compute nothing")
    options = parser.parse_args()
    if not options.tables:
        runs = [(loss, division) for division in DIVISIONS for loss in WEIGHTS]
        with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
            trained = pool.map(train_one, *zip(*runs, strict=True))
            models = dict(zip(runs, trained, strict=True))
        scan = Scan.read(PAIR)
        tested = scan.samples()[PAIR.test.start : PAIR.test.stop]
        stack = Stack(tested, scan.spacing, RUNS / "features", options.jobs)
        found = judge(models, stack, measure_mtfs(*scan.spectra), PAIR.kernels)
        FIGURES.write_text(json.dumps(found, indent=1) + "\n")
    fill_page(PAGE, {"losses without pairs": make_tables(json.loads(FIGURES.read_text()))})


def train_one(loss: str, division: int) -> HarmonizationGraph:
    """Train with one loss on one division, and return the computation from HU to HU."""
    torch.set_num_threads(1)
    settings: dict[str, dict[str, Any]] = {
        "generator": {"encoder": "none"},
        "loss": {"adversarial_weight": WEIGHTS[loss]},
        "optimizer": {"learning_rate": 2e-3},
        "training": {"epochs": 24, "steps_per_epoch": 90, "seed": division},
    }
    training = Training("siemens", (0, 1), loss, division)
    run = train(
        training,
        Network(loss, "radiomicgan", settings),
        RUNS / training.name.replace(" ", "-").replace(",", ""),
    )
    return load_graph(run, run.config(), "last")


if __name__ == "__main__":
    main()
