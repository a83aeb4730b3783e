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
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from cells import measure
from noise_losses.lesions import Images, Slices, summarize
from noise_losses.losses import MatchingGAN, TextureGAN
from noise_losses.scans import NoisyPairs, add_independent_noise
from result_page import fill_page, spread
from short_training import Stage, train
from unpaired_pairs import PAIRS, Scan

from rgan_train.config import Config, override, recommended_config
from rgan_train.evaluation.cohorts.lesions.plant import measure_mtfs
from rgan_train.evaluation.cohorts.lesions.render import MTF
from rgan_train.evaluation.features.extractor import FeatureExtractor
from rgan_train.evaluation.features.regions import RegionFeatures
from rgan_train.evaluation.metrics.reproducibility import compare_all
from rgan_train.evaluation.regions.choice import choose_regions
from rgan_train.evaluation.results import INPUT, TARGET, THRESHOLDS
from rgan_train.methods.conditional_gan import ConditionalGAN
from rgan_train.methods.radiomicgan import RadiomicGAN
from rgan_train.networks.graph import HarmonizationGraph, harmonize_slice
from rgan_train.networks.window import network_window
from rgan_train.pairs.noise import PairNoise
from rgan_train.pairs.samples import PairedSample

PAGE: Final = Path("docs/results/paper.md")
FIGURES: Final = Path("docs/results/paper/adversarial.json")
RUNS: Final = Path("runs/adversarial")
PAIR: Final = PAIRS["siemens"]
SEEDS: Final = (0, 1, 2)
STEPS: Final = 2160
REGIONS: Final = 100
"""Random regions in each HU range, at least."""


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


LESIONS: Final = {
    "nodule_contrast": "contrast of nodules",
    "nodule_area_mm2": "their area, mm2",
    "hole_contrast": "contrast of holes",
    "hole_area_mm2": "their area, mm2",
}
"""Figures of lesions, and their titles."""


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
        samples = [PairedSample(*both) for both in zip(*scan.images, strict=True)]
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
        FIGURES.write_text(json.dumps(measure_all(models, options.jobs), indent=1) + "\n")
    fill_page(PAGE, {"losses": make_table(json.loads(FIGURES.read_text()))})


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


def measure_all(
    models: Mapping[tuple[str, int], HarmonizationGraph], jobs: int
) -> dict[str, dict[str, Any]]:
    """Measure input, target and all models on the test slices."""
    study = Study.open()
    source_hu, target_hu = (np.stack(side) for side in zip(*study.tested, strict=True))

    def apply(graph: HarmonizationGraph) -> Callable[[Images], Images]:
        return lambda hu: np.stack([harmonize_slice(graph, one, study.spacing) for one in hu])

    methods = {f"{name}, seed {seed}": apply(graph) for (name, seed), graph in models.items()}
    methods = {INPUT: lambda hu: hu, **methods}
    images = {name: method(source_hu) for name, method in methods.items()}
    before, after = (
        Slices(hu, mtf, kernel, study.spacing)
        for hu, mtf, kernel in zip((source_hu, target_hu), study.mtfs, PAIR.kernels, strict=True)
    )
    counts = count_features({TARGET: target_hu, **images}, study.spacing, jobs)
    figures = {
        name: {
            **measure(list(images[name]), study.tested),
            "features": counts[name],
            "lesions": summarize(before.see(method)),
        }
        for name, method in methods.items()
    }
    return {TARGET: {"lesions": summarize(after.see(lambda hu: hu))}, **figures}


def count_features(
    images: Mapping[str, Images], spacing: float, jobs: int
) -> dict[str, dict[str, int]]:
    """Count the reproducible features by method and group of regions."""
    padding = np.zeros(images[TARGET].shape, bool)
    rois, _ = choose_regions(images[TARGET], padding, (), REGIONS)
    features = RegionFeatures(
        FeatureExtractor(), RUNS / "features", None, jobs, padding, (spacing, spacing)
    )
    table = features.compute(images, rois, lambda total: lambda: None)
    found: dict[str, dict[str, int]] = {name: {} for name in images}
    for agreement in compare_all(table):
        found[agreement.method][agreement.group] = agreement.counts[THRESHOLDS[0]].features
    return found


def make_table(figures: Mapping[str, dict[str, Any]]) -> str:
    """Return the table: means over the seeds, with the smallest and largest."""
    groups = list(figures[INPUT]["features"])
    titles = ["loss", "PSNR, dB", "noise power distance, dB", "noise power, highest band"]
    titles += [*(f"features, {group}" for group in groups), *LESIONS.values()]
    lines = [f"| {' | '.join(titles)} |", "|---|" + "---:|" * (len(titles) - 1)]
    names = {TARGET: [TARGET], INPUT: [INPUT]}
    names |= {name: [f"{name}, seed {seed}" for seed in SEEDS] for name in LOSSES}
    for name, runs in names.items():
        found = [figures[run] for run in runs]
        parts = [name]
        if name == TARGET:
            parts += [""] * (len(titles) - 1 - len(LESIONS))
        else:
            parts += [
                spread([one["psnr_db"] for one in found], 2),
                spread([one["nps_distance_db"] for one in found], 2),
                spread([one["nps_ratio"][-1] for one in found], 2),
                *(spread([one["features"][group] for one in found], 0) for group in groups),
            ]
        parts += [spread([one["lesions"][key] for one in found], 2) for key in LESIONS]
        lines.append(f"| {' | '.join(parts)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
