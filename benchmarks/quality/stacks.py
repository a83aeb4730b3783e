"""Measure what several methods made of the same slices, where it is arrays and not model files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from cells import measure
from contrasts import Measure, measure_all
from numpy.typing import NDArray

from rgan_sdk.harmonizer import Harmonizer
from rgan_train.evaluation.features.extractor import FeatureExtractor
from rgan_train.evaluation.features.regions import RegionFeatures
from rgan_train.evaluation.metrics.blocks import Place
from rgan_train.evaluation.regions.choice import choose_regions
from rgan_train.evaluation.results import TARGET
from rgan_train.pairs.samples import PairedSample

Images = NDArray[np.float32]

REGIONS: Final = 100
"""Random regions in each HU range, at least."""


@dataclass(frozen=True)
class Stack:
    """Neighbouring slices of one scan with both kernels, in order.

    Attributes
    ----------
    spacing
        Of the pixels, mm.
    cache
        Folder in which computed features are kept.
    jobs
        Processes that compute features.
    """

    samples: Sequence[PairedSample]
    spacing: float
    cache: Path
    jobs: int

    @property
    def source_hu(self) -> Images:
        """``[N, H, W]``."""
        return np.stack([sample.source_hu for sample in self.samples])

    @property
    def target_hu(self) -> Images:
        """``[N, H, W]``."""
        return np.stack([sample.target_hu for sample in self.samples])

    def apply_model(self, model: Path) -> Images:
        """Return what a model file makes of the slices."""
        with Harmonizer.load(model, device="cpu", outside_domain=("spacing",)) as harmonizer:
            return np.stack([harmonizer(hu, pixel_spacing=self.spacing) for hu in self.source_hu])

    def measure(
        self, images: Mapping[str, Images]
    ) -> tuple[dict[str, dict[str, float]], dict[str, Measure]]:
        """Measure ``[N, H, W]`` HU by method.

        Returns
        -------
        figures, measures
            What a table shows of each method; and what of it can be compared, by title.
        """
        quality = {name: measure(list(hu), self.samples) for name, hu in images.items()}
        target = self.target_hu
        padding = np.zeros(target.shape, bool)
        rois, _ = choose_regions(target, padding, (), REGIONS)
        features = RegionFeatures(
            FeatureExtractor(), self.cache, None, self.jobs, padding, (self.spacing, self.spacing)
        )
        table = features.compute({TARGET: target, **images}, rois, lambda total: lambda: None)
        by_slice = {name: np.array(one["psnr_db_by_slice"]) for name, one in quality.items()}
        places = [Place("", "", float(number)) for number in range(len(target))]
        measures = measure_all(by_slice, table, table.groups, places)
        figures = {
            name: {
                "PSNR, dB": one["psnr_db"],
                "SSIM": one["ssim"],
                "noise power distance, dB": one["nps_distance_db"],
                "noise power, highest band": one["nps_ratio"][-1],
                **{
                    title: each.values[name]
                    for title, each in measures.items()
                    if title.startswith("features")
                },
            }
            for name, one in quality.items()
        }
        return figures, measures
