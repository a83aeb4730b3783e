"""Make docs/results/unpaired.md: filters from different slices of two kernels, against pairs.

    python benchmarks/quality/unpaired_networks.py   # trains the networks that are missing
    python benchmarks/quality/unpaired.py            # measures all else that is missing
    python benchmarks/quality/unpaired.py --tables   # the page from the figures that are there

Needs the scans of docs/data.md in .data/. Exit code 1 where a gate is not met.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from cells import environment
from numpy.typing import NDArray
from result_page import fill_page
from unpaired_methods import band_energy, histogram_graph, paired_graph
from unpaired_networks import NETWORKS, read_networks
from unpaired_pairs import DATA, PAIRS, Pair, Scan, measure_model, score, splits

from rgan_sdk.kernels import KernelSpectra, TransferRatio, fit_transfer
from rgan_train.matching.groups import measure_group, open_group
from rgan_train.matching.linear import make_filter, make_graph
from rgan_train.networks.graph import HarmonizationGraph

PAGE, RESULTS = Path("docs/results/unpaired.md"), Path("docs/results/unpaired")
PAIRED = Path("docs/results/spacing")
THIRD = "lidc_idri_0001_ge_standard"
MOST_BELOW = 0.2

MEASURED = {
    "input": "input",
    "histogram": "histogram of HU",
    "bands": "energy of frequency bands (Gallardo-Estrella 2016)",
    "match": "`match`, linear",
    "star": "by way of a GE scan of another patient",
    "paired": "paired linear filter, same window (a ceiling)",
}
ROWS = {
    **MEASURED,
    **{name: f"`match`, {one.title}" for name, one in NETWORKS.items()},
    "paired_network": "paired compact (a ceiling)",
}
ORDER = ("input", "histogram", "bands", "match", *NETWORKS, "star", "paired", "paired_network")
SINGLE = ("input", "star", "paired", "paired_network")
"""Rows without divisions."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", action="store_true", help="compute nothing")
    options = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    if not options.tables:
        for name, pair in PAIRS.items():
            path = RESULTS / f"{name}.json"
            known = json.loads(path.read_text())["directions"] if path.exists() else [{}, {}]
            if any(MEASURED.keys() - found.get("figures", {}).keys() for found in known):
                figures = {"environment": environment(), "directions": measure(name, pair, known)}
                path.write_text(json.dumps(figures, indent=1) + "\n")
    return 0 if write_page() else 1


