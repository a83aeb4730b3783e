"""Make docs/results/phantom.md: a model from two scans of a QA phantom, against one from patients.

    python benchmarks/quality/phantom_pair.py            # measures what is missing
    python benchmarks/quality/phantom_pair.py --tables   # the page from the figures that are there

Needs the Siemens scan of docs/data.md in .data/, and docs/results/unpaired/. Exit code 1 where a
gate is not met.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
from cells import environment
from numpy.typing import NDArray
from qa_phantom import MTF, render
from result_page import fill_page
from unpaired import RESULTS, graph_of
from unpaired_pairs import PAIRS, SPLITS, Scan, measure_model

from rgan_sdk.kernels import KernelSpectra, fit_transfer
from rgan_sdk.kernels.inserts import PhantomSpectra, measure_phantom
from rgan_sdk.kernels.transfer_model import GroupModel
from rgan_train.matching.certificate import TRUSTED, decibels, gather_evidence

PAGE, FIGURES = Path("docs/results/phantom.md"), RESULTS / "phantom.json"
SPACING, SLICES = 0.488, 12
LEEWAY_DB = 0.5
ROWS = {
    "input": "input",
    "patients": "`match` from patients",
    "phantom": "from phantoms",
    "phantom target": "from patients and, for the target, phantoms",
    "phantom source": "from phantoms for the source, and patients",
    "truth": "the curves that the phantoms were made with",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", action="store_true", help="compute nothing")
    if not parser.parse_args().tables and not FIGURES.exists():
        figures = {"environment": environment(), "directions": measure()}
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    return 0 if write_page() else 1


class Known:
    """The gain between two known curves, as a filter takes it."""

    def __init__(self, source: MTF, target: MTF, like: Any) -> None:
        self.source, self.target, self.like = source, target, like

    def gain(self, frequency: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the quotient, at most 10, times the share of the source."""
        at = np.minimum(frequency, self.like.nyquist)
        share = np.interp(at, self.like.ratio.frequency, self.like.share)
        return np.asarray(np.minimum(self.target(at) / self.source(at), 10) * share)


def measure() -> list[dict[str, Any]]:
    """Return the figures of both directions."""
    pair = PAIRS["siemens"]
    scan = Scan.read(pair)
    training = [one.take(np.arange(pair.trained)) for one in scan.spectra]
    mtfs = known_mtfs(training)
    phantoms = [[scan_phantom(mtf, seed) for mtf in mtfs] for seed in range(SPLITS)]
    measured = []
    for way in ((0, 1), (1, 0)):
        source, target = (training[index] for index in way)
        pairs: dict[str, list[tuple[KernelSpectra, KernelSpectra]]] = {
            "phantom": [(scans[way[0]], scans[way[1]]) for scans in phantoms],
            "phantom target": [(source, scans[way[1]]) for scans in phantoms],
            "phantom source": [(scans[way[0]], target) for scans in phantoms],
        }
        figures = {}
        for name, groups in pairs.items():
            graphs = [graph_of(fit_transfer(*two, resamples=0), scan) for two in groups]
            figures[name] = [measure_model(graph, scan, pair, way) for graph in graphs]
        like = fit_transfer(source, target, resamples=0)
        known = Known(mtfs[way[0]], mtfs[way[1]], like)
        figures["truth"] = [measure_model(graph_of(known, scan), scan, pair, way)]
        measured.append(
            {
                "kernels": [pair.kernels[index] for index in way],
                "figures": figures,
                "certificate": certify(pairs["phantom"], known),
            }
        )
    return measured


def certify(pairs: list[tuple[KernelSpectra, KernelSpectra]], known: Known) -> dict[str, float]:
    """Return by how much halves differ, and the error of whole phantoms, in dB: all and random."""
    halves: list[float] = []
    errors: list[NDArray[np.float64]] = []
    for source, target in pairs:
        transfer = fit_transfer(source, target, resamples=0)
        certificate = gather_evidence(transfer, source, target).certificate()
        assert certificate.halves is not None
        halves.append(certificate.halves)
        frequency = np.linspace(0, TRUSTED * transfer.nyquist, 64)
        truth = known.target(frequency) / known.source(frequency)
        errors.append(decibels((transfer,), frequency) - 20 * np.log10(truth))
    random = np.var(errors, axis=0, ddof=1)
    squares = {"halves_db": np.square(halves), "error_db": np.square(errors), "random_db": random}
    return {key: round(float(np.sqrt(np.mean(each))), 3) for key, each in squares.items()}


def known_mtfs(training: list[KernelSpectra]) -> list[MTF]:
    """Return both kernels as measured on the training slices; beyond their pixels extrapolated."""
    fit = GroupModel(training).fit()

    def mtf(group: int) -> MTF:
        def curve(frequency: NDArray[np.float64]) -> NDArray[np.float64]:
            log = fit.log_transfer(frequency.ravel(), group).reshape(frequency.shape)
            return np.exp(np.minimum(log, 1))

        return curve

    return [mtf(0), mtf(1)]


def scan_phantom(mtf: MTF, seed: int) -> PhantomSpectra:
    """Return what a phantom shows that lies elsewhere for each seed and each kernel."""
    number = 2 * seed + int(mtf(np.array([5.0]))[0] < 0.5)
    hu = render(mtf, SPACING, SLICES, seed=number)
    return measure_phantom(hu, (SPACING, SPACING))


def write_page() -> bool:
    """Fill the tables of the page; return whether all gates are met."""
    blocks, met = [], True
    patients = json.loads((RESULTS / "siemens.json").read_text())["directions"]
    for found, reference in zip(
        json.loads(FIGURES.read_text())["directions"], patients, strict=True
    ):
        figures = {
            **found["figures"],
            "input": reference["figures"]["input"],
            "patients": reference["figures"]["match"],
        }
        blocks.append(make_table(" to ".join(found["kernels"]), figures))
        middle, wanted = (
            statistics.median(one["psnr_db"] for one in figures[name])
            for name in ("phantom", "patients")
        )
        is_met = middle >= wanted - LEEWAY_DB
        met &= is_met
        certificate = found["certificate"]
        blocks.append(
            f"- from phantoms {middle:.2f} dB, at least {wanted - LEEWAY_DB:.2f} wanted: "
            f"{'met' if is_met else 'missed'}\n"
            f"- halves of the phantoms differ by {certificate['halves_db']:.2f} dB; whole ones are "
            f"{certificate['error_db']:.2f} dB off the known curves, of which noise makes "
            f"{certificate['random_db']:.2f} dB"
        )
    fill_page(PAGE, {"table": "\n\n".join(blocks)})
    return met


def make_table(title: str, figures: dict[str, Any]) -> str:
    """Return the table of one direction."""
    lines = [f"**{title}**", "", "| model | PSNR, dB | SSIM |", "|---|---|---|"]
    for key, row in ROWS.items():
        values = sorted(one["psnr_db"] for one in figures[key])
        shown = f"{statistics.median(values):.2f}"
        if len(values) > 1:
            shown += f" ({values[0]:.2f} to {values[-1]:.2f})"
        middle = statistics.median(one["ssim"] for one in figures[key])
        lines.append(f"| {row} | {shown} | {middle:.4f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
