"""Make the table of one network for many kernels in docs/results/paper.md.

    python benchmarks/quality/one_network.py              # train and measure what is missing
    python benchmarks/quality/one_network.py --tables     # the page from the figures that are there

Needs the scans of docs/data.md in .data/, and pyradiomics for the features (make eval-deps). A
network is trained on simulated kernels of all series but those of the pair that it is tested on,
then on 0, 1, 3 or 9 slices of that pair. Beside it stand the linear filter of `match`, which has no
pair either, and RadiomicGAN trained on the same slices alone. Runs are kept in runs/one-network/;
what was interrupted goes on where it stood.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1"}

import argparse
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from cells import Cell
from many_kernels.conditions import Curve
from many_kernels.network import ConditionedGAN, ConditionedGenerator
from many_kernels.pairs import RealPairs, harmonize
from many_kernels.series import KnownSeries, read_series
from many_kernels.simulate import MARGIN, SimulatedPairs
from methods import CONFIGURATIONS, WORK, compute_missing
from result_page import difference_table, fill_page, shown, spread_table
from short_training import Stage, train
from stacks import Stack
from unpaired_features import match_model
from unpaired_pairs import DATA, PAIRS, Scan, splits

from rgan_train.config import Config, override, recommended_config
from rgan_train.evaluation.cohorts.lesions.plant import measure_mtfs
from rgan_train.evaluation.results import INPUT
from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.pairs.samples import PairedSample

RUNS: Final = Path("runs/one-network")
FIGURES: Final = Path("docs/results/paper/one-network.json")
PAGE: Final = Path("docs/results/paper.md")
CELLS: Final = Path("docs/results/paper/cells")
PAIR: Final = PAIRS["siemens"]
FOLDER: Final = str(DATA / PAIR.folder)
WAYS: Final = (PAIR.kernels, PAIR.kernels[::-1])
PAIR_SETTINGS: Final = (
    "training.precision=32-true",
    "domain.spacing_aware=false",
    "domain.added_noise=0",
    "generator.encoder=none",
    "data.window=[-1024,2000]",
    "curriculum.schedule=none",
    "optimizer.learning_rate=2e-3",
    "training.epochs=24",
    "training.steps_per_epoch=90",
    "data.validation_slices=18-20",
    "data.test_slices=22-29",
)
"""As many steps as a first training on pairs took in methods.md."""

OTHERS: Final = {
    "lidc_idri_0001_ge_standard": None,
    "pair_philips_headphantom_step2/UB": range(42),
    "pair_philips_headphantom_step2/YA": range(42),
}
"""Series to learn from, and the slices of them that are for training."""

TOLD: Final = "one network"
NEW: Final = "the same, not pretrained"
ALONE: Final = "the pair alone"
MATCH: Final = "`match`, linear"
SLICES: Final = {0: (), 1: (8,), 3: (2, 8, 14), 9: (0, 2, 4, 6, 8, 10, 12, 14, 16)}
TUNED: Final = [count for count in SLICES if count]
DECISIVE: Final = 3
"""Slices after which it is decided whether the network becomes a packaged model."""

SEEDS: Final = {count: (0, 1, 2) if count == DECISIVE else (0,) for count in SLICES}

BATCH: Final = 4
CROP: Final = 96 + 2 * MARGIN
PRETRAINING_STEPS: Final = 3000
PRETRAINING_RATE: Final = 1e-4
"""With 1e-3 nearly all units of the last layers died: the filter leaves little to do."""

TUNING_STEPS: Final = 2160
"""As many as the pair alone takes."""

TUNING_RATE: Final = 3e-4
"""The best of 3e-4 and 1e-3 on validation slices; with 1e-3 units died again."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--pretrain-only", action="store_true", help="train on simulated kernels")
    what.add_argument("--tables", action="store_true", help="compute nothing")
    options = parser.parse_args()
    if not options.tables:
        start = pretrain()
        if options.pretrain_only:
            return
        compute_missing(
            pair_cells(), {"pairs": {"siemens": {"folder": FOLDER}}}, options.jobs, CELLS
        )
        tune_all(start, options.jobs)
        found = {" to ".join(way): measure_way(way, start, options.jobs) for way in WAYS}
        FIGURES.write_text(json.dumps(found, indent=1) + "\n")
    tables = [make_tables(title, one) for title, one in json.loads(FIGURES.read_text()).items()]
    fill_page(PAGE, {"one network": "\n\n".join(tables)})


def pretrain() -> Path:
    """Train on simulated kernels with L1 alone; return the checkpoint."""
    config = override(settings(PRETRAINING_RATE), {"loss": {"adversarial_weight": 0.0}})
    stage = Stage(ConditionedGAN, config, PRETRAINING_STEPS, simulated().draw, RUNS / "pretrained")
    train(stage)
    return stage.checkpoint


def settings(rate: float, seed: int = 0) -> Config:
    """Return the recommended settings of RadiomicGAN, with an encoder from scratch."""
    return override(
        recommended_config("radiomicgan"),
        {
            "generator": {"encoder": "none"},
            "data": {"window": (-1024.0, 2000.0)},
            "optimizer": {"learning_rate": rate},
            "training": {"seed": seed},
        },
    )


def simulated() -> SimulatedPairs:
    """Return what draws crops of simulated kernels, of all series but those of the pair."""
    series: list[KnownSeries] = [read_series(DATA / name, part) for name, part in OTHERS.items()]
    return SimulatedPairs(series, seed=0, batch_size=BATCH, size=CROP)


