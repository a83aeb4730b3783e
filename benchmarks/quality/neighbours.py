"""Measure what the slices above and below tell of the other kernel beyond the slice itself.

    python benchmarks/quality/neighbours.py

The least-squares linear filter from one slice, and from three, fitted on the training slices of
each real pair; what it leaves of the difference between the kernels on the validation slices.
Needs the scans of docs/data.md in .data/.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from methods import WORK, list_pairs

from rgan_train.config import DataConfig
from rgan_train.evaluation.metrics.image_quality import QUALITY_RANGE
from rgan_train.pairs.csv import read_pairs
from rgan_train.pairs.dataset import Dataset, PairedFiles, load_dataset
from rgan_train.pairs.samples import SliceReader

BLOCK = 128
TAPER = np.outer(*[np.hanning(BLOCK + 1)[:-1]] * 2)
DISTANCE = np.hypot(*np.meshgrid(*[np.fft.fftfreq(BLOCK) * BLOCK] * 2)).round().astype(int)
PAIRS = {
    "siemens": (".data/pair_lungdx_A0002_siemens", "B40f", "B70f"),
    "philips": (".data/pair_philips_headphantom_step2", "UB", "YA"),
}
ALONE, WITH_NEIGHBOURS = [1], [0, 1, 2]


def main() -> None:
    """Print the share that is left unexplained."""
    WORK.mkdir(parents=True, exist_ok=True)
    print("| direction | one slice | three | gain, dB |\n|---|---|---|---|")
    for name, (folder, *kernels) in PAIRS.items():
        pairs = read_pairs(list_pairs(name, folder))
        for source, target in (kernels, kernels[::-1]):
            dataset = load_dataset(pairs, DataConfig(source_kernel=source, target_kernel=target))
            one, three = (unexplained(dataset, inputs) for inputs in (ALONE, WITH_NEIGHBOURS))
            gain = 10 * np.log10(one / three)
            print(f"| {name}, {source} to {target} | {one:.4f} | {three:.4f} | {gain:+.2f} |")


def unexplained(dataset: Dataset, inputs: list[int]) -> float:
    """Return the share of the difference's power that is left on the validation slices."""
    transfer = fit(dataset.train, inputs)
    left = total = 0.0
    for slices, difference in spectra(dataset.validation):
        predicted = np.einsum("buvi,uvi->buv", slices[..., inputs], transfer)
        left += np.square(np.abs(difference - predicted)).sum()
        total += np.square(np.abs(difference)).sum()
    return left / total


def fit(items: tuple[PairedFiles, ...], inputs: list[int]) -> np.ndarray:
    """Return the radial transfer functions from some of three slices to the difference."""
    count = len(inputs)
    power = np.zeros((BLOCK, BLOCK, count, count))
    cross = np.zeros((BLOCK, BLOCK, count))
    for slices, difference in spectra(items):
        chosen = slices[..., inputs]
        power += np.einsum("buvi,buvj->uvij", chosen.conj(), chosen).real
        cross += np.einsum("buvi,buv->uvi", chosen.conj(), difference).real
    power, cross = radial_sum(power), radial_sum(cross)
    ridge = 1e-6 * np.trace(power, axis1=-2, axis2=-1).mean() / count
    return np.linalg.solve(power + ridge * np.eye(count), cross[..., None])[..., 0]


def spectra(items: tuple[PairedFiles, ...]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield of each slice ``[B, 128, 128, 3]`` (above, itself, below) and its difference."""
    samples = [SliceReader(4096).read(item) for item in items]
    ends = QUALITY_RANGE.lower, QUALITY_RANGE.upper
    sources, targets = (np.clip(np.stack(hu), *ends) for hu in zip(*samples, strict=True))
    for middle in range(1, len(samples) - 1):
        slices = [blocks(sources[middle + step]) for step in (-1, 0, 1)]
        yield np.stack(slices, axis=-1), blocks(targets[middle] - sources[middle])


def blocks(image: np.ndarray) -> np.ndarray:
    """Return the spectra of blocks that overlap by half, ``[B, 128, 128]``."""
    views = np.lib.stride_tricks.sliding_window_view(image, (BLOCK, BLOCK))
    cut = views[:: BLOCK // 2, :: BLOCK // 2].reshape(-1, BLOCK, BLOCK)
    return np.fft.fft2((cut - cut.mean((1, 2), keepdims=True)) * TAPER)


def radial_sum(values: np.ndarray) -> np.ndarray:
    """Replace each value by the sum at its distance from the origin."""
    sums = np.zeros((DISTANCE.max() + 1, *values.shape[2:]))
    np.add.at(sums, DISTANCE, values)
    return np.asarray(sums[DISTANCE])


if __name__ == "__main__":
    main()
