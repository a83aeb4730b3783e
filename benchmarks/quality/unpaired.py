"""Make docs/results/unpaired.md: filters from different slices of two kernels, against pairs.

    python benchmarks/quality/unpaired.py            # measures what is missing
    python benchmarks/quality/unpaired.py --tables   # the page from the figures that are there

Needs the scans of docs/data.md in .data/. Exit code 1 where a gate is not met.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cells import environment
from numpy.typing import NDArray

from rgan_sdk.kernels import KernelSpectra, TransferRatio, fit_transfer, measure_kernel
from rgan_train.config import DomainConfig, LinearConfig
from rgan_train.evaluation.metrics.image_quality import QUALITY_RANGE, psnr, ssim
from rgan_train.matching.groups import measure_group, open_group, read_slices
from rgan_train.matching.linear import WINDOW, make_filter, make_graph
from rgan_train.methods.linear import LinearFilter
from rgan_train.networks.graph import HarmonizationGraph, harmonize_slice
from rgan_train.pairs.samples import PairedSample

PAGE, RESULTS = Path("docs/results/unpaired.md"), Path("docs/results/unpaired")
DATA, THIRD = Path(".data"), "lidc_idri_0001_ge_standard"
SPLITS = 5

ROWS = {
    "input": "input",
    "match": "`match`, linear, median of five (lowest to highest)",
    "star": "by way of a GE scan of another patient",
    "paired": "paired linear filter, same window (a ceiling)",
}


@dataclass(frozen=True)
class Pair:
    """A scan with two kernels. Groups come from the first ``known`` slices."""

    folder: str
    title: str
    kernels: tuple[str, str]
    known: int
    trained: int
    test: range
    gates: tuple[tuple[float, float, float], ...]
    """By direction, in dB: median and lowest of five, and by way of the third group."""


PAIRS = {
    "siemens": Pair(
        "pair_lungdx_A0002_siemens",
        "Siemens Sensation 10, chest",
        ("B40f", "B70f"),
        known=21,
        trained=18,
        test=range(22, 30),
        gates=((44.0, 42.0, 42.0), (49.5, 49.0, 50.0)),
    ),
    "philips": Pair(
        "pair_philips_headphantom_step2",
        "Philips Ingenuity, head phantom",
        ("UB", "YA"),
        known=49,
        trained=42,
        test=range(50, 70),
        gates=(),
    ),
}


@dataclass(frozen=True)
class Scan:
    """Slices of one scan with both kernels, ``[2, N, H, W]`` HU, and spectra of the known ones."""

    images: NDArray[np.float32]
    spacing: float
    spectra: tuple[KernelSpectra, KernelSpectra]

    @classmethod
    def read(cls, pair: Pair) -> Scan:
        """Read both series of a pair."""
        series = [
            open_group("source", [DATA / pair.folder / kernel]).series[0] for kernel in pair.kernels
        ]
        images = np.stack([read_slices(one.slices) for one in series])
        first, second = (
            measure_kernel(hu[: pair.known], (one.pixel_spacing[0], one.pixel_spacing[1]))
            for hu, one in zip(images, series, strict=True)
        )
        return cls(images, series[0].mean_pixel_spacing, (first, second))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", action="store_true", help="compute nothing")
    options = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    if not options.tables:
        for name, pair in PAIRS.items():
            if not (RESULTS / f"{name}.json").exists():
                figures = {"environment": environment(), "directions": measure(pair)}
                (RESULTS / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n")
    return 0 if write_page() else 1


def measure(pair: Pair) -> list[dict[str, Any]]:
    """Return the figures of both directions."""
    scan = Scan.read(pair)
    third = measure_group(open_group("third", [DATA / THIRD]))
    measured = []
    for way in ((0, 1), (1, 0)):
        source, target = (scan.spectra[index] for index in way)
        ways = {
            "input": [None],
            "match": [
                graph_of(fit_transfer(source.take(a), target.take(b), resamples=0), scan)
                for a, b in splits(pair.known)
            ],
            "star": [graph_of(go_by(source, third, target), scan)],
            "paired": [paired_graph(scan, pair, way)],
        }
        figures = {
            name: [test(graph, scan, pair, way) for graph in graphs]
            for name, graphs in ways.items()
        }
        measured.append({"kernels": [pair.kernels[index] for index in way], "figures": figures})
    return measured


def splits(count: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield slices for source and target: contiguous halves of the scan, from seeded starts."""
    for start in np.random.default_rng(0).choice(count, SPLITS, replace=False):
        around = (start + np.arange(count)) % count
        yield around[: count // 2], around[count // 2 :]


class Star:
    """The gain by way of a third group, as a filter takes it."""

    def __init__(self, first: TransferRatio, second: TransferRatio) -> None:
        self.first, self.second = first, second

    def gain(self, frequency: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the product of both ratios, at most 10, times the share of the source."""
        ratios = [
            np.interp(frequency, one.ratio.frequency, one.ratio.value)
            for one in (self.first, self.second)
        ]
        share = np.interp(frequency, self.first.ratio.frequency, self.first.share)
        return np.minimum(ratios[0] * ratios[1], 10) * share


def go_by(source: KernelSpectra, third: KernelSpectra, target: KernelSpectra) -> Star:
    """Fit both kernels against the third group alone, never against each other."""
    return Star(fit_transfer(source, third, resamples=0), fit_transfer(third, target, resamples=0))


def graph_of(transfer: TransferRatio | Star, scan: Scan) -> HarmonizationGraph:
    """Return the model that ``rgan-train match`` would write."""
    return make_graph(make_filter(transfer, [scan.spacing]))


def paired_graph(scan: Scan, pair: Pair, way: tuple[int, int]) -> HarmonizationGraph:
    """Return the linear filter of the paired training slices."""
    network = LinearFilter(LinearConfig(), DomainConfig(spacing_aware=True))
    source, target = (scan.images[index][: pair.trained] for index in way)
    samples = [PairedSample(*images) for images in zip(source, target, strict=True)]
    network.prepare(samples, WINDOW, scan.spacing)
    return make_graph(network)


def test(
    graph: HarmonizationGraph | None, scan: Scan, pair: Pair, way: tuple[int, int]
) -> dict[str, float]:
    """Return mean PSNR and SSIM on the test slices."""
    source, target = (scan.images[index][list(pair.test)] for index in way)
    out = [hu if graph is None else harmonize_slice(graph, hu, scan.spacing) for hu in source]
    return {
        key: float(np.mean([metric(*two, QUALITY_RANGE) for two in zip(out, target, strict=True)]))
        for key, metric in (("psnr_db", psnr), ("ssim", ssim))
    }


def write_page() -> bool:
    """Fill the tables of the page; return whether all gates are met."""
    text, met = PAGE.read_text(), True
    for name, pair in PAIRS.items():
        path = RESULTS / f"{name}.json"
        if not path.exists():
            continue
        blocks = []
        for number, found in enumerate(json.loads(path.read_text())["directions"]):
            blocks.append(make_table(pair, found))
            if pair.gates:
                lines = check(found["figures"], *pair.gates[number])
                met &= all(line.endswith("met") for line in lines)
                blocks.append("\n".join(f"- {line}" for line in lines))
        block = "\n\n".join(blocks)
        pattern = rf"(<!-- table {name} -->\n).*?(<!-- end -->)"
        text = re.sub(pattern, rf"\1\n{block}\n\n\2", text, flags=re.DOTALL)
    PAGE.write_text(text)
    return met


def make_table(pair: Pair, found: dict[str, Any]) -> str:
    """Return the table of one direction."""
    source, target = found["kernels"]
    lines = [f"**{pair.title}, {source} to {target}**", "", "| method | PSNR, dB | SSIM |"]
    lines.append("|---|---|---|")
    for key, title in ROWS.items():
        values = sorted(one["psnr_db"] for one in found["figures"][key])
        shown = f"{statistics.median(values):.2f}"
        if len(values) > 1:
            shown += f" ({values[0]:.2f} to {values[-1]:.2f})"
        middle = statistics.median(one["ssim"] for one in found["figures"][key])
        lines.append(f"| {title} | {shown} | {middle:.4f} |")
    return "\n".join(lines)


def check(figures: dict[str, Any], median: float, lowest: float, star: float) -> list[str]:
    """Return a line for each gate."""
    values = [one["psnr_db"] for one in figures["match"]]
    gates = (
        ("median of five", statistics.median(values), median),
        ("lowest of five", min(values), lowest),
        ("by way of the GE scan", figures["star"][0]["psnr_db"], star),
    )
    return [
        f"{what}: {value:.2f} dB, at least {limit} wanted: {'met' if value >= limit else 'missed'}"
        for what, value, limit in gates
    ]


if __name__ == "__main__":
    sys.exit(main())
