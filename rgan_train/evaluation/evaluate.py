"""One whole evaluation: from a data set and models to results.

Regions are chosen on the target and used for all methods. Features, image quality, noise and edges
of the harmonized slices are compared with those of the target.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.read.padding import PADDING_HU
from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.controls import Compute, choose_neutrally, randomize
from rgan_train.evaluation.features.extractor import (
    ABSENT_BANDS,
    IBSI_DEVIATIONS,
    FeatureExtractor,
)
from rgan_train.evaluation.features.regions import RegionFeatures, VariantStacks
from rgan_train.evaluation.lungs.compare import compare_lungs
from rgan_train.evaluation.metrics.blocks import Place
from rgan_train.evaluation.metrics.combat import combat
from rgan_train.evaluation.metrics.differences import compare_methods
from rgan_train.evaluation.metrics.moments import MIN_REGIONS
from rgan_train.evaluation.metrics.reproducibility import compare_all
from rgan_train.evaluation.metrics.stability import describe_few_slices, measure_stability
from rgan_train.evaluation.protocol import describe_regions, describe_statistics
from rgan_train.evaluation.quality import measure_quality
from rgan_train.evaluation.regions.choice import choose_regions
from rgan_train.evaluation.regions.rois import Roi
from rgan_train.evaluation.results import (
    COMBAT,
    COMBAT_SHRUNK,
    INPUT,
    TARGET,
    Controls,
    Evaluation,
    FeatureTable,
    ImageQuality,
    most_reproducible,
)
from rgan_train.evaluation.scans import describe_scans, describe_split
from rgan_train.evaluation.stacks import TestStack, harmonize_stack, read_test_stack
from rgan_train.pairs.dataset import Dataset

CONTROL: Final = "control:"
"""Begins the names of rows that are no methods."""

EvaluationProgress = Callable[[str, int, int], None]
"""Called with the name of a step, how many of its parts are done, and how many there are."""


@dataclass(frozen=True)
class EvaluationOptions:
    """How to evaluate.

    Attributes
    ----------
    parameters
        Parameter file of pyradiomics; None for the default features.
    regions
        Smallest number of random regions in each HU range, over all repeats.
    workers
        Number of processes that compute features.

    Raises
    ------
    ConfigurationError
        If regions or workers are less than 1.
    """

    parameters: Path | None = None
    regions: int = 100
    workers: int = 1

    def __post_init__(self) -> None:
        if self.regions < 1 or self.workers < 1:
            raise ConfigurationError("regions and workers must be at least 1")


def evaluate(
    dataset: Dataset,
    models: Mapping[str, str | Path],
    cache: Path,
    *,
    options: EvaluationOptions | None = None,
    given: Sequence[Roi] = (),
    notes: Sequence[str] = (),
    progress: EvaluationProgress = lambda step, done, total: None,
) -> Evaluation:
    """Evaluate models on the test slices of a data set.

    Parameters
    ----------
    models
        ONNX files or names of packaged models, by the names to show them with.
    cache
        Folder for computed features; those that are there are not computed again.
    given
        More regions, beside whole slices and random regions, numbered by test slice.
    notes
        More remarks for the reader of the report, beside those of the data set.
    progress
        Called after each part of each step.

    Raises
    ------
    ConfigurationError
        If a model is for other kernels, or is called ``target``, ``input`` or ``control: ...``.
    TrainingError
        If there are no test slices.
    """
    options = options or EvaluationOptions()
    for name in models:
        if name in (TARGET, INPUT) or name.startswith(CONTROL):
            raise ConfigurationError(f"a model cannot be called {name!r}; use NAME=FILE")
    extractor = FeatureExtractor(options.parameters)
    stack = read_test_stack(dataset)
    kernels = dataset.source_kernel, dataset.target_kernel
    images, records = _harmonize_all(stack, models, kernels, progress)
    rois, missing = choose_regions(images[TARGET], stack.padding, given, options.regions)
    lungs, lung_notes = compare_lungs(stack, images)
    features = RegionFeatures(
        extractor, cache, options.parameters, options.workers, stack.padding, stack.pixel_spacing
    )
    table = with_combat(
        features.compute(images, rois, lambda total: counter("features", total, progress))
    )
    methods = [name for name in images if name != TARGET]
    agreements = compare_all(table)
    chosen = (TARGET, INPUT, most_reproducible(agreements, methods))
    controls, few = _measure_controls(
        {name: images[name] for name in chosen}, rois, stack, features, options.regions, progress
    )
    quality = _measure_qualities(images, stack, progress)
    places = find_places(dataset)
    stability = measure_stability(table, places, methods)
    notes = [
        *dataset.notes,
        *notes,
        *_model_notes(records),
        *_describe_padding(stack),
        *missing,
        *few,
        *describe_few_slices(stability),
        *lung_notes,
    ]
    return Evaluation(
        source_kernel=dataset.source_kernel,
        target_kernel=dataset.target_kernel,
        patients=len({place.patient for place in places}),
        manufacturers=dataset.manufacturers,
        methods=methods,
        images={name: list(hu) for name, hu in images.items()},
        pixel_spacings=[item.pixel_spacing for item in stack.items],
        table=table,
        agreements=agreements,
        quality=quality,
        differences=compare_methods(table, quality, places, methods),
        controls=controls,
        stability=stability,
        lungs=lungs,
        notes=notes,
        provenance={
            "data_sha256": dataset.sha256(),
            "series": list(dataset.series_uids),
            "scans": {
                "source": describe_scans(item.source for item in stack.items),
                "target": describe_scans(item.target for item in stack.items),
            },
            "split": describe_split(dataset),
            "regions": describe_regions(options.regions, rois, given),
            "statistics": describe_statistics(),
            "models": records,
            "features": describe_features(extractor),
            "versions": versions(),
        },
    )


def find_places(dataset: Dataset) -> list[Place]:
    """Return where each test slice of a data set comes from."""
    known = dataset.known_patients
    return [
        Place(item.patient, item.frame, item.position, item.patient in known)
        for item in dataset.test
    ]


def _measure_controls(
    images: VariantStacks,
    rois: Sequence[Roi],
    stack: TestStack,
    features: RegionFeatures,
    regions: int,
    progress: EvaluationProgress,
) -> tuple[Controls, list[str]]:
    """Return the controls of the given images, and where there are fewer regions than wanted."""

    def compute(step: str) -> Compute:
        return lambda variants, chosen: features.compute(
            variants, chosen, lambda total: counter(step, total, progress)
        )

    random = compare_all(randomize(stack, rois, compute("features of random pixels")))
    table, notes = choose_neutrally(images, stack, regions, compute("features in other masks"))
    return Controls(random, compare_all(table)), notes


def _harmonize_all(
    stack: TestStack,
    models: Mapping[str, str | Path],
    kernels: tuple[str, str],
    progress: EvaluationProgress,
) -> tuple[VariantStacks, dict[str, Any]]:
    """Return the slices of all variants, and a record of each model.

    Models see the source as it is. Afterwards the padding is the same in all variants.
    """
    images = {TARGET: stack.target_hu, INPUT: stack.source_hu}
    records = {}
    count = counter("harmonizing", len(models) * len(stack.items), progress)
    for name, model in models.items():
        images[name], records[name] = harmonize_stack(model, stack, *kernels, count)
    for hu in images.values():
        hu[stack.padding] = PADDING_HU
    return images, records


def _model_notes(records: Mapping[str, Any]) -> list[str]:
    """Return the notes on all models, with their names."""
    return [f"{name}: {note}" for name, record in records.items() for note in record["notes"]]


def _describe_padding(stack: TestStack) -> list[str]:
    """Return a remark for the reader if there is padding."""
    if not stack.padding.any():
        return []
    return [
        f"padding, {stack.padding.mean():.1%} of the pixels, counts in no measure: it holds no "
        "image"
    ]


def with_combat(table: FeatureTable) -> FeatureTable:
    """Add the features of each method after ComBat, which is applied to each group of regions.

    ComBat sees the target's features of the same regions that it is judged by; a model does not.
    Its usual form, with empirical Bayes, is added for the input only.
    """
    methods = [name for name in table.values if name != TARGET]
    added = {name + COMBAT: _apply_combat(table, name, empirical_bayes=False) for name in methods}
    added[INPUT + COMBAT_SHRUNK] = _apply_combat(table, INPUT, empirical_bayes=True)
    return FeatureTable(table.rois, table.names, {**table.values, **added})


def _apply_combat(table: FeatureTable, name: str, *, empirical_bayes: bool) -> NDArray[np.float64]:
    values = np.full_like(table.values[name], np.nan)
    for group in table.groups:
        rows = table.rows(group)
        if len(rows) >= MIN_REGIONS:
            source, target = table.values[name][rows], table.values[TARGET][rows]
            values[rows] = combat(source, target, empirical_bayes=empirical_bayes)
    return values


def _measure_qualities(
    images: VariantStacks, stack: TestStack, progress: EvaluationProgress
) -> dict[str, ImageQuality]:
    others = [name for name in images if name != TARGET]
    count = counter("image quality", len(others), progress)
    qualities = {}
    for name in others:
        qualities[name] = measure_quality(
            images[name], images[TARGET], stack.pixel_spacing, stack.padding
        )
        count()
    return qualities


def counter(step: str, total: int, progress: EvaluationProgress) -> Callable[[], None]:
    """Return a function that reports one more part of a step as done, each time it is called."""
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        progress(step, done, total)

    return count


def describe_features(extractor: FeatureExtractor) -> dict[str, Any]:
    """Return what the features depend on, and where they are known to differ from IBSI."""
    return {
        **extractor.description,
        "sha256": extractor.sha256,
        "counted": len(extractor.names),
        "listed, not counted (shape depends on the mask alone)": list(extractor.shape_names),
        "wavelet bands that a single slice does not have": list(ABSENT_BANDS),
        "known deviations from IBSI": list(IBSI_DEVIATIONS),
    }


def versions() -> dict[str, str]:
    """Return the versions of all that figures depend on."""
    names = ("rgan-sdk", "numpy", "scipy", "pyradiomics", "SimpleITK", "PyWavelets")
    return {**{name: metadata.version(name) for name in names}, "python": platform.python_version()}
