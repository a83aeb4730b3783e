"""Make docs/results/unseen-scanner.md: networks that saw neither the scanner nor its patient.

    python benchmarks/quality/unseen_scanner.py           # trains and measures what is missing
    python benchmarks/quality/unseen_scanner.py --tables  # the page from the figures that are there

Needs the scans of docs/data.md in .data/. About half an hour of one core for each of four
networks; what was interrupted goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cells import environment
from numpy.typing import NDArray
from result_page import fill_page
from unpaired_methods import paired_graph

from rgan_sdk.kernels import KernelSpectra, fit_transfer, measure_kernel
from rgan_train.config import override, recommended_config
from rgan_train.evaluation.cohorts.cohort import Cohort, Scan, read_cohort
from rgan_train.evaluation.cohorts.lesions.compare import compare_lesions
from rgan_train.evaluation.cohorts.variants import Methods, mark_padding
from rgan_train.evaluation.metrics.image_quality import QUALITY_RANGE, psnr
from rgan_train.evaluation.report.cohorts.findings import COMPARISONS, lesion_failures
from rgan_train.evaluation.results import INPUT
from rgan_train.export.export import load_graph
from rgan_train.matching.groups import measure_group, open_group
from rgan_train.matching.linear import WINDOW, make_filter, make_graph
from rgan_train.matching.simulated import MeasuredChange
from rgan_train.networks.graph import HarmonizationGraph, harmonize_slice
from rgan_train.pairs import read_pairs, write_pairs
from rgan_train.pairs.find import Pair, make_pair
from rgan_train.pairs.noise import PairNoise, add_noise
from rgan_train.pairs.samples import PairedSample
from rgan_train.simulation.series import open_series, simulate_series
from rgan_train.training import Job, RunFolder, fit

PAGE, RESULTS = Path("docs/results/unseen-scanner.md"), Path("docs/results/unseen-scanner")
RUNS, DATA = Path("runs/unseen-scanner"), Path(".data")
ANATOMY = ("lidc_idri_0001_ge_standard", "pair_philips_headphantom_step2/YA")
SCANNER, KERNELS = "pair_lungdx_A0002_siemens", ("B40f", "B70f")
HALVES = (range(15), range(15, 30))
NOISE, NOISE_SEED = (0.0, 10.0, 20.0, 30.0), 190
TRAINING = {"epochs": 20, "steps_per_epoch": 450, "precision": "32-true"}
"""A third of the steps that are recommended."""

ROWS = {
    "input": "input",
    "match": "`match`, linear: the curves alone",
    "network": "compact, from GE and phantom anatomy with these curves",
    "paired": "paired linear filter of the other half (a ceiling)",
}


@dataclass(frozen=True)
class Half:
    """One half of the scan, which is tested, and the curves of the other half.

    Attributes
    ----------
    scans
        Both kernels of the half that is tested.
    known
        Both kernels of the other half.
    """

    number: int
    scans: tuple[Cohort, Cohort]
    known: tuple[Cohort, Cohort]

    @classmethod
    def take(cls, number: int, whole: Sequence[Cohort]) -> Half:
        """Take a half of both series."""
        tested, known = (
            [_part(cohort, HALVES[half]) for cohort in whole] for half in (number, 1 - number)
        )
        return cls(number, (tested[0], tested[1]), (known[0], known[1]))

    @property
    def spectra(self) -> tuple[KernelSpectra, KernelSpectra]:
        """Of both kernels, from the half that is not tested."""
        first, second = (measure_kernel(s.hu, s.pixel_spacing) for s in map(_only, self.known))
        return first, second


def _part(cohort: Cohort, numbers: range) -> Cohort:
    scan, part = _only(cohort), slice(numbers.start, numbers.stop)
    kept = Scan(
        scan.patient,
        scan.kernel,
        scan.pixel_spacing,
        scan.thickness,
        scan.hu[part],
        scan.padding[part],
    )
    return Cohort(cohort.name, (kept,), 1)


def _only(cohort: Cohort) -> Scan:
    (scan,) = cohort.scans
    return scan


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", action="store_true", help="compute nothing")
    if not parser.parse_args().tables:
        RESULTS.mkdir(parents=True, exist_ok=True)
        whole = [
            read_cohort(name, open_group(name, [DATA / SCANNER / kernel]).series)
            for name, kernel in zip(("source", "target"), KERNELS, strict=True)
        ]
        for half in (Half.take(number, whole) for number in range(len(HALVES))):
            for way in ((0, 1), (1, 0)):
                path = RESULTS / f"{KERNELS[way[0]]}-{KERNELS[way[1]]}_{half.number}.json"
                if not path.exists():
                    path.write_text(json.dumps(measure(half, way), indent=1) + "\n")
    write_page()
    return 0


def measure(half: Half, way: tuple[int, int]) -> dict[str, Any]:
    """Train the network of one half and direction, and return the figures of all rows."""
    source, target = (half.scans[index] for index in way)
    spectra = half.spectra[way[0]], half.spectra[way[1]]
    known = [_only(half.known[index]).hu for index in way]
    graphs = {
        "match": make_graph(
            make_filter(fit_transfer(*spectra, resamples=0), [_only(source).spacing])
        ),
        "network": train(half, way),
        "paired": paired_graph(known[0], known[1], _only(source).spacing),
    }
    return {
        "environment": environment(),
        "psnr_db": {row: dict(score(source, target, graphs.get(row))) for row in ROWS},
        "lesion_failures": count_failures(source, target, graphs),
    }


def train(half: Half, way: tuple[int, int]) -> HarmonizationGraph:
    """Train on simulated pairs of other scanners, or go on; return the best checkpoint."""
    source, target = (KERNELS[index] for index in way)
    config = override(
        recommended_config("compact"),
        {
            "data": {
                "source_kernel": source,
                "target_kernel": target,
                "window": (WINDOW.lower, WINDOW.upper),
            },
            "training": TRAINING,
        },
    )
    folder = RUNS / f"half{half.number}"
    pairs_csv = folder / "pairs.csv"
    if not pairs_csv.exists():
        write_pairs(list(simulate(half, folder)), pairs_csv)
    run = RunFolder(folder / f"{source}-{target}")
    job = Job.from_pairs(config, read_pairs(pairs_csv), run, resume=run.exists())
    fit(job, print)
    return load_graph(run, run.config(), "best")


def simulate(half: Half, folder: Path) -> Iterator[Pair]:
    """Write what each other scan would be with both kernels, and yield the pairs."""
    for number, name in enumerate(ANATOMY):
        group = open_group("source", [DATA / name])
        spectra = measure_group(group)
        images = []
        for kernel, known in zip(KERNELS, half.spectra, strict=True):
            place = folder / f"{number}-{kernel}"
            if not place.exists():
                change = MeasuredChange(fit_transfer(spectra, known, resamples=0), kernel)
                simulate_series(group.series[0], place, change)
            images.append(open_series(place))
        yield make_pair(*images)


def score(
    source: Cohort, target: Cohort, graph: HarmonizationGraph | None
) -> Iterator[tuple[str, list[float]]]:
    """Yield the PSNR of each slice in dB, by the noise in HU that was added to both kernels."""
    before, after = _only(source), _only(target)
    samples = [PairedSample(*images) for images in zip(before.hu, after.hu, strict=True)]
    noise = PairNoise.measure(samples, before.spacing)
    assert noise is not None
    for level in NOISE:
        found = []
        for number, plain in enumerate(samples):
            rng = np.random.default_rng((NOISE_SEED, int(level), number))
            drawn = noise.draw(plain.source_hu.shape, before.spacing, rng)
            sample = add_noise(plain, drawn, level) if level else plain
            out = sample.source_hu
            if graph is not None:
                out = harmonize_slice(graph, out, before.spacing)
            found.append(psnr(out, sample.target_hu, QUALITY_RANGE))
        yield f"{level:g}", found


def count_failures(
    source: Cohort, target: Cohort, graphs: dict[str, HarmonizationGraph]
) -> dict[str, int]:
    """Return in how many comparisons lesions do not look as in the target, by row and control."""
    spectra = [measure_kernel(one.hu, one.pixel_spacing) for one in map(_only, (source, target))]
    with Methods({}, source, target) as methods:
        for name, graph in graphs.items():
            methods.methods[name] = _as_method(graph)
        plain = {INPUT: mark_padding(source)} | {
            name: methods.apply(name, source, source.images, lambda: None)
            for name in methods.methods
        }
        lesions = compare_lesions(
            source, target, (spectra[0], spectra[1]), methods, plain, lambda total: lambda: None
        )
        return {name: len(lesion_failures(lesions, name)) for name in plain}


def _as_method(graph: HarmonizationGraph) -> Callable[[Scan, NDArray[np.float32]], Any]:
    return lambda scan, hu: np.stack([harmonize_slice(graph, one, scan.spacing) for one in hu])


def write_page() -> None:
    """Fill the tables of the page."""
    tables = {}
    for source, target in (KERNELS, KERNELS[::-1]):
        paths = [RESULTS / f"{source}-{target}_{number}.json" for number in range(len(HALVES))]
        if all(path.exists() for path in paths):
            halves = [json.loads(path.read_text()) for path in paths]
            tables[f"table {source}-{target}"] = make_table(source, target, halves)
    fill_page(PAGE, tables)


def make_table(source: str, target: str, halves: Sequence[dict[str, Any]]) -> str:
    """Return the table of one direction, over the slices of both halves."""
    levels = [f"{level:g}" for level in NOISE]
    lines = [
        f"**{source} to {target}**, PSNR in dB by added noise in HU",
        "",
        f"| method | {' | '.join(levels)} | comparisons of lesions that fail, of {COMPARISONS} |",
        f"|---|{'---|' * (len(levels) + 1)}",
    ]
    for row, title in ROWS.items():
        means = [np.mean([half["psnr_db"][row][level] for half in halves]) for level in levels]
        failures = [half["lesion_failures"][row] for half in halves]
        cells = [title, *(f"{mean:.2f}" for mean in means), " and ".join(map(str, failures))]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
