"""Validation during training: whole slices, from HU to HU, as an exported model would."""

from __future__ import annotations

import numpy as np
from lightning_fabric import Fabric
from numpy.typing import NDArray

from rgan_sdk.hu import HUWindow
from rgan_train.data import PairedSlice
from rgan_train.evaluation.image_quality import psnr
from rgan_train.graph import HarmonizationGraph, harmonize_slice
from rgan_train.networks.generator import Generator
from rgan_train.processes import combine
from rgan_train.sampling import SliceReader


class Validator:
    """Harmonizes the whole validation slices, shared out among the processes."""

    def __init__(
        self,
        fabric: Fabric,
        slices: tuple[PairedSlice, ...],
        reader: SliceReader,
        window: HUWindow,
        generator: Generator,
    ) -> None:
        self._fabric, self._slices, self._reader, self._window = fabric, slices, reader, window
        self._graph = HarmonizationGraph(generator, window)

    def input_psnr(self) -> float:
        """Mean PSNR of the source in dB."""
        samples = (self._reader.read(item) for item in self._slices)
        return float(np.mean([psnr(*sample, self._window) for sample in samples]))

    def scores(self) -> dict[str, float]:
        """Mean PSNR (dB) and mean absolute error (HU) over all validation slices."""
        sums = [0.0, 0.0]
        for item in self._slices[self._fabric.global_rank :: self._fabric.world_size]:
            sample = self._reader.read(item)
            fake = self._harmonize(sample.source_hu)
            error = np.abs(self._clip(fake) - self._clip(sample.target_hu)).mean()
            sums[0] += psnr(fake, sample.target_hu, self._window)
            sums[1] += float(error)
        total = combine(self._fabric, "sum", *sums)
        count = len(self._slices)
        return {"validation_psnr": total[0] / count, "validation_mae_hu": total[1] / count}

    def sample(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Return source, fake and target of the middle slice."""
        source, target = self._reader.read(self._slices[len(self._slices) // 2])
        return source, self._harmonize(source), target

    def _harmonize(self, hu: NDArray[np.float32]) -> NDArray[np.float32]:
        return harmonize_slice(self._graph, hu, self._fabric.device)

    def _clip(self, hu: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.clip(hu, self._window.lower, self._window.upper)
