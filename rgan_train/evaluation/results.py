"""The results of an evaluation: plain data, passed from the measurements to the report."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from rgan_train.evaluation.random_pixels import RANDOM
from rgan_train.evaluation.regions.rois import Roi

if TYPE_CHECKING:
    from rgan_train.evaluation.lungs.compare import LungCase
    from rgan_train.evaluation.metrics.stability import Stability

TARGET: Final = "target"
INPUT: Final = "input"
COMBAT: Final = " + ComBat"
"""Ends the name of a method whose features were also harmonized with ComBat."""
COMBAT_SHRUNK: Final = f"{COMBAT}, empirical Bayes"
NEUTRAL: Final = "control: masks on neither kernel"
THRESHOLDS: Final = (0.85, 0.90)
"""A feature is reproducible above this CCC: the threshold of the paper, and a stricter one."""


@dataclass(frozen=True)
class FeatureTable:
    """Features of the same regions on each variant of the slices.

    Attributes
    ----------
    rois
        Region of each of the R rows.
    names
        Name of each of the F columns, ``FILTER_CLASS_FEATURE``.
    values
        ``[R, F]`` float64 by variant: ``target``, ``input``, each model, and each of them but the
        target with ComBat. NaN where a feature is undefined.
    """

    rois: Sequence[Roi]
    names: Sequence[str]
    values: Mapping[str, NDArray[np.float64]]

    @property
    def groups(self) -> list[str]:
        """Groups of regions, in the order in which they first occur."""
        return list(dict.fromkeys(roi.group for roi in self.rois))

    def rows(self, group: str) -> NDArray[np.int64]:
        """Return the row numbers of a group."""
        return np.flatnonzero([roi.group == group for roi in self.rois])


def filter_and_class(name: str) -> tuple[str, str]:
    """Return filter and class from the name of a feature.

    ``log-sigma-1-0-mm-3D_glcm_Contrast`` gives ``log-sigma-1-0-mm-3D`` and ``glcm``.
    """
    image, feature_class, _ = name.split("_", 2)
    return image, feature_class


@dataclass(frozen=True)
class FeatureCount:
    """How many features are reproducible in a group of regions.

    Attributes
    ----------
    features
        Number of features above the threshold.
    total
        Number of features that are defined on the target.
    interval
        95 % confidence interval from resampled slices; NaN with fewer than two slices.
    repeats
        Number of features above the threshold in each repeat of random regions by itself.
    """

    features: int
    total: int
    interval: tuple[float, float]
    repeats: tuple[int, ...] = ()

    @property
    def share(self) -> float:
        """Reproducible part of all features, 0 to 1; NaN if there are none."""
        return self.features / self.total if self.total else float("nan")


@dataclass(frozen=True)
class Agreement:
    """How well the features of one method agree with the target's, over one group of regions.

    Attributes
    ----------
    regions, slices
        Number of regions, and of the slices that they lie on.
    defined
        ``[F]`` which features can be reproduced, as the target has them; others are not counted.
    ccc, icc
        ``[F]`` Lin's concordance and ICC(A,1); NaN where undefined.
    ccc_interval, icc_interval
        ``[F, 2]`` 95 % confidence limits: of the CCC from resampled slices, of the ICC from the F
        distribution.
    counts
        Reproducible features by threshold of the CCC.
    """

    group: str
    method: str
    regions: int
    slices: int
    defined: NDArray[np.bool_]
    ccc: NDArray[np.float64]
    ccc_interval: NDArray[np.float64]
    icc: NDArray[np.float64]
    icc_interval: NDArray[np.float64]
    counts: Mapping[float, FeatureCount]


def most_reproducible(agreements: Sequence[Agreement], methods: Sequence[str]) -> str:
    """Return the model with the most reproducible features; the input if there is no model."""
    models = [method for method in methods if method != INPUT] or [INPUT]
    features = {
        model: sum(a.counts[THRESHOLDS[0]].features for a in agreements if a.method == model)
        for model in models
    }
    return max(models, key=features.__getitem__)


@dataclass(frozen=True)
class Controls:
    """What is reproducible on random pixels, and in masks that neither kernel has shaped.

    Attributes
    ----------
    random
        Of random pixels in the same masks: what is reproducible there, the mask alone gives.
    neutral
        Of the input and of the best model, in random regions that were not chosen on the target.
    """

    random: Sequence[Agreement] = ()
    neutral: Sequence[Agreement] = ()

    @property
    def rows(self) -> dict[str, dict[str, Agreement]]:
        """Agreements by group, by the name of the row that shows them."""
        rows: dict[str, dict[str, Agreement]] = {}
        for agreement in self.random:
            rows.setdefault(RANDOM, {})[agreement.group] = agreement
        for agreement in self.neutral:
            rows.setdefault(f"{NEUTRAL}, {agreement.method}", {})[agreement.group] = agreement
        return rows

    def with_methods(self, methods: Sequence[str]) -> Controls:
        """Return a copy that has only the given methods."""
        return Controls(self.random, [a for a in self.neutral if a.method in methods])


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation of a measure over slices, and the number of slices."""

    mean: float
    sd: float
    slices: int


