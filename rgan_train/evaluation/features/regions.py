"""The features of the regions of a stack of slices, on each variant of the slices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.read.padding import fill_padding
from rgan_train.evaluation.features.cache import SliceRegions, extract_all
from rgan_train.evaluation.features.extractor import FeatureExtractor
from rgan_train.evaluation.regions.rois import Roi
from rgan_train.evaluation.results import FeatureTable

VariantStacks = Mapping[str, NDArray[np.float32]]
"""``[N, H, W]`` HU of the target, the input and each model, by name."""


@dataclass(frozen=True)
class RegionFeatures:
    """Computes the features of regions of one stack of slices.

    Attributes
    ----------
    extractor, cache, parameters, workers
        As ``extract_all`` takes them.
    padding
        ``[N, H, W]``, true for padding.
    pixel_spacing
        Mm between rows, mm between columns.
    """

    extractor: FeatureExtractor
    cache: Path
    parameters: Path | None
    workers: int
    padding: NDArray[np.bool_]
    pixel_spacing: tuple[float, float]

    def compute(
        self,
        images: VariantStacks,
        rois: Sequence[Roi],
        counter: Callable[[int], Callable[[], None]],
    ) -> FeatureTable:
        """Compute the features of all regions on all variants.

        Parameters
        ----------
        counter
            Takes the number of slices, and returns what is called after each.
        """
        on_slice = [
            [row for row, roi in enumerate(rois) if roi.slice_number == number]
            for number in range(len(self.padding))
        ]
        tasks = [
            SliceRegions(
                fill_padding(hu, padding), self.pixel_spacing, tuple(rois[row].mask for row in rows)
            )
            for variant in images.values()
            for hu, padding, rows in zip(variant, self.padding, on_slice, strict=True)
        ]
        found = iter(
            extract_all(
                tasks,
                self.extractor,
                self.cache,
                parameters=self.parameters,
                workers=self.workers,
                on_done=counter(len(tasks)),
            )
        )
        values = {}
        for name in images:
            values[name] = np.empty((len(rois), len(self.extractor.names)))
            for rows in on_slice:
                values[name][rows] = next(found)
        return FeatureTable(rois, self.extractor.names, values)
