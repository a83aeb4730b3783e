"""Validation during training: whole slices, from HU to HU, as an exported model would."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from lightning_fabric import Fabric
from numpy.typing import NDArray

from rgan_sdk.hu import HUWindow
from rgan_train.evaluation.metrics.image_quality import psnr
from rgan_train.networks.base import HarmonizationNetwork
from rgan_train.networks.graph import HarmonizationGraph, harmonize_slice
from rgan_train.networks.window import network_window
from rgan_train.pairs import PairedFiles, SliceReader
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
    ) -> None:
        self._fabric, self._slices, self._reader, self._range = fabric, slices, reader, hu_range
        self._network = network
        self._graph = HarmonizationGraph(network, network_window(hu_range))
        self._middle = len(slices) // 2 // fabric.world_size * fabric.world_size
        self.example: HarmonizedSlice | None = None

    def input_psnr(self) -> float:
        """Return the mean PSNR of the unharmonized source in dB."""
        samples = (self._reader.read(files) for files in self._slices)
        return float(np.mean([psnr(*sample, self._range) for sample in samples]))

    def scores(self) -> dict[str, float]:
        """Return mean PSNR (dB) and mean absolute error (HU) over all validation slices."""
        sums = [0.0, 0.0]
        for number in range(self._fabric.global_rank, len(self._slices), self._fabric.world_size):
            source, target = self._reader.read(self._slices[number])
            harmonized = harmonize_slice(self._graph, source, self._fabric.device)
            sums[0] += psnr(harmonized, target, self._range)
            sums[1] += _mean_error(harmonized, target, self._range)
            if number == self._middle:
                self.example = HarmonizedSlice(source, harmonized, target)
        total = combine(self._fabric, "sum", *sums)
        count = len(self._slices)
        return {"validation_psnr": total[0] / count, "validation_mae_hu": total[1] / count}

    def accuracy(self, window: HUWindow) -> float:
        """Return 1 minus the mean absolute error, in units of the window in training.

        The source is clipped to the window, so that no pixel passes through unchanged.
        """
        graph = HarmonizationGraph(self._network, network_window(window))
        error = 0.0
        for files in self._slices[self._fabric.global_rank :: self._fabric.world_size]:
            source, target = self._reader.read(files)
            clipped = np.clip(source, window.lower, window.upper)
            harmonized = harmonize_slice(graph, clipped, self._fabric.device)
            error += _mean_error(harmonized, target, window)
        (total,) = combine(self._fabric, "sum", error)
        return 1 - total / len(self._slices) / window.width


def _mean_error(hu: NDArray[np.float32], target: NDArray[np.float32], window: HUWindow) -> float:
    """Return the mean absolute error in HU, of images clipped to a window."""
    clipped = [np.clip(image, window.lower, window.upper) for image in (hu, target)]
    return float(np.abs(clipped[0] - clipped[1]).mean(dtype=np.float64))
