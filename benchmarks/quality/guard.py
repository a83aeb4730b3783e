"""Make docs/results/guard.md: how many series with another kernel than their name says are found.

    python benchmarks/quality/guard.py            # measures, if there are no figures
    python benchmarks/quality/guard.py --tables   # the page from the figures that are there

Needs the scans of docs/data.md in .data/. Exit code 1 where a gate is not met.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from cells import environment
from numpy.typing import NDArray
from result_page import fill_page

from rgan_sdk.errors import MeasurementError
from rgan_sdk.kernels import KernelMTF, KernelSpectra, frequencies, measure_kernel
from rgan_sdk.kernels.card.curves import CardCurves, as_spectra
from rgan_sdk.kernels.comparison import SUSPECT_DB, compare_kernel
from rgan_train.matching.groups import open_group, read_slices
from rgan_train.simulation.kernel import simulate_slice

PAGE, FIGURES = Path("docs/results/guard.md"), Path("docs/results/guard.json")
DATA = Path(".data")
BLOCK = 10
LOWEST_HU = -1024.0
FOUND, FALSE = 0.9, 0.02
"""Shares of blocks: at least so many wrong labels and at most so many right ones are flagged."""


class Label(NamedTuple):
    """A kernel: f50 in lp/cm and f10 over f50; 0 for the one that the scan itself has."""

    f50: float
    width: float


class Block(NamedTuple):
    """Ten slices of a scan, and how their noise was raised."""

    scan: str
    kernel: Label
    noise: float
    start: int


@dataclass(frozen=True)
class Scan:
    """A real series. Of its own kernel the MTF is assumed, where others are simulated from it."""

    folder: str
    known: int
    """Training slices are those before."""
    every: int = 1
    """Of neighbouring slices this one is taken; numbers count those taken."""
    stride: int = 1
    """Between the starts of blocks."""
    own: KernelMTF | None = None
    f50s: tuple[float, ...] = ()


SIEMENS, PHILIPS = "pair_lungdx_A0002_siemens", "pair_philips_headphantom_step2"
SCANS = {
    "Siemens B40f": Scan(f"{SIEMENS}/B40f", 18),
    "Siemens B70f": Scan(f"{SIEMENS}/B70f", 18, own=KernelMTF(7.3, 9.5), f50s=(2.4, 3.6, 5.4)),
    "GE STANDARD": Scan("lidc_idri_0001_ge_standard", 33, 2, 2, KernelMTF(4.9, 8.0), (2.4, 3.6)),
    "Philips UB": Scan(f"{PHILIPS}/UB", 42, stride=3),
    "Philips YA": Scan(f"{PHILIPS}/YA", 42, stride=3),
}
OWN = Label(0, 0)
WIDTHS = 1.5, 2.0
NOISE = 1.0, 2.0

Measured = dict[tuple[Label, float], KernelSpectra]
"""Spectra of all slices of a scan, by kernel and noise."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", action="store_true", help="compute nothing")
    options = parser.parse_args()
    if not options.tables and not FIGURES.exists():
        spectra = {name: measure(scan) for name, scan in SCANS.items()}
        rows = [
            {"set": name, "right": right, "deviation_db": found}
            for name, right, found in (*training(spectra), *held_out(spectra), *others(spectra))
        ]
        FIGURES.write_text(json.dumps({"environment": environment(), "blocks": rows}) + "\n")
    return 0 if write_page() else 1


def measure(scan: Scan) -> Measured:
    """Measure a series as it is, and as other kernels and doses would have given it."""
    series = open_group("source", [DATA / scan.folder]).series[0]
    spacing = (series.pixel_spacing[0], series.pixel_spacing[1])
    images = read_slices(series.slices[:: scan.every])
    measured = {(OWN, 1.0): measure_kernel(images, spacing)}
    for f50 in scan.f50s:
        for width in WIDTHS:
            target = KernelMTF(f50, width * f50)
            assert scan.own is not None
            soft = np.stack(
                [
                    simulate_slice(hu, spacing, scan.own, target, number)
                    for number, hu in enumerate(images)
                ]
            )
            measured |= {
                (Label(f50, width), noise): measure_kernel(
                    store(add_noise(soft, spacing, target, noise)), spacing
                )
                for noise in NOISE
            }
    return measured


def add_noise(
    images: NDArray[np.float32], spacing: tuple[float, float], mtf: KernelMTF, factor: float
) -> NDArray[np.float32]:
    """Raise noise in soft tissue by a factor: a ramp, behind the kernel."""
    levels = measure_kernel(images[::5], spacing).noise["soft tissue"]
    wanted = math.sqrt(factor**2 - 1) * float(np.nanmedian(levels))
    frequency = frequencies(images.shape[1:], spacing)
    random = np.random.default_rng(0)
    noisy = []
    for hu in images:
        white = np.fft.rfft2(random.standard_normal(hu.shape))
        field = np.fft.irfft2(white * np.sqrt(frequency) * mtf(frequency), hu.shape)
        noisy.append(hu + wanted / field.std() * field)
    return np.array(noisy, np.float32)


