"""Validation during training: whole slices, from HU to HU, as an exported model would."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from lightning_fabric import Fabric
from numpy.typing import NDArray

from rgan_sdk.hu import HUWindow
from rgan_train.evaluation.metrics.image_quality import mean_absolute_error, psnr
from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.networks.graph import HarmonizationGraph, harmonize_slice
from rgan_train.networks.window import network_window
from rgan_train.pairs import PairedFiles, PairedSample, SliceReader
from rgan_train.processes import combine


class HarmonizedSlice(NamedTuple):
    """A slice as the source, the network and the target kernel show it; ``[H, W]`` HU."""

    source_hu: NDArray[np.float32]
    harmonized_hu: NDArray[np.float32]
    target_hu: NDArray[np.float32]


class Validator:
    """Harmonizes whole validation slices; each process takes its share of them.

    Parameters
    ----------
    slices
        The validation slices.
    hu_range
        The HU that the model is made for; scores are measured inside it.
    network
        The network that is trained; each call uses its current weights.
    coarsest
        The slices count a second time on pixels that are this many times as large; 1: they do not.

    Attributes
    ----------
    example
        A slice from the middle, as ``scores`` last saw it; None before that, and in all
        processes but the main one.
    """

    def __init__(
        self,
        fabric: Fabric,
        slices: tuple[PairedFiles, ...],
        reader: SliceReader,
        hu_range: HUWindow,
        network: HarmonizationNetwork,
        coarsest: float = 1.0,
    ) -> None:
        self._fabric, self._reader, self._range = fabric, reader, hu_range
        factors = (1.0,) if coarsest == 1 else (1.0, coarsest)
        self._images = [(files, factor) for factor in factors for files in slices]
        self._network = network
        self._graph = HarmonizationGraph(network, network_window(hu_range))
        self._middle = len(slices) // 2 // fabric.world_size * fabric.world_size
        self.example: HarmonizedSlice | None = None

    def input_psnr(self) -> float:
        """Return the mean PSNR of the unharmonized source in dB."""
        samples = (self._read(number)[0] for number in range(len(self._images)))
        figures = [psnr(*s, self._range, s.padding) for s in samples if not s.padding.all()]
        return float(np.mean(figures))

    def scores(self) -> dict[str, float]:
        """Return mean PSNR (dB) and mean absolute error (HU) over all validation slices.

        Padding does not count, nor does a slice that is nothing else.
        """
        sums = [0.0, 0.0, 0.0]
        for number in self._share():
            sample, spacing = self._read(number)
            source, target = sample
            harmonized = harmonize_slice(self._graph, source, spacing, self._fabric.device)
            if number == self._middle:
                self.example = HarmonizedSlice(source, harmonized, target)
            if not sample.padding.all():
                compared = harmonized, target, self._range, sample.padding
                sums[0] += psnr(*compared)
                sums[1] += mean_absolute_error(*compared)
                sums[2] += 1
        decibels, error, count = combine(self._fabric, "sum", *sums)
        return {"validation_psnr": decibels / count, "validation_mae_hu": error / count}

    def accuracy(self, window: HUWindow) -> float:
        """Return 1 minus the mean absolute error, in units of the window in training.

        The source is clipped to the window, so that no pixel passes through unchanged.
        """
        graph = HarmonizationGraph(self._network, network_window(window))
        sums = [0.0, 0.0]
        for number in self._share():
            sample, spacing = self._read(number)
            if not sample.padding.all():
                clipped = np.clip(sample.source_hu, window.lower, window.upper)
                harmonized = harmonize_slice(graph, clipped, spacing, self._fabric.device)
                compared = harmonized, sample.target_hu, window, sample.padding
                sums[0] += mean_absolute_error(*compared)
                sums[1] += 1
        error, count = combine(self._fabric, "sum", *sums)
        return 1 - error / count / window.width

    def _share(self) -> range:
        """Return the numbers of the images that this process harmonizes."""
        return range(self._fabric.global_rank, len(self._images), self._fabric.world_size)

    def _read(self, number: int) -> tuple[PairedSample, float]:
        """Return both images of a slice ``[H, W]``, and their pixel spacing in mm."""
        files, factor = self._images[number]
        return self._reader.read(files).resample(factor), files.spacing * factor
