"""Make the tables of losses in docs/results/paper.md: where an adversarial loss can win.

    python benchmarks/quality/adversarial.py                  # train and measure what is missing
    python benchmarks/quality/adversarial.py --only texture   # trainings whose name holds a word
    python benchmarks/quality/adversarial.py --tables         # compute nothing

Needs the scans of docs/data.md in .data/, and pyradiomics for the features (make eval-deps). Source
and target of the main pair get noise that the other does not have, as two scans would; in the
second table they have none but their own, which they share. Networks of the second with L1 alone
are tested on the slices of the first, too. Runs are kept in runs/adversarial/;
what was interrupted goes on where it stood.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from measured import Record
from noise_losses.judge import Judge, compute_missing, make_tables
from noise_losses.losses import MatchingGAN, TextureGAN
from noise_losses.scans import NoisyPairs, add_independent_noise
from result_page import fill_page, shown
from short_training import Stage, train
from stacks import Stack
from unpaired_pairs import PAIRS, Scan

from rgan_train.config import Config, override, recommended_config
from rgan_train.evaluation.cohorts.lesions.plant import measure_mtfs
from rgan_train.evaluation.cohorts.lesions.render import MTF
from rgan_train.methods.conditional_gan import ConditionalGAN
from rgan_train.methods.radiomicgan import RadiomicGAN
from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.networks.graph import HarmonizationGraph
from rgan_train.networks.window import network_window
from rgan_train.pairs.noise import PairNoise
from rgan_train.pairs.samples import PairedSample

PAGE: Final = Path("docs/results/paper.md")
RUNS: Final = Path("runs/adversarial")
PAIR: Final = PAIRS["siemens"]
NOISY: Final = "adversarial"
SHARED: Final = "shared-noise"
LEVELS_HU: Final = {NOISY: 15.0, SHARED: 0.0}
"""Standard deviation of the noise that the source gets, by table."""

SEEDS: Final = (0, 1, 2)
STEPS: Final = 2160


@dataclass(frozen=True)
class Loss:
    """What the generator is trained with, beside L1."""

    method: type[ConditionalGAN]
    adversarial_weight: float


L1: Final = "L1"
TEXTURE: Final = "L1 + texture on three scales"
CARRIED: Final = "L1, trained where the noise is shared"
LOSSES: Final = {
    L1: Loss(RadiomicGAN, 0.0),
    "L1 + adversarial, 0.05": Loss(RadiomicGAN, 0.05),
    "L1 + adversarial, 1": Loss(RadiomicGAN, 1.0),
    "L1 + adversarial, 1, + feature matching": Loss(MatchingGAN, 1.0),
    TEXTURE: Loss(TextureGAN, 0.0),
    CARRIED: Loss(RadiomicGAN, 0.0),
}

COMPARED: Final = {NOISY: tuple(LOSSES), SHARED: (L1, TEXTURE)}
"""The losses of each table."""


@dataclass(frozen=True)
class Study:
    """The noisy pair: slices to train on and to test on, and what measures them.

    Attributes
    ----------
    trained, tested
        Noisy slices.
    mtfs
        Of both kernels.
    spacing
        Of the pixels, mm.
    """

    trained: Sequence[PairedSample]
    tested: Sequence[PairedSample]
    mtfs: tuple[MTF, MTF]
    spacing: float

    @classmethod
    def open(cls, table: str) -> Study:
        """Read the main pair, and add the noise of a table to both sides."""
        scan = Scan.read(PAIR)
        samples = scan.samples()
        known = samples[: PAIR.trained]
        noise = PairNoise.measure(known, scan.spacing)
        assert noise is not None
        noisy = add_independent_noise(samples, noise, scan.spacing, LEVELS_HU[table], seed=0)
        tested = [noisy[number] for number in PAIR.test]
        return cls(noisy[: PAIR.trained], tested, measure_mtfs(*scan.spectra), scan.spacing)

    def judge(self) -> Judge:
        """Return what measures models."""
        return Judge(Stack(self.tested, self.spacing, RUNS / "features"), self.mtfs, PAIR.kernels)


class Training(NamedTuple):
    """One loss with one seed, tested on the slices of one table."""

    table: str
    loss: str
    seed: int

    @property
    def name(self) -> str:
        """What it is called."""
        return shown(self.loss, self.seed)

    @property
    def trained(self) -> Training:
        """The one whose network it tests: itself, or that of the table where noise is shared."""
        return Training(SHARED, L1, self.seed) if self.loss == CARRIED else self

    @property
    def folder(self) -> Path:
        """Where its run is kept."""
        return RUNS / self.table / self.record.path.stem

    @property
    def config(self) -> Config:
        """The recommended settings of RadiomicGAN, with an encoder from scratch."""
        return override(
            recommended_config("radiomicgan"),
            {
                "generator": {"encoder": "none"},
                "domain": {"spacing_aware": False, "added_noise": 0.0},
                "loss": {"adversarial_weight": LOSSES[self.loss].adversarial_weight},
                "optimizer": {"learning_rate": 1e-3},
                "training": {"seed": self.seed},
            },
        )

    @property
    def tested(self) -> dict[str, Any]:
        """All that the tested slices depend on, as JSON holds it."""
        return {"noise_hu": LEVELS_HU[self.table]}

    @property
    def record(self) -> Record:
        """Where its figures are kept."""
        method, config = LOSSES[self.loss].method.__name__, json.loads(self.config.to_json())
        made_from = {"method": method, "steps": STEPS, **self.tested, "configuration": config}
        if self.trained != self:
            made_from["trained"] = self.trained.tested
        return Record(self.table, self.name, made_from)


TRAININGS: Final = {
    table: [Training(table, loss, seed) for seed in SEEDS for loss in losses]
    for table, losses in COMPARED.items()
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time")
    parser.add_argument("--only", default="", help="only trainings whose name holds this")
    parser.add_argument("--tables", action="store_true", help="compute nothing")
    options, ok = parser.parse_args(), True
    for table, trainings in TRAININGS.items():
        if not options.tables:
            chosen = [training for training in trainings if options.only in training.name]
            judge = partial(open_judge, table)
            ok &= compute_missing(chosen, train_and_measure, judge, options.jobs)
        fill_page(PAGE, {table: make_tables(trainings)})
    return 0 if ok else 1


def open_judge(table: str) -> Judge:
    """Return what measures the models of a table."""
    return Study.open(table).judge()


def train_and_measure(training: Training, threads: int) -> str:
    """Train with one loss, and measure; return what to say."""
    torch.set_num_threads(threads)
    config = training.config
    graph = HarmonizationGraph(train_one(training.trained), network_window(config.data.hu_range))
    measured = open_judge(training.table).measure(graph)
    training.record.write(measured)
    return measured.summary


def train_one(training: Training) -> HarmonizationNetwork:
    """Train what is left of one training, and return its network."""
    study, config = Study.open(training.table), training.config
    crop, batch = config.training.crop, config.training.batch_size
    draw = NoisyPairs(study.trained, study.spacing, training.seed, batch, crop).draw
    method, made_from = LOSSES[training.loss].method, training.record.made_from
    return train(Stage(method, config, STEPS, draw, made_from, training.folder))


if __name__ == "__main__":
    sys.exit(main())
