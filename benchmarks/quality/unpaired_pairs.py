"""The two scans of unpaired.py, their divisions into groups, and how a model is tested."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.kernels import KernelSpectra, measure_kernel
from rgan_train.evaluation.metrics.image_quality import QUALITY_RANGE, psnr, ssim
from rgan_train.matching.groups import open_group, read_slices
from rgan_train.networks.graph import HarmonizationGraph, harmonize_slice
from rgan_train.pairs.samples import PairedSample

DATA = Path(".data")
SPLITS = 5


@dataclass(frozen=True)
class Pair:
    """A scan with two kernels. Groups come from the first ``known`` slices."""

    folder: str
    title: str
    kernels: tuple[str, str]
    known: int
    trained: int
    test: range
    gates: tuple[tuple[float, float, float, float | None], ...]
    """By direction, in dB: median and lowest of five, by way of the third group, a network.

    None: at most 0.2 dB below the linear filters."""


PAIRS = {
    "siemens": Pair(
        "pair_lungdx_A0002_siemens",
        "Siemens Sensation 10, chest",
        ("B40f", "B70f"),
        known=21,
        trained=18,
        test=range(22, 30),
        gates=((44.0, 42.0, 42.0, 44.5), (49.5, 49.0, 50.0, None)),
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

    def samples(self, way: tuple[int, int] = (0, 1)) -> list[PairedSample]:
        """Return the slices as pairs, in one direction."""
        return [PairedSample(*both) for both in zip(*self.images[list(way)], strict=True)]


def measure_model(
    graph: HarmonizationGraph, scan: Scan, pair: Pair, way: tuple[int, int]
) -> dict[str, float]:
    """Return mean PSNR and SSIM of a model on the test slices."""
    source, target = (scan.images[index][list(pair.test)] for index in way)
    return score(np.stack([harmonize_slice(graph, hu, scan.spacing) for hu in source]), target)


def score(out: NDArray[np.float32], target: NDArray[np.float32]) -> dict[str, float]:
    """Return mean PSNR and SSIM of slices."""
    scores = {"psnr_db": psnr, "ssim": ssim}
    return {
        key: float(np.mean([metric(*two, QUALITY_RANGE) for two in zip(out, target, strict=True)]))
        for key, metric in scores.items()
    }


def splits(count: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield slices for source and target: contiguous halves of the scan, from seeded starts."""
    for start in np.random.default_rng(0).choice(count, SPLITS, replace=False):
        around = (start + np.arange(count)) % count
        yield around[: count // 2], around[count // 2 :]
