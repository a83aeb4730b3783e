"""Make the table of losses without pairs in docs/results/paper.md.

    python benchmarks/quality/unpaired_losses.py                    # what is missing
    python benchmarks/quality/unpaired_losses.py --only "seed 0"    # whose name holds a word
    python benchmarks/quality/unpaired_losses.py --tables           # compute nothing

Needs what adversarial.py needs. `match` trains on one half of the scan with the source kernel and
on the other half with the target kernel: L1 knows simulated targets alone, and the discriminator
the texture of real ones. Another seed is another division into halves. Runs are kept in
runs/unpaired-losses/; what was interrupted goes on where it stood.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}

import argparse
import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from measured import Record
from noise_losses.judge import Judge, compute_missing, make_tables
from result_page import fill_page, shown
from stacks import Stack
from unpaired_networks import Network, Training, train
from unpaired_pairs import PAIRS, Scan

from rgan_train.evaluation.cohorts.lesions.plant import measure_mtfs
from rgan_train.export.export import load_graph

PAGE: Final = Path("docs/results/paper.md")
RUNS: Final = Path("runs/unpaired-losses")
PAIR: Final = PAIRS["siemens"]
DIVISIONS: Final = (0, 1, 2)
WEIGHTS: Final = {
    "L1 on simulated pairs": 0.0,
    "L1 + adversarial, 0.05": 0.05,
    "L1 + adversarial, 1": 1.0,
}
"""Weights of the adversarial loss; that of L1 is 100."""


class LossTraining(NamedTuple):
    """One loss on one division of the scan."""

    loss: str
    division: int

    @property
    def name(self) -> str:
        """What it is called."""
        return shown(self.loss, self.division)

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        """Those of the network, on top of ``unpaired_networks.TRAINING``."""
        return {
            "generator": {"encoder": "none"},
            "curriculum": {"schedule": "none"},
            "loss": {"adversarial_weight": WEIGHTS[self.loss]},
            "optimizer": {"learning_rate": 1e-3},
            "training": {"epochs": 24, "steps_per_epoch": 90, "seed": self.division},
        }

    @property
    def tested(self) -> dict[str, Any]:
        """All that the tested slices depend on: nothing, they are as the scanner made them."""
        return {}

    @property
    def record(self) -> Record:
        """Where its figures are kept."""
        return Record("unpaired-losses", self.name, {"settings": self.settings})


TRAININGS: Final = [LossTraining(loss, division) for division in DIVISIONS for loss in WEIGHTS]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time")
    parser.add_argument("--only", default="", help="only trainings whose name holds this")
    parser.add_argument("--tables", action="store_true", help="compute nothing")
    options, ok = parser.parse_args(), True
    if not options.tables:
        chosen = [training for training in TRAININGS if options.only in training.name]
        ok = compute_missing(chosen, train_and_measure, open_judge, options.jobs)
    fill_page(PAGE, {"losses without pairs": make_tables(TRAININGS)})
    return 0 if ok else 1


def open_judge() -> Judge:
    """Return what measures models: the test slices with both kernels."""
    scan = Scan.read(PAIR)
    tested = scan.samples()[PAIR.test.start : PAIR.test.stop]
    stack = Stack(tested, scan.spacing, RUNS / "features")
    return Judge(stack, measure_mtfs(*scan.spectra), PAIR.kernels)


def train_and_measure(training: LossTraining, threads: int) -> str:
    """Train with one loss on one division, and measure; return what to say."""
    torch.set_num_threads(threads)
    run = train(
        Training("siemens", (0, 1), training.loss, training.division),
        Network(training.loss, "radiomicgan", training.settings),
        RUNS / training.record.path.stem,
    )
    measured = open_judge().measure(load_graph(run, run.config(), "last"))
    training.record.write(measured)
    return measured.summary


if __name__ == "__main__":
    sys.exit(main())