def store(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return HU as a file holds them."""
    return np.maximum(images, np.float32(LOWEST_HU)).round()


def training(spectra: dict[str, Measured]) -> Iterator[tuple[str, bool, float | None]]:
    """Compare halves of the training slices, to choose the threshold."""
    for name, scan in SCANS.items():
        middle = scan.known // 2
        halves = np.arange(scan.known) < middle
        for own, far in ((halves, range(middle, scan.known)), (~halves, range(middle))):
            for right, deviation in compare(
                spectra[name], spectra[name], np.flatnonzero(own), far, scan.stride
            ):
                yield "training", right, deviation


def held_out(spectra: dict[str, Measured]) -> Iterator[tuple[str, bool, float | None]]:
    """Compare cards of training slices with blocks of the others."""
    for name, scan in SCANS.items():
        count = len(spectra[name][OWN, 1.0])
        for right, deviation in compare(
            spectra[name],
            spectra[name],
            np.arange(scan.known),
            range(scan.known, count),
            scan.stride,
        ):
            yield name, right, deviation


def others(spectra: dict[str, Measured]) -> Iterator[tuple[str, bool, float | None]]:
    """Compare simulated kernels of one patient and scanner with those of the other."""
    names = "Siemens B70f", "GE STANDARD"
    for card, series in (names, names[::-1]):
        own, other = (
            {key: value for key, value in spectra[name].items() if key[0] != OWN}
            for name in (card, series)
        )
        count = len(spectra[series][OWN, 1.0])
        known = np.arange(SCANS[card].known)
        stride = 2 * SCANS[series].stride
        for right, deviation in compare(own, other, known, range(count), stride):
            yield f"card of {card}, series of {series}", right, deviation


def compare(
    cards: Measured,
    series: Measured,
    known: NDArray[np.int64],
    tested: range,
    stride: int,
) -> Iterator[tuple[bool, float | None]]:
    """Yield whether a label is right, and the deviation in dB; None where it can't be told.

    A wrong label has 1.5 times or two thirds of the true f50, and the same width.
    """
    for (label, noise), group in cards.items():
        if noise > 1:
            continue
        spectra = group.take(known)
        curves = CardCurves.of(spectra, spectra)
        assert curves is not None
        reference = as_spectra(curves.source)
        for (kernel, _), slices in series.items():
            if label != kernel and not is_wrong(label, kernel):
                continue
            # Fewer slices than a block: what there is.
            for start in range(tested[0], max(tested[-1] + 2 - BLOCK, tested[0] + 1), stride):
                block = slices.take(np.arange(start, min(start + BLOCK, tested[-1] + 1)))
                try:
                    yield label == kernel, compare_kernel(reference, block).deviation_db
                except MeasurementError:
                    yield label == kernel, None


def is_wrong(label: Label, kernel: Label) -> bool:
    """Return whether a label is off by the factor that must be found."""
    if OWN in (label, kernel) or label.width != kernel.width:
        return False
    return math.isclose(abs(math.log(label.f50 / kernel.f50)), math.log(1.5))


def write_page() -> bool:
    """Fill the table of the page; return whether the gates are met."""
    blocks = json.loads(FIGURES.read_text())["blocks"]
    lines = [
        "| blocks | right label: flagged | largest, dB | wrong label: flagged | smallest, dB | "
        "can't be told |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        make_row(name, [block for block in blocks if block["set"] == name])
        for name in dict.fromkeys(block["set"] for block in blocks)
    ]
    tested = [block for block in blocks if block["set"] in SCANS]
    lines.append(make_row("**held out, all scans**", tested))
    gates = list(check(tested))
    lines += ["", *(f"- {line}" for line in gates)]
    fill_page(PAGE, {"table": "\n".join(lines)})
    return all(line.endswith("met") for line in gates)


def make_row(name: str, blocks: list[dict[str, Any]]) -> str:
    """Return the row of one set of blocks."""
    cells = [name]
    for right, extreme in ((True, max), (False, min)):
        labelled = [block for block in blocks if block["right"] == right]
        told = [block["deviation_db"] for block in labelled if block["deviation_db"] is not None]
        cells += [
            f"{count_flagged(labelled)} of {len(labelled)}" if labelled else "-",
            f"{extreme(told):.2f}" if told else "-",
        ]
    cells.append(str(sum(block["deviation_db"] is None for block in blocks)))
    return f"| {' | '.join(cells)} |"


def check(blocks: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each gate."""
    yield f"blocks: {len(blocks)}, at least 200 wanted: {_met(len(blocks) >= 200)}"
    for right, what, sign in ((False, "wrong", ">="), (True, "right", "<=")):
        labelled = [block for block in blocks if block["right"] == right]
        share = count_flagged(labelled) / len(labelled)
        limit = FALSE if right else FOUND
        is_met = share <= limit if right else share >= limit
        yield (
            f"flagged of the {what} labels: {share:.1%}, {sign} {limit:.0%} wanted: {_met(is_met)}"
        )


def count_flagged(blocks: list[dict[str, Any]]) -> int:
    """Count blocks whose kernel is suspect."""
    return sum((block["deviation_db"] or 0) > SUSPECT_DB for block in blocks)


def _met(met: bool) -> str:
    return "met" if met else "missed"


if __name__ == "__main__":
    sys.exit(main())
