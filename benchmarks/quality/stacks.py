"""Measure what a method made of neighbouring slices: quality, noise power and features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from cells import measure
from contrasts import measure_features, measure_slices
from measured import Measured
from numpy.typing import NDArray

from rgan_sdk.harmonizer import Harmonizer
from rgan_train.evaluation.features.extractor import FeatureExtractor
from rgan_train.evaluation.features.regions import RegionFeatures
from rgan_train.evaluation.regions.choice import choose_regions
from rgan_train.evaluation.results import TARGET
from rgan_train.pairs.samples import PairedSample

Images = NDArray[np.float32]

MODEL: Final = "model"

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
    """

    samples: Sequence[PairedSample]
    spacing: float
    cache: Path

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

    def as_written(self, hu: Images) -> Images:
        """Return ``[N, H, W]`` as files would hold it: whole HU, none below the source's lowest."""
        written: Images = np.maximum(np.rint(hu), self.source_hu.min())
        return written

    def measure(self, hu: Images) -> Measured:
        """Measure what a model made of the slices, ``[N, H, W]`` HU, as files would hold it.

        Noise power is left out where no soft tissue is even enough to measure it.
        """
        hu = self.as_written(hu)
        quality, target = measure(list(hu), list(self.samples)), self.target_hu
        padding = np.zeros(target.shape, bool)
        rois, _ = choose_regions(target, padding, (), REGIONS)
        features = RegionFeatures(
            FeatureExtractor(), self.cache, None, 1, padding, (self.spacing, self.spacing)
        )
        images = {TARGET: target, MODEL: hu}
        table = features.compute(images, rois, lambda total: lambda: None)
        counts = measure_features(table, MODEL, table.groups)
        figures = {
            "PSNR, dB": quality["psnr_db"],
            "SSIM": quality["ssim"],
            **_noise_figures(quality),
            **{title: one.value for title, one in counts.items()},
        }
        psnr = measure_slices(np.array(quality["psnr_db_by_slice"]))
        return Measured(figures, {"PSNR, dB": psnr, **counts})


def _noise_figures(quality: Mapping[str, Any]) -> dict[str, float]:
    if quality["nps_distance_db"] is None:
        return {}
    return {
        "noise power distance, dB": quality["nps_distance_db"],
        "noise power, highest band": quality["nps_ratio"][-1],
    }