@dataclass(frozen=True)
class ImageQuality:
    """Image quality of one method against the target.

    Attributes
    ----------
    psnr_db, ssim, mae_hu
        Over the slices, with HU clipped to ``image_quality.QUALITY_RANGE``.
    noise_power
        ``[10]`` noise power divided by the target's, by spatial frequency; None if no soft tissue
        is even enough.
    edge_rise_mm
        Distance from 10 to 90 % at edges, of the method and of the target; None if there are no
        edges.
    bias_hu
        Mean of method minus target in HU, by tissue.
    by_slice
        ``[N]`` ``psnr_db`` and ``ssim`` of each slice; NaN where a slice is padding alone.
    """

    psnr_db: Spread
    ssim: Spread
    mae_hu: Spread
    noise_power: NDArray[np.float64] | None
    edge_rise_mm: tuple[float, float] | None
    bias_hu: Mapping[str, float]
    by_slice: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Difference:
    """One method minus another on the same slices, in one measure.

    Attributes
    ----------
    measure
        ``psnr_db`` or ``ssim``, as a mean over slices, or ``features``: how many are reproducible.
    group
        Group of regions; empty for image quality.
    value
        ``method`` minus ``other``.
    interval
        95 % confidence limits from a paired bootstrap; NaN where there are too few slices.
    slices, patients
        What the difference comes from.
    block
        Neighbouring slices that the bootstrap draws together; 0 where it draws whole patients.
    """

    measure: str
    group: str
    method: str
    other: str
    value: float
    interval: tuple[float, float]
    slices: int
    patients: int
    block: int

    @property
    def has_limits(self) -> bool:
        """Whether there were slices enough for limits."""
        return not math.isnan(self.interval[0])

    @property
    def reversed(self) -> Difference:
        """``other`` minus ``method``."""
        low, high = self.interval
        return dataclasses.replace(
            self, method=self.other, other=self.method, value=-self.value, interval=(-high, -low)
        )


@dataclass(frozen=True)
class Evaluation:
    """All results of one evaluation.

    Attributes
    ----------
    patients
        Number of patients with test slices.
    methods
        Names of the methods, ``input`` first. The variants with ``COMBAT`` have features but no
        images, and are not among them.
    images
        ``[H, W]`` HU of each slice, by method and for ``target``.
    pixel_spacings
        Mm between rows and mm between columns, of each slice.
    agreements
        One for each group and method, and for each method with ComBat.
    quality
        Image quality by method.
    differences
        Between each two methods.
    controls
        Rows to compare the methods with.
    stability
        One for each group and method, without ComBat.
    lungs
        Lung density of each scan that shows lungs.
    notes
        Remarks for the reader: slices outside a model's card, series that it was made with,
        regions that were left out and why, HU ranges with few regions, scans without lungs or off
        protocol.
    provenance
        Hashes, versions, and the command, as JSON data.
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
    quality: Mapping[str, ImageQuality]
    differences: Sequence[Difference] = ()
    controls: Controls = Controls()
    stability: Sequence[Stability] = ()
    lungs: Sequence[LungCase] = ()
    notes: Sequence[str] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def compared_groups(self) -> list[str]:
        """Groups of regions that were compared, in order: those of three regions or more."""
        return list(dict.fromkeys(agreement.group for agreement in self.agreements))

    def with_provenance(self, **facts: Any) -> Evaluation:
        """Return a copy with more facts about where it comes from."""
        return dataclasses.replace(self, provenance={**facts, **self.provenance})

    def with_methods(self, methods: Sequence[str]) -> Evaluation:
        """Return a copy that has only the given methods."""
        agreements = [a for a in self.agreements if a.method.partition(COMBAT)[0] in methods]
        differences = [d for d in self.differences if {d.method, d.other} <= set(methods)]
        return dataclasses.replace(
            self,
            methods=methods,
            agreements=agreements,
            differences=differences,
            controls=self.controls.with_methods(methods),
            stability=[one for one in self.stability if one.method in methods],
        )

    def agreement(self, group: str, method: str) -> Agreement:
        """Return the agreement of one group and method.

        Raises
        ------
        StopIteration
            If there is none.
        """
        return next(a for a in self.agreements if (a.group, a.method) == (group, method))