@dataclass(frozen=True)
class Ends:
    """Both sides of the pair, in one direction.

    Attributes
    ----------
    source, target
        Transfer functions of the kernels, measured without pairs: each on another half of the scan.
    known, test
        The paired slices that may be learned from, and those that are tested on.
    spacing
        Of their pixels, mm.
    """

    source: Curve
    target: Curve
    known: Sequence[PairedSample]
    test: Sequence[PairedSample]
    spacing: float

    @classmethod
    def measure(cls, way: tuple[str, str]) -> Ends:
        """Read the slices, and measure the kernels as `match` does."""
        scan, sides = Scan.read(PAIR), [PAIR.kernels.index(kernel) for kernel in way]
        halves = next(splits(PAIR.known))
        spectra = (scan.spectra[side].take(half) for side, half in zip(sides, halves, strict=True))
        mtfs = measure_mtfs(*spectra)
        source, target = (Curve.on_pixels(m.frequency, m.value, scan.spacing) for m in mtfs)
        samples = scan.samples((sides[0], sides[1]))
        test = [samples[number] for number in PAIR.test]
        return cls(source, target, samples[: PAIR.trained], test, scan.spacing)


class Tuning(NamedTuple):
    """A training on a few slices of the pair: from the pretrained network, or from a new one."""

    row: str
    slices: int
    seed: int

    @property
    def name(self) -> str:
        """What the table calls it."""
        return shown(after(self.row, self.slices), self.seed)


def tunings() -> list[Tuning]:
    """Return all of them. After no slice, it is the pretrained network itself."""
    counts = {TOLD: list(SLICES), NEW: [DECISIVE]}
    return [
        Tuning(row, count, seed) for row in counts for count in counts[row] for seed in SEEDS[count]
    ]


def tune_all(start: Path, jobs: int) -> None:
    """Train what is missing."""
    runs = [(way, tuning, start) for way in WAYS for tuning in tunings()]
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        list(pool.map(tune_one, *zip(*runs, strict=True)))


def tune_one(way: tuple[str, str], tuning: Tuning, start: Path) -> None:
    """Train one of them, or what it lacks."""
    torch.set_num_threads(1)
    tune(Ends.measure(way), way, tuning, start)


def tune(ends: Ends, way: tuple[str, str], tuning: Tuning, start: Path) -> HarmonizationNetwork:
    """Train what is left, and return the network."""
    samples = [ends.known[number] for number in SLICES[tuning.slices]]
    draw = RealPairs(samples, ends.source, ends.target, tuning.seed, BATCH, CROP).draw
    stage = Stage(
        ConditionedGAN,
        settings(TUNING_RATE, tuning.seed),
        TUNING_STEPS if samples else 0,
        draw,
        RUNS / f"{'-'.join(way)}_{tuning.name.replace(' ', '-').replace(',', '')}",
        start if tuning.row == TOLD else None,
    )
    return train(stage)


def measure_way(way: tuple[str, str], start: Path, jobs: int) -> dict[str, Any]:
    """Measure all methods of one direction on the test slices, and compare them."""
    ends = Ends.measure(way)
    stack = Stack(ends.test, ends.spacing, RUNS / "features", jobs)
    images = {INPUT: stack.source_hu, MATCH: stack.apply_model(match_model(way))}
    for tuning in tunings():
        network = tune(ends, way, tuning, start)
        assert isinstance(network, ConditionedGenerator)
        images[tuning.name] = np.stack(
            [harmonize(network, hu, ends.source, ends.target) for hu in stack.source_hu]
        )
    for cell in pair_cells():
        if (cell.source, cell.target) == way:
            images[shown(cell.row, cell.seed)] = stack.apply_model(WORK / f"{cell.name}.onnx")
    figures, measures = stack.measure(images)
    return {
        "figures": figures,
        "differences": {
            title: {name: one.contrast(plus, minus) for name, one in measures.items()}
            for title, plus, minus in comparisons()
        },
    }


def comparisons() -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield what is compared: a title, and what is measured on either side."""
    for count in SLICES:
        told, new, alone = (
            [shown(after(row, count), seed) for seed in SEEDS[count]] for row in (TOLD, NEW, ALONE)
        )
        yield f"{count} slices, against `match`", told, [MATCH]
        if count:
            yield f"{count} slices, against the pair alone", told, alone
        if count == DECISIVE:
            yield f"{count} slices, against the same, not pretrained", told, new


def after(row: str, count: int) -> str:
    """Return what a line of the table is called."""
    return f"{row}, {count} slices"


def pair_cells() -> list[Cell]:
    """Return the trainings on the same slices of the pair alone."""
    return [
        Cell(
            pair="siemens",
            source=source,
            target=target,
            row=after(ALONE, count),
            seed=seed,
            base=CONFIGURATIONS / "radiomicgan.toml",
            settings=(*PAIR_SETTINGS, f"data.train_slices={','.join(map(str, SLICES[count]))}"),
            vgg_weights=None,
        )
        for source, target in WAYS
        for count in TUNED
        for seed in SEEDS[count]
    ]


def make_tables(title: str, found: dict[str, Any]) -> str:
    """Return both tables of one direction."""
    names = {INPUT: [INPUT], MATCH: [MATCH]}
    for row, counts in ((TOLD, SLICES), (NEW, [DECISIVE]), (ALONE, TUNED)):
        for count in counts:
            line = after(row, count)
            names[line] = [shown(line, seed) for seed in SEEDS[count]]
    tables = (
        f"**{title}**",
        spread_table("method", names, found["figures"]),
        difference_table("one network after", found["differences"]),
    )
    return "\n\n".join(tables)


if __name__ == "__main__":
    main()
