"""A comparison of two groups without pairs, made without a model and pyradiomics."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from rgan_sdk.kernels import measure_kernel
from rgan_train.evaluation.cohorts.controls import BLUR, RANDOM
from rgan_train.evaluation.cohorts.distances import Distance
from rgan_train.evaluation.cohorts.image_measures import ImageMeasures
from rgan_train.evaluation.cohorts.lesions.compare import EXAMPLES, LesionComparison
from rgan_train.evaluation.cohorts.lesions.plant import Seen
from rgan_train.evaluation.cohorts.lesions.render import LESIONS
from rgan_train.evaluation.cohorts.results import (
    HALVES,
    CohortEvaluation,
    GroupComparison,
    GroupFacts,
)
from rgan_train.evaluation.cohorts.separation import FEWEST, Separation
from rgan_train.evaluation.metrics.tissue_bias import TISSUES
from rgan_train.evaluation.results import COMBAT, INPUT, TARGET
from support.evaluations import RANGES

KINDS = ("whole slice", *RANGES)


class Made(NamedTuple):
    """What a method makes of the groups: how well they are told apart, and of lesions' contrast."""

    auc: float
    contrast: float


GOOD = Made(0.5, 1.0)
CONTROLS = {RANDOM: Made(0.5, 0.0), BLUR: Made(0.5, 0.4)}


def make_cohort_evaluation(models: Mapping[str, Made], arrangements: int = 128) -> CohortEvaluation:
    """Return an evaluation in which the models do as they are told."""
    methods = {INPUT: Made(0.98, 1.3), **models, **CONTROLS}
    combined = {name + COMBAT: GOOD for name in (INPUT, *models)}
    rows = {HALVES: GOOD, INPUT: methods[INPUT], **models, **combined, **CONTROLS}
    return CohortEvaluation(
        source=GroupFacts(("B70f",), 1, 20, 1),
        target=GroupFacts(("B40f",), 1, 20, 1),
        shared_patients=0,
        models=list(models),
        features=1395,
        by_patient=False,
        units="slices",
        groups=[
            _compare(kind, name, made, arrangements)
            for kind in KINDS
            for name, made in rows.items()
        ],
        images=_make_images([TARGET, *methods]),
        lesions=_make_lesions({TARGET: GOOD, **methods}),
        provenance={"command": "rgan-train evaluate"},
    )


def _compare(kind: str, name: str, made: Made, arrangements: int) -> GroupComparison:
    limits = (0.35, 0.65) if arrangements >= FEWEST else None
    separation = None if name.endswith(COMBAT) else Separation(made.auc, limits, arrangements)
    regions = (60, 58) if name == HALVES else (120, 118)
    return GroupComparison(kind, name, regions, Distance(1312, 1.23, 0.45, 0.67), separation)


def _make_images(names: list[str]) -> dict[str, ImageMeasures]:
    pixels = np.random.default_rng(0).normal(0, 20, (1, 128, 128)).astype(np.float32)
    spectra = measure_kernel(pixels, (0.7, 0.7))
    return {name: ImageMeasures(spectra, None, dict.fromkeys(TISSUES, -100.0)) for name in names}


def _make_lesions(methods: Mapping[str, Made]) -> LesionComparison:
    seen = {
        name: [Seen(one, made.contrast, 20.0, 50.0) for one in LESIONS for _ in range(2)]
        for name, made in methods.items()
    }
    pixels = np.random.default_rng(0).normal(-800, 40, (20, 20)).astype(np.float32)
    mtfs = (None, None)  # the report shows those of the images
    return LesionComparison(1.0, mtfs, seen, [dict.fromkeys(methods, pixels) for _ in EXAMPLES])
