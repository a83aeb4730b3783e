"""Make the table of one network for many kernels in docs/results/paper.md.

    python benchmarks/quality/one_network.py                     # train and measure what is missing
    python benchmarks/quality/one_network.py --only "seed 0"     # trainings whose name holds a word
    python benchmarks/quality/one_network.py --tables            # compute nothing

Needs the scans of docs/data.md in .data/, and pyradiomics for the features (make eval-deps). A
network is trained on simulated kernels of all series but those of the pair that it is tested on,
then on 0, 1, 3 or 9 slices of that pair. Beside it stand the linear filter of `match`, which has no
pair either, and RadiomicGAN trained on the same slices alone. Runs are kept in runs/one-network/;
what was interrupted goes on where it stood.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}

import argparse
import json
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from cells import Cell
from many_kernels.ends import PAIR, Ends
from many_kernels.network import ConditionedGAN, ConditionedGenerator
from many_kernels.pairs import RealPairs, harmonize
from many_kernels.series import KnownSeries, read_series
from many_kernels.simulate import MARGIN, SimulatedPairs
from measured import PSNR, Measured, Record, difference, difference_by_seed
from methods import CONFIGURATIONS
from paper_cells import compute_cells, record_of
from processes import run_all
from result_page import difference_table, fill_page, present_lines, shown, spread_table
from short_training import Stage, train
from unpaired_features import match_model
from unpaired_pairs import DATA

from rgan_train.config import Config, override, recommended_config
from rgan_train.evaluation.report.texts import pluralize
from rgan_train.evaluation.results import INPUT

RUNS: Final = Path("runs/one-network")
TABLE: Final = "one-network"
PAGE: Final = Path("docs/results/paper.md")
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--only", default="", help="only trainings whose name holds this")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--pretrain-only", action="store_true", help="train on simulated kernels")
    what.add_argument("--tables", action="store_true", help="compute nothing")
    options, ok = parser.parse_args(), True
    if not options.tables:
        missing = [one for one in tunings() if options.only in one.name and not one.record.read()]
        start = pretrain() if options.pretrain_only or missing else None
        if options.pretrain_only:
            return 0
        alone = [cell for cell in pair_cells() if options.only in name_of(cell)]
        ok = compute_cells(alone, TABLE, {"pairs": {"siemens": {"folder": FOLDER}}}, options.jobs)
        ok = run_all(tune_and_measure, missing, options.jobs, start) and ok
        for way in WAYS:
            measure_others(way)
    fill_page(PAGE, {"one network": "\n\n".join(make_tables(way) for way in WAYS)})
    return 0 if ok else 1


def pretrain() -> Path:
    """Train on simulated kernels with L1 alone; return the checkpoint."""
    config = override(settings(PRETRAINING_RATE), {"loss": {"adversarial_weight": 0.0}})
    made_from = {"series": list(OTHERS), "configuration": json.loads(config.to_json())}
    draw, folder = simulated().draw, RUNS / "pretrained"
    stage = Stage(ConditionedGAN, config, PRETRAINING_STEPS, draw, made_from, folder)
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


class Tuning(NamedTuple):
    """A training on a few slices of the pair: from the pretrained network, or from a new one."""

    way: tuple[str, str]
    row: str
    slices: int
    seed: int

    @property
    def title(self) -> str:
        """What it is called among those of its direction."""
        return shown(after(self.row, self.slices), self.seed)

    @property
    def name(self) -> str:
        """What it is called."""
        return in_way(self.way, self.title)

    @property
    def steps(self) -> int:
        """After no slice, it is the pretrained network itself."""
        return TUNING_STEPS if self.slices else 0

    @property
    def config(self) -> Config:
        """Its settings."""
        return settings(TUNING_RATE, self.seed)

    @property
    def record(self) -> Record:
        """Where its figures are kept."""
        made_from: dict[str, Any] = {
            "steps": self.steps,
            "slices": SLICES[self.slices],
            "configuration": json.loads(self.config.to_json()),
        }
        if self.row == TOLD:
            made_from["pretraining"] = {"steps": PRETRAINING_STEPS, "rate": PRETRAINING_RATE}
        return Record(TABLE, self.name, made_from)


def tunings() -> list[Tuning]:
    """Return all of them, the first seed first."""
    planned = [(TOLD, count, seed) for count in SLICES for seed in SEEDS[count]]
    found = [Tuning(way, *one) for one in (*planned, (NEW, DECISIVE, 0)) for way in WAYS]
    return sorted(found, key=lambda tuning: tuning.seed)


def tune_and_measure(tuning: Tuning, start: Path, threads: int) -> str:
    """Train one of them, or what it lacks, and measure it; return what to say."""
    torch.set_num_threads(threads)
    ends = Ends.measure(tuning.way)
    samples = [ends.known[number] for number in SLICES[tuning.slices]]
    stage = Stage(
        ConditionedGAN,
        tuning.config,
        tuning.steps,
        RealPairs(samples, ends.source, ends.target, tuning.seed, BATCH, CROP).draw,
        tuning.record.made_from,
        RUNS / tuning.record.path.stem,
        start if tuning.row == TOLD else None,
    )
    network, stack = train(stage), ends.stack()
    assert isinstance(network, ConditionedGenerator)
    images = [harmonize(network, hu, ends.source, ends.target) for hu in stack.source_hu]
    measured = stack.measure(np.stack(images))
    tuning.record.write(measured)
    return measured.summary


def measure_others(way: tuple[str, str]) -> None:
    """Measure the source's slices as they are, and `match`, if that was not done."""
    stack, records = Ends.measure(way).stack(), other_records(way)
    records[INPUT].fill(lambda: stack.measure(stack.source_hu))
    records[MATCH].fill(lambda: stack.measure(stack.apply_model(match_model(way))))


