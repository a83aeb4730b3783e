"""Make the table of losses in docs/results/paper.md: where an adversarial loss can win.

    python benchmarks/quality/adversarial.py              # train and measure what is missing
    python benchmarks/quality/adversarial.py --tables     # the page from the figures that are there

Needs the scans of docs/data.md in .data/, and pyradiomics for the features (make eval-deps). Source
and target of the main pair get noise that the other does not have, as two scans would. Runs are
kept in runs/adversarial/; what was interrupted goes on where it stood.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import torch
from noise_losses.judge import judge, make_tables
from noise_losses.losses import MatchingGAN, TextureGAN
from noise_losses.scans import NoisyPairs, add_independent_noise
from result_page import fill_page
from short_training import Stage, train
from stacks import Stack
from unpaired_pairs import PAIRS, Scan

from rgan_train.config import Config, override, recommended_config
from rgan_train.evaluation.cohorts.lesions.plant import measure_mtfs
from rgan_train.evaluation.cohorts.lesions.render import MTF
from rgan_train.methods.conditional_gan import ConditionalGAN
from rgan_train.methods.radiomicgan import RadiomicGAN
from rgan_train.networks.graph import HarmonizationGraph
from rgan_train.networks.window import network_window
from rgan_train.pairs.noise import PairNoise
from rgan_train.pairs.samples import PairedSample

PAGE: Final = Path("docs/results/paper.md")
FIGURES: Final = Path("docs/results/paper/adversarial.json")
RUNS: Final = Path("runs/adversarial")
PAIR: Final = PAIRS["siemens"]
SEEDS: Final = (0, 1, 2)
STEPS: Final = 2160


@dataclass(frozen=True)
class Loss:
    """What the generator is trained with, beside L1."""

    method: type[ConditionalGAN]
    adversarial_weight: float


LOSSES: Final = {
    "L1": Loss(RadiomicGAN, 0.0),
    "L1 + adversarial, 0.05": Loss(RadiomicGAN, 0.05),
    "L1 + adversarial, 1": Loss(RadiomicGAN, 1.0),
    "L1 + adversarial, 1, + feature matching": Loss(MatchingGAN, 1.0),
    "L1 + texture on three scales": Loss(TextureGAN, 0.0),
}


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
    def open(cls) -> Study:
        """Read the main pair, and add noise to both sides."""
        scan = Scan.read(PAIR)
        samples = scan.samples()
        known = samples[: PAIR.trained]
        noise = PairNoise.measure(known, scan.spacing)
        assert noise is not None
        noisy = add_independent_noise(samples, noise, scan.spacing, seed=0)
        tested = [noisy[number] for number in PAIR.test]
        return cls(noisy[: PAIR.trained], tested, measure_mtfs(*scan.spectra), scan.spacing)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time")
    parser.add_argument("--tables", action="store_true", help="compute nothing")
    options = parser.parse_args()
    if not options.tables:
        runs = [(name, seed) for seed in SEEDS for name in LOSSES]
        with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
            models = dict(zip(runs, pool.map(train_one, *zip(*runs, strict=True)), strict=True))
        study = Study.open()
        stack = Stack(study.tested, study.spacing, RUNS / "features", options.jobs)
        found = judge(models, stack, study.mtfs, PAIR.kernels)
        FIGURES.write_text(json.dumps(found, indent=1) + "\n")
    fill_page(PAGE, {"losses": make_tables(json.loads(FIGURES.read_text()))})


def settings(loss: Loss, seed: int) -> Config:
    """Return the recommended settings of RadiomicGAN, with an encoder from scratch."""
    return override(
        recommended_config("radiomicgan"),
        {
            "generator": {"encoder": "none"},
            "domain": {"spacing_aware": False, "added_noise": 0.0},
            "loss": {"adversarial_weight": loss.adversarial_weight},
            "optimizer": {"learning_rate": 2e-3},
            "training": {"seed": seed},
        },
    )


def train_one(name: str, seed: int) -> HarmonizationGraph:
    """Train with one loss, and return the computation from HU to HU."""
    torch.set_num_threads(1)
    loss, study = LOSSES[name], Study.open()
    config = settings(loss, seed)
    crop, batch = config.training.crop, config.training.batch_size
    draw = NoisyPairs(study.trained, study.spacing, seed, batch, crop).draw
    folder = RUNS / f"{name.replace(' ', '').replace(',', '-')}_{seed}"
    network = train(Stage(loss.method, config, STEPS, draw, folder))
    return HarmonizationGraph(network, network_window(config.data.hu_range))


if __name__ == "__main__":
    main()
