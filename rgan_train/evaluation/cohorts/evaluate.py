"""One whole comparison of two groups of series that show different patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import ConfigurationError, MeasurementError
from rgan_sdk.kernels import KernelSpectra
from rgan_train.evaluation.cohorts.cohort import MOST_SLICES, Cohort, Images, read_cohort
from rgan_train.evaluation.cohorts.compare import Side, compare_kind, tests_patients
from rgan_train.evaluation.cohorts.controls import BLUR_MM, CONTROLS
from rgan_train.evaluation.cohorts.distances import FDR
from rgan_train.evaluation.cohorts.features import Regions, choose_regions, compute_features
from rgan_train.evaluation.cohorts.folds import MOST_FOLDS, make_folds
from rgan_train.evaluation.cohorts.image_measures import ImageMeasures, measure_images
from rgan_train.evaluation.cohorts.lesions.compare import LesionComparison, compare_lesions
from rgan_train.evaluation.cohorts.lesions.render import DIAMETERS, HOLE_HU, NODULE_HU
from rgan_train.evaluation.cohorts.results import (
    HALVES,
    CohortEvaluation,
    GroupComparison,
    GroupFacts,
)
from rgan_train.evaluation.cohorts.separation import RIDGE
from rgan_train.evaluation.cohorts.variants import Methods, list_notes, mark_padding
from rgan_train.evaluation.evaluate import (
    EvaluationOptions,
    EvaluationProgress,
    counter,
    describe_features,
    versions,
)
from rgan_train.evaluation.features.extractor import FeatureExtractor
from rgan_train.evaluation.protocol import describe_regions
from rgan_train.evaluation.regions.smooth import SMOOTHING_MM
from rgan_train.evaluation.results import INPUT, TARGET
from rgan_train.evaluation.scans import describe_scans

if TYPE_CHECKING:
    from rgan_sdk.dicom.series import Series

Counter = Callable[[int], Callable[[], None]]
"""Takes the number of steps, and returns what is called after each."""


def evaluate_cohorts(
    source: Sequence[Series],
    target: Sequence[Series],
    models: Mapping[str, str | Path],
    cache: Path,
    *,
    options: EvaluationOptions | None = None,
    notes: Sequence[str] = (),
    progress: EvaluationProgress = lambda step, done, total: None,
) -> CohortEvaluation:
    """Compare two groups of series before and after harmonization of the source.

    Parameters
    ----------
    source, target
        Series of any patients; those of a group have one kernel.
    models
        ONNX files or names of packaged models, by the names to show them with.
    cache
        Folder for computed features; those that are there are not computed again.
    notes
        Remarks for the reader of the report.
    progress
        Called after each part of each step.

    Raises
    ------
    ConfigurationError
        If a model is for other kernels, or has the name of another row.
    TrainingError
        If a group has fewer than four slices.
    DicomError
        If a slice cannot be read.
    """
    options = options or EvaluationOptions()
    if taken := {TARGET, INPUT, HALVES, *CONTROLS} & set(models):
        raise ConfigurationError(f"a model cannot be called {taken.pop()!r}; use NAME=FILE")
    extractor = FeatureExtractor(options.parameters)
    ours, theirs = read_cohort("source", source), read_cohort("target", target)

    def count(step: str) -> Counter:
        return lambda total: counter(step, total, progress)

    with Methods(models, ours, theirs) as methods:
        before, after = _apply_all(methods, ours, theirs, count("harmonizing"))
        images = _measure_all(ours, theirs, before, after, count("image quality"))
        spectra = images[INPUT].spectra, images[TARGET].spectra
        lesions, remarks = _lesions(ours, theirs, spectra, methods, before, count("lesions"))
        records = methods.records
    sides, few = zip(*(choose_regions(one, options.regions) for one in (ours, theirs)), strict=True)
    tables = compute_features(
        [(ours, sides[0], before), (theirs, sides[1], after)],
        extractor,
        cache,
        parameters=options.parameters,
        workers=options.workers,
        counter=count("features"),
    )
    return CohortEvaluation(
        source=_facts(ours),
        target=_facts(theirs),
        shared_patients=len(np.intersect1d(ours.patients, theirs.patients)),
        models=tuple(models),
        features=len(extractor.names),
        by_patient=make_folds(ours.patients, theirs.patients).by_patient,
        units="patients" if tests_patients(ours.patients, theirs.patients) else "slices",
        groups=_compare_all((ours, theirs), sides, tables, (INPUT, *models)),
        images=images,
        lesions=lesions,
        notes=[
            *notes,
            *ours.remarks,
            *theirs.remarks,
            *list_notes(records),
            *remarks,
            *few[0],
            *few[1],
        ],
        provenance={
            "source_series": [one.series_instance_uid for one in source],
            "target_series": [one.series_instance_uid for one in target],
            "scans": {
                "source": describe_scans(one.slices[0].path for one in source),
                "target": describe_scans(one.slices[0].path for one in target),
            },
            "regions": describe_regions(options.regions),
            "statistics": describe_rules(),
            "models": records,
            "features": describe_features(extractor),
            "versions": versions(),
        },
    )


def _apply_all(
    methods: Methods, source: Cohort, target: Cohort, counter: Counter
) -> tuple[dict[str, Images], dict[str, Images]]:
    """Return the slices of both groups by variant; controls are applied to both."""
    count = counter(len(methods.methods) * len(source.scans) + len(CONTROLS) * len(target.scans))
    before = {INPUT: mark_padding(source)} | {
        name: methods.apply(name, source, source.images, count) for name in methods.methods
    }
    after = {TARGET: mark_padding(target)} | {
        name: methods.apply(name, target, target.images, count) for name in CONTROLS
    }
    return before, after


def _measure_all(
    source: Cohort,
    target: Cohort,
    before: Mapping[str, Images],
    after: Mapping[str, Images],
    counter: Counter,
) -> dict[str, ImageMeasures]:
    """Measure the target, and all variants of the source."""
    count = counter(1 + len(before))
    measured = {TARGET: measure_images(target, after[TARGET])}
    count()
    for name, images in before.items():
        measured[name] = measure_images(source, images)
        count()
    return measured


def _lesions(
    source: Cohort,
    target: Cohort,
    spectra: tuple[KernelSpectra, KernelSpectra],
    methods: Methods,
    plain: Mapping[str, Images],
    counter: Counter,
) -> tuple[LesionComparison | None, list[str]]:
    """Compare lesions, or say why not."""
    try:
        return compare_lesions(source, target, spectra, methods, plain, counter), []
    except MeasurementError as exc:
        return None, [f"no lesions were put in: {exc}"]


def _compare_all(
    cohorts: tuple[Cohort, Cohort],
    regions: Sequence[Regions],
    tables: Sequence[Mapping[str, NDArray[np.float64]]],
    methods: Sequence[str],
) -> list[GroupComparison]:
    """Compare all kinds of regions that both groups have."""
    found: list[GroupComparison] = []
    for kind in dict.fromkeys(map(str, regions[0].kinds)):
        source, target = (_side(*one, kind) for one in zip(cohorts, regions, tables, strict=True))
        if len(target.slices):
            found += compare_kind(kind, source, target, methods)
    return found


def _side(
    cohort: Cohort, regions: Regions, table: Mapping[str, NDArray[np.float64]], kind: str
) -> Side:
    rows = regions.kinds == kind
    values = {name: features[rows] for name, features in table.items()}
    return Side(cohort.patients, regions.slices[rows], values)


def describe_rules() -> dict[str, Any]:
    """Return the rules of a comparison that are not options, as JSON data."""
    return {
        "most_slices": MOST_SLICES,
        "smoothing_mm": SMOOTHING_MM,
        "most_folds": MOST_FOLDS,
        "ridge": RIDGE,
        "false_discovery_rate": FDR,
        "blur_mm": BLUR_MM,
        "lesion_diameters_mm": list(DIAMETERS),
        "nodules_hu": list(NODULE_HU),
        "holes_hu": HOLE_HU,
    }


def _facts(cohort: Cohort) -> GroupFacts:
    patients = len(np.unique(cohort.patients))
    return GroupFacts(cohort.kernels, cohort.series, len(cohort.patients), patients)
