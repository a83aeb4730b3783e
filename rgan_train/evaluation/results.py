"""What an evaluation found: plain data, between those who measure and those who show it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rgan_train.evaluation.regions.rois import Roi

TARGET: Final = "target"
INPUT: Final = "input"
COMBAT: Final = " + ComBat"
"""Is in the name of a method whose features were harmonized as a table, too."""
COMBAT_SHRUNK: Final = f"{COMBAT}, empirical Bayes"
THRESHOLDS: Final = (0.85, 0.90)
"""CCC above which a feature counts as reproducible: the paper's, and a stricter one."""


@dataclass(frozen=True)
class FeatureTable:
    """Features of the same regions on each variant of the slices.

    Attributes
    ----------
    rois
        Of the R rows, in order.
    names
        Of the F columns, ``FILTER_CLASS_FEATURE``.
    values
        ``[R, F]`` float64 of ``target``, ``input`` and each method, and of each with ComBat; NaN
        where undefined.
    """

    rois: Sequence[Roi]
    names: Sequence[str]
    values: Mapping[str, NDArray[np.float64]]

    @property
    def groups(self) -> list[str]:
        """Groups of regions, in the order of their first one."""
        return list(dict.fromkeys(roi.group for roi in self.rois))

    def rows(self, group: str) -> NDArray[np.int64]:
        """Return the numbers of the rows of a group."""
        return np.flatnonzero([roi.group == group for roi in self.rois])


def filter_and_class(name: str) -> tuple[str, str]:
    """Split a feature's name: ``log-sigma-1-0-mm-3D_glcm_Contrast`` is of that filter and GLCM."""
    image, feature_class, _ = name.split("_", 2)
    return image, feature_class


@dataclass(frozen=True)
class Count:
    """How many features of a group are reproducible.

    Attributes
    ----------
    features, total
        Those above the threshold, of those that are defined on the target.
    interval
        95 %, from resampled slices; NaN with fewer than two slices.
    repeats
        The same in each repeat of random regions alone.
    """

    features: int
    total: int
    interval: tuple[float, float]
    repeats: tuple[int, ...] = ()

    @property
    def share(self) -> float:
        """Of all features, 0 to 1."""
        return self.features / self.total if self.total else float("nan")


@dataclass(frozen=True)
class Agreement:
    """How well features agree with those on the target, over the regions of one group.

    Attributes
    ----------
    ccc, icc
        ``[F]``, Lin's concordance and ICC(A,1); NaN where undefined.
    ccc_interval, icc_interval
        ``[F, 2]``, 95 %: of CCC from resampled slices, of ICC by the F distribution.
    counts
        By threshold of CCC.
    """

    group: str
    method: str
    regions: int
    slices: int
    ccc: NDArray[np.float64]
    ccc_interval: NDArray[np.float64]
    icc: NDArray[np.float64]
    icc_interval: NDArray[np.float64]
    counts: Mapping[float, Count]


@dataclass(frozen=True)
class Spread:
    """A figure over the slices: mean, standard deviation, and how many they are."""

    mean: float
    sd: float
    slices: int


@dataclass(frozen=True)
class Quality:
    """Image quality of one method against the target.

    Attributes
    ----------
    psnr_db, ssim, mae_hu
        Over the slices; HU clipped to [-1024, 1000].
    noise_power
        ``[10]`` power over the target's by spatial frequency; None where no tissue is even enough.
    edge_rise_mm
        Distance from 10 to 90 % at edges, and the target's; None where there are no edges.
    bias_hu
        Mean of method minus target where the target is in a range, by the range's name.
    """

    psnr_db: Spread
    ssim: Spread
    mae_hu: Spread
    noise_power: NDArray[np.float64] | None
    edge_rise_mm: tuple[float, float] | None
    bias_hu: Mapping[str, float]


@dataclass(frozen=True)
class Evaluation:
    """One evaluation, complete.

    Attributes
    ----------
    methods
        Names, ``input`` first. Features have those with ``COMBAT`` beside them; images don't.
    images
        Of each variant, ``target`` among them, ``[H, W]`` HU of each slice.
    pixel_spacings
        Of each slice, mm between rows and between columns.
    agreements
        Of each group and method.
    notes
        What a reader has to know: regions left out and why, ranges with few regions.
    provenance
        Hashes, versions, the command: JSON data.
    """

    source_kernel: str
    target_kernel: str
    patients: int
    manufacturers: Sequence[str]
    methods: Sequence[str]
    images: Mapping[str, Sequence[NDArray[np.float32]]]
    pixel_spacings: Sequence[tuple[float, float]]
    table: FeatureTable
    agreements: Sequence[Agreement]
    quality: Mapping[str, Quality]
    notes: Sequence[str] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def compared_groups(self) -> list[str]:
        """Groups of regions that were compared, in order: those of three regions or more."""
        return list(dict.fromkeys(agreement.group for agreement in self.agreements))

    def with_provenance(self, **facts: Any) -> Evaluation:
        """Return a copy that records more of where it comes from."""
        return dataclasses.replace(self, provenance={**facts, **self.provenance})

    def with_methods(self, methods: Sequence[str]) -> Evaluation:
        """Return a copy with some methods only."""
        agreements = [a for a in self.agreements if a.method.partition(COMBAT)[0] in methods]
        return dataclasses.replace(self, methods=methods, agreements=agreements)

    def agreement(self, group: str, method: str) -> Agreement:
        """Return the agreement of one group and method."""
        return next(a for a in self.agreements if (a.group, a.method) == (group, method))
