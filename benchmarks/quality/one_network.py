"""Make the table of one network for many kernels in docs/results/paper.md.

    python benchmarks/quality/one_network.py              # train and measure what is missing
    python benchmarks/quality/one_network.py --tables     # the page from the figures that are there

Needs the scans of docs/data.md in .data/. A network is trained on simulated kernels of all series
but those of the pair that it is tested on, then on 0, 1, 3 or 9 slices of that pair. Beside it
stand the linear filter of `match`, which has no pair either, and RadiomicGAN trained on the same
slices alone. Runs are kept in runs/one-network/; what was interrupted goes on where it stood.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1"}

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cells import Cell, measure
from many_kernels.conditions import Curve
from many_kernels.network import ConditionedGAN, ConditionedGenerator
from many_kernels.pairs import RealPairs, harmonize
from many_kernels.series import KnownSeries, read_series
from many_kernels.simulate import MARGIN, SimulatedPairs
from methods import CONFIGURATIONS, compute_missing
from result_page import fill_page
from short_training import Stage, train
from unpaired_features import match_model
from unpaired_pairs import DATA, PAIRS, Scan, splits

from rgan_sdk.harmonizer import Harmonizer
from rgan_train.config import Config, override, recommended_config
from rgan_train.evaluation.cohorts.lesions.plant import measure_mtfs
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

SLICES: Final = {0: (), 1: (8,), 3: (2, 8, 14), 9: (0, 2, 4, 6, 8, 10, 12, 14, 16)}
BATCH: Final = 4
CROP: Final = 96 + 2 * MARGIN
PRETRAINING_STEPS: Final = 6000
TUNING_STEPS: Final = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2, help="trainings on pairs alone at a time")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--pretrain-only", action="store_true", help="train on simulated kernels")
    what.add_argument("--tables", action="store_true", help="compute nothing")
    options = parser.parse_args()
    if not options.tables:
        pretrained = Stage(
            ConditionedGAN, settings(1e-3), PRETRAINING_STEPS, simulated().draw, RUNS / "pretrained"
        )
        train(pretrained)
        if options.pretrain_only:
            return
        compute_missing(
            pair_cells(), {"pairs": {"siemens": {"folder": FOLDER}}}, options.jobs, CELLS
        )
        figures = {" to ".join(way): measure_way(way, pretrained.checkpoint) for way in WAYS}
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    tables = [make_table(title, rows) for title, rows in json.loads(FIGURES.read_text()).items()]
    fill_page(PAGE, {"one network": "\n\n".join(tables)})


def settings(rate: float) -> Config:
    """Return the recommended settings of RadiomicGAN, with an encoder from scratch."""
    return override(
        recommended_config("radiomicgan"),
        {
            "generator": {"encoder": "none"},
            "data": {"window": (-1024.0, 2000.0)},
            "optimizer": {"learning_rate": rate},
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
        curves = (Curve.on_pixels(mtf.frequency, mtf.value, scan.spacing) for mtf in mtfs)
        samples = [PairedSample(*both) for both in zip(*scan.images[sides], strict=True)]
        test = [samples[number] for number in PAIR.test]
        return cls(*curves, samples[: PAIR.trained], test, scan.spacing)


def measure_way(way: tuple[str, str], start: Path) -> dict[str, Any]:
    """Measure all rows of one direction on the test slices."""
    ends = Ends.measure(way)
    rows = {"input": measure([sample.source_hu for sample in ends.test], ends.test)}
    with Harmonizer.load(match_model(way), device="cpu") as harmonizer:
        images = [harmonizer(s.source_hu, pixel_spacing=ends.spacing) for s in ends.test]
    rows["`match`, linear"] = measure(images, ends.test)
    for count, slices in SLICES.items():
        rows[f"one network, {count} slices"] = measure_tuned(ends, way, slices, start)
    for cell in pair_cells():
        if (cell.source, cell.target) == way:
            rows[cell.row] = json.loads((CELLS / f"{cell.name}.json").read_text())["quality"]
    return rows


def measure_tuned(
    ends: Ends, way: tuple[str, str], slices: Sequence[int], start: Path
) -> dict[str, Any]:
    """Go on with a few slices of the pair, and measure the test slices."""
    samples = [ends.known[number] for number in slices]
    draw = RealPairs(samples, ends.source, ends.target, 0, BATCH, CROP).draw
    folder = RUNS / f"{way[0]}-{way[1]}_{len(slices)}"
    steps = TUNING_STEPS if slices else 0
    network = train(Stage(ConditionedGAN, settings(3e-4), steps, draw, folder, start))
    assert isinstance(network, ConditionedGenerator)
    images = [harmonize(network, s.source_hu, ends.source, ends.target) for s in ends.test]
    return measure(images, ends.test)


def pair_cells() -> list[Cell]:
    """Return the trainings on the same slices of the pair alone."""
    return [
        Cell(
            pair="siemens",
            source=source,
            target=target,
            row=f"the pair alone, {count} slices",
            seed=0,
            base=CONFIGURATIONS / "radiomicgan.toml",
            settings=(*PAIR_SETTINGS, f"data.train_slices={','.join(map(str, slices))}"),
            vgg_weights=None,
        )
        for source, target in WAYS
        for count, slices in SLICES.items()
        if slices
    ]


def make_table(title: str, rows: dict[str, Any]) -> str:
    """Return the table of one direction."""
    lines = [f"**{title}**", "", "| method | PSNR, dB | SSIM | noise power distance, dB |"]
    lines.append("|---|---:|---:|---:|")
    for name, quality in rows.items():
        figures = (f"{quality['psnr_db']:.2f}", f"{quality['ssim']:.4f}")
        lines.append(f"| {name} | {' | '.join(figures)} | {quality['nps_distance_db']:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