def other_records(way: tuple[str, str]) -> dict[str, Record]:
    """Return where figures of what is not trained on the pair are kept."""
    return {name: Record(TABLE, in_way(way, name), {}) for name in (INPUT, MATCH)}


def comparisons() -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield what is compared in either direction: a title, and what is measured on both sides."""
    for count in SLICES:
        told, alone = (
            [shown(after(row, count), seed) for seed in SEEDS[count]] for row in (TOLD, ALONE)
        )
        seen = pluralize(count, "slice")
        yield f"{seen}, against `match`", told, [MATCH]
        if count:
            yield f"{seen}, against the pair alone", told, alone
        if count == DECISIVE:
            new = shown(after(NEW, count), 0)
            yield f"{seen}, seed 0, against the same, not pretrained", told[:1], [new]


def in_way(way: tuple[str, str], name: str) -> str:
    """Return the name of what is measured in one direction."""
    return f"{' to '.join(way)}, {name}"


def after(row: str, count: int) -> str:
    """Return what a line of the table is called."""
    return f"{row}, {pluralize(count, 'slice')}"


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


def name_of(cell: Cell) -> str:
    """Return what the training of a pair alone is called."""
    return in_way((cell.source, cell.target), shown(cell.row, cell.seed))


def read_way(way: tuple[str, str]) -> dict[str, Measured]:
    """Return what was measured in one direction, by name."""
    records = other_records(way)
    records |= {tuning.title: tuning.record for tuning in tunings() if tuning.way == way}
    for cell in pair_cells():
        record = record_of(cell, TABLE)
        if record and (cell.source, cell.target) == way:
            records[shown(cell.row, cell.seed)] = record
    read = ((name, record.read()) for name, record in records.items())
    return {name: one for name, one in read if one}


def make_tables(way: tuple[str, str]) -> str:
    """Return both tables of one direction."""
    found = read_way(way)
    names: dict[str, list[str]] = {INPUT: [INPUT], MATCH: [MATCH]}
    for row, counts in ((TOLD, SLICES), (ALONE, TUNED)):
        for count in counts:
            line = after(row, count)
            names[line] = [shown(line, seed) for seed in SEEDS[count]]
    names[after(NEW, DECISIVE)] = [shown(after(NEW, DECISIVE), 0)]
    differences, by_seed = {}, {}
    for title, *sides in comparisons():
        if set(chain(*sides)) <= set(found):
            plus, minus = ([found[name] for name in side] for side in sides)
            differences[title] = difference(plus, minus)
            by_seed[title] = difference_by_seed(plus, minus, [PSNR])
    lines = present_lines(names, found)
    if not lines:
        return "Not computed yet."
    figures = {name: one.figures for name, one in found.items()}
    parts = [f"**{' to '.join(way)}**", spread_table("method", lines, figures)]
    if differences:
        parts.append(difference_table("one network after", differences, by_seed))
    return "\n\n".join(parts)


if __name__ == "__main__":
    sys.exit(main())