def measure(name: str, pair: Pair, known: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the figures of both directions; those that are known are kept."""
    scan = Scan.read(pair)
    third = measure_group(open_group("third", [DATA / THIRD]))
    measured = []
    for way, before in zip(((0, 1), (1, 0)), known, strict=True):
        direction = Direction(name, pair, scan, way, third)
        figures = before.get("figures", {})
        for row in MEASURED:
            if row not in figures:
                figures[row] = getattr(direction, row)()
        measured.append({"kernels": list(direction.kernels), "figures": figures})
    return measured


@dataclass(frozen=True)
class Direction:
    """One direction of a pair, with a method for each row; each returns figures of some runs."""

    name: str
    pair: Pair
    scan: Scan
    way: tuple[int, int]
    third: KernelSpectra

    @property
    def kernels(self) -> tuple[str, str]:
        """The source's and the target's."""
        return self.pair.kernels[self.way[0]], self.pair.kernels[self.way[1]]

    @property
    def spectra(self) -> tuple[KernelSpectra, KernelSpectra]:
        """The source's and the target's, of all known slices."""
        return self.scan.spectra[self.way[0]], self.scan.spectra[self.way[1]]

    def images(self, slices: Iterable[int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return slices with both kernels."""
        numbers = list(slices)
        return self.scan.images[self.way[0]][numbers], self.scan.images[self.way[1]][numbers]

    def input(self) -> list[dict[str, float]]:
        """Score the source itself."""
        return [self._score(self.images(self.pair.test)[0])]

    def histogram(self) -> list[dict[str, float]]:
        """Score a curve from HU to HU for each division."""
        graphs = (
            histogram_graph(self.images(a)[0], self.images(b)[1], self.scan.spacing)
            for a, b in splits(self.pair.known)
        )
        return [self._test(graph) for graph in graphs]

    def bands(self) -> list[dict[str, float]]:
        """Score scaled frequency bands for the target group of each division."""
        source = self.images(self.pair.test)[0]
        return [
            self._score(band_energy(source, self.images(b)[1])) for _, b in splits(self.pair.known)
        ]

    def match(self) -> list[dict[str, float]]:
        """Score the linear filter for each division."""
        source, target = self.spectra
        return [
            self._test(
                graph_of(fit_transfer(source.take(a), target.take(b), resamples=0), self.scan)
            )
            for a, b in splits(self.pair.known)
        ]

    def star(self) -> list[dict[str, float]]:
        """Score the filter by way of the third group."""
        source, target = self.spectra
        return [self._test(graph_of(go_by(source, self.third, target), self.scan))]

    def paired(self) -> list[dict[str, float]]:
        """Score the filter from pairs."""
        images = self.images(range(self.pair.trained))
        return [self._test(paired_graph(*images, self.scan.spacing))]

    def _test(self, graph: HarmonizationGraph) -> dict[str, float]:
        return measure_model(graph, self.scan, self.pair, self.way)

    def _score(self, out: NDArray[np.float32]) -> dict[str, float]:
        return score(out, self.images(self.pair.test)[1])


class HasGain(Protocol):
    """What a filter takes of a ratio of transfer functions."""

    def gain(self, frequency: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return by how much the target has more than the source, at frequencies in lp/cm."""
        ...


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


def graph_of(transfer: HasGain, scan: Scan) -> HarmonizationGraph:
    """Return the model that ``rgan-train match`` would write."""
    return make_graph(make_filter(transfer, [scan.spacing]))  # type: ignore[arg-type]


def write_page() -> bool:
    """Fill the tables of the page; return whether all gates are met."""
    tables, met = {}, True
    for name, pair in PAIRS.items():
        path = RESULTS / f"{name}.json"
        if not path.exists():
            continue
        blocks, passed = [], []
        for number, found in enumerate(json.loads(path.read_text())["directions"]):
            source, target = found["kernels"]
            figures = found["figures"]
            figures |= {one: read_networks(name, (source, target), one) for one in NETWORKS}
            figures["paired_network"] = read_paired_network(name, source, target)
            blocks.append(make_table(f"{pair.title}, {source} to {target}", figures))
            if pair.gates:
                lines = check(figures, *pair.gates[number][:3])
                met &= all(line.endswith("met") for line in lines)
                networks = check_networks(figures, pair.gates[number][3])
                passed.append({one for one, line in networks.items() if line.endswith("met")})
                blocks.append("\n".join(f"- {line}" for line in (*lines, *networks.values())))
        met &= not passed or bool(set.intersection(*passed))
        tables[f"table {name}"] = "\n\n".join(blocks)
    fill_page(PAGE, tables)
    return met


def read_paired_network(name: str, source: str, target: str) -> list[dict[str, float]]:
    """Return the figures of spacing.md for a network of the scan's own pixels."""
    found = json.loads((PAIRED / f"{name}_{source}-{target}_compact.json").read_text())["measured"]
    return [next(one for one in found if one["noise"] == 0)]


def make_table(title: str, figures: dict[str, Any]) -> str:
    """Return the table of one direction."""
    lines = [f"**{title}**", "", "| method | divisions | PSNR, dB | SSIM |", "|---|---|---|---|"]
    for key in (key for key in ORDER if figures.get(key)):
        values = sorted(one["psnr_db"] for one in figures[key])
        shown = f"{statistics.median(values):.2f}"
        if len(values) > 1:
            shown += f" ({values[0]:.2f} to {values[-1]:.2f})"
        middle = statistics.median(one["ssim"] for one in figures[key])
        count = "" if key in SINGLE else len(values)
        lines.append(f"| {ROWS[key]} | {count} | {shown} | {middle:.4f} |")
    return "\n".join(lines)


def check(figures: dict[str, Any], median: float, lowest: float, star: float) -> list[str]:
    """Return a line for each gate of the filters."""
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


def check_networks(figures: dict[str, Any], least: float | None) -> dict[str, str]:
    """Return a line for each network, of which one must meet its gate in both directions."""
    lines = {}
    for network in (network for network in NETWORKS if figures[network]):
        filters = (figures["match"][one["division"]]["psnr_db"] for one in figures[network])
        found = [one["psnr_db"] for one in figures[network]]
        gain = min(value - before for value, before in zip(found, filters, strict=True))
        wanted = f"{-MOST_BELOW} wanted" if least is None else f"and {least} dB wanted"
        met = gain >= -MOST_BELOW if least is None else min(found) >= least
        lines[network] = (
            f"{NETWORKS[network].title}, lowest of {len(found)}: {min(found):.2f} dB; against the "
            f"filter of the same division {gain:+.2f} dB, {wanted}: {'met' if met else 'missed'}"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
