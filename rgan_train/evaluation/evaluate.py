"""From paired slices and models to what the models do: the whole of one evaluation.

Regions are chosen on the target and used for all. Features, image quality, noise and edges are
those of the harmonized slices against the target's.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.errors import ConfigurationError, MeasurementError
from rgan_sdk.kernels.edge_response import edge_rise
from rgan_sdk.kernels.noise_power import noise_power_ratio
from rgan_train.evaluation.features.cache import SliceRegions, extract_all
from rgan_train.evaluation.features.extractor import (
    ABSENT_BANDS,
    IBSI_DEVIATIONS,
    FeatureExtractor,
    region_problem,
)
from rgan_train.evaluation.metrics.combat import combat
from rgan_train.evaluation.metrics.image_quality import (
    QUALITY_RANGE,
    mean_absolute_error,
    psnr,
    ssim,
)
from rgan_train.evaluation.metrics.moments import MIN_REGIONS
from rgan_train.evaluation.metrics.reproducibility import compare_all
from rgan_train.evaluation.metrics.tissue_bias import tissue_bias
from rgan_train.evaluation.regions.body import body_mask
from rgan_train.evaluation.regions.rois import HU_RANGES, Roi, random_rois, whole_slices
from rgan_train.evaluation.results import (
    COMBAT,
    COMBAT_SHRUNK,
    INPUT,
    TARGET,
    Evaluation,
    FeatureTable,
    Quality,
    Spread,
)
from rgan_train.evaluation.stacks import PairedStack, harmonize, read_test_stack
from rgan_train.pairs.dataset import Dataset

REPEATS: Final = 5
SPARE: Final = 1.2
"""How many more random regions are asked for: not every slice has bone."""

Images = Mapping[str, NDArray[np.float32]]
Progress = Callable[[str, int, int], None]
"""Told what is done, how much of it, and of how many."""

Found = TypeVar("Found")


@dataclass(frozen=True)
class Options:
    """How to evaluate.

    Attributes
    ----------
    parameters
        Parameter file of pyradiomics; None takes the default features.
    regions
        Random regions in each HU range, at least, over all repeats.
    workers
        Processes that compute features.
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
    options: Options | None = None,
    given: Sequence[Roi] = (),
    notes: Sequence[str] = (),
    progress: Progress = lambda what, done, total: None,
) -> Evaluation:
    """Evaluate models on the test slices of a data set.

    Parameters
    ----------
    models
        ONNX files or packaged models by the names they are shown with.
    cache
        Folder for features; what is there is not computed again.
    given
        Regions beside whole slices and random ones, numbered by test slice.
    notes
        What a reader of the report has to know beside what is found here.

    Raises
    ------
    ConfigurationError
        If a model is for other kernels, or has a name that is taken.
    TrainingError
        If there are no test slices.
    """
    options = options or Options()
    if taken := {TARGET, INPUT} & set(models):
        raise ConfigurationError(f"a model cannot be called {taken.pop()!r}; use NAME=FILE")
    extractor = FeatureExtractor(options.parameters)
    paired = read_test_stack(dataset)
    images, records = _images(paired, models, dataset.source_kernel, progress)
    rois, missing = choose_regions(paired.target_hu, given, options.regions)
    table = with_combat(_table(images, rois, paired, extractor, cache, options, progress))
    return Evaluation(
        source_kernel=dataset.source_kernel,
        target_kernel=dataset.target_kernel,
        patients=len(dataset.patients),
        manufacturers=dataset.manufacturers,
        methods=[name for name in images if name != TARGET],
        images={name: list(stack) for name, stack in images.items()},
        pixel_spacings=[item.pixel_spacing for item in paired.items],
        table=table,
        agreements=compare_all(table),
        quality=_qualities(images, paired, progress),
        notes=[*notes, *missing],
        provenance={
            "data_sha256": dataset.sha256(),
            "series": list(dataset.series_uids),
            "models": records,
            "features": _describe(extractor),
            "versions": _versions(),
        },
    )


def choose_regions(
    target_hu: NDArray[np.float32], given: Sequence[Roi], regions: int
) -> tuple[list[Roi], list[str]]:
    """Choose whole slices and random regions in the patient, and drop what has no texture.

    Returns
    -------
    list of Roi, list of str
        The regions, and what a reader has to know of those that are missing.
    """
    per_slice = math.ceil(regions * SPARE / (REPEATS * len(target_hu)))
    rois, notes = whole_slices(target_hu.shape), []
    patient = body_mask(target_hu)
    for hu_range in HU_RANGES:
        found = random_rois(
            target_hu, hu_range, seeds=range(REPEATS), per_slice=per_slice, within=patient
        )
        if len(found) < regions:
            notes.append(
                f"[{hu_range.lower:g}, {hu_range.upper:g}] HU: {len(found)} regions instead of "
                f"{regions}; the slices hold no more that are apart"
            )
        rois += found
    for roi in given:
        if problem := region_problem(roi.mask):
            notes.append(f"{roi.group}, slice {roi.slice_number}: left out, {problem}")
        else:
            rois.append(roi)
    return rois, notes


def _images(
    paired: PairedStack, models: Mapping[str, str | Path], source_kernel: str, progress: Progress
) -> tuple[Images, dict[str, Any]]:
    images = {TARGET: paired.target_hu, INPUT: paired.source_hu}
    records = {}
    count = _counter("harmonizing", len(models) * len(paired.items), progress)
    for name, model in models.items():
        images[name], records[name] = harmonize(model, paired, source_kernel, count)
    return images, records


def _table(
    images: Images,
    rois: Sequence[Roi],
    paired: PairedStack,
    extractor: FeatureExtractor,
    cache: Path,
    options: Options,
    progress: Progress,
) -> FeatureTable:
    """Compute the features of all regions on all variants."""
    on_slice = [
        [row for row, roi in enumerate(rois) if roi.slice_number == number]
        for number in range(len(paired.items))
    ]
    tasks = [
        SliceRegions(hu, paired.pixel_spacing, tuple(rois[row].mask for row in rows))
        for variant in images.values()
        for hu, rows in zip(variant, on_slice, strict=True)
    ]
    found = iter(
        extract_all(
            tasks,
            extractor,
            cache,
            parameters=options.parameters,
            workers=options.workers,
            on_done=_counter("features", len(tasks), progress),
        )
    )
    values = {}
    for name in images:
        values[name] = np.empty((len(rois), len(extractor.names)))
        for rows in on_slice:
            values[name][rows] = next(found)
    return FeatureTable(rois, extractor.names, values)


def with_combat(table: FeatureTable) -> FeatureTable:
    """Add each method's features after ComBat, of each group of regions apart.

    ComBat sees the target's features of the very regions that it is judged by; a model does not.
    With empirical Bayes, its usual form, it is there for the input alone.
    """
    methods = [name for name in table.values if name != TARGET]
    added = {name + COMBAT: _combined(table, name, empirical_bayes=False) for name in methods}
    added[INPUT + COMBAT_SHRUNK] = _combined(table, INPUT, empirical_bayes=True)
    return FeatureTable(table.rois, table.names, {**table.values, **added})


def _combined(table: FeatureTable, name: str, *, empirical_bayes: bool) -> NDArray[np.float64]:
    values = np.full_like(table.values[name], np.nan)
    for group in table.groups:
        rows = table.rows(group)
        if len(rows) >= MIN_REGIONS:
            source, target = table.values[name][rows], table.values[TARGET][rows]
            values[rows] = combat(source, target, empirical_bayes=empirical_bayes)
    return values


def _qualities(images: Images, paired: PairedStack, progress: Progress) -> dict[str, Quality]:
    others = [name for name in images if name != TARGET]
    count = _counter("image quality", len(others), progress)
    qualities = {}
    for name in others:
        qualities[name] = measure_quality(images[name], paired.target_hu, paired.pixel_spacing)
        count()
    return qualities


def measure_quality(
    images: NDArray[np.float32], target: NDArray[np.float32], pixel_spacing: tuple[float, float]
) -> Quality:
    """Measure ``[N, H, W]`` HU against the target's."""
    pairs = list(zip(images, target, strict=True))
    return Quality(
        psnr_db=_spread(psnr(*pair, QUALITY_RANGE) for pair in pairs),
        ssim=_spread(ssim(*pair, QUALITY_RANGE) for pair in pairs),
        mae_hu=_spread(mean_absolute_error(*pair, QUALITY_RANGE) for pair in pairs),
        noise_power=_where_possible(lambda: noise_power_ratio(images, target)),
        edge_rise_mm=_where_possible(lambda: edge_rise(images, target, pixel_spacing)),
        bias_hu=tissue_bias(images, target),
    )


def _where_possible(measure: Callable[[], Found]) -> Found | None:
    """Measure, or return None where the slices have no place for it."""
    try:
        return measure()
    except MeasurementError:
        return None


def _spread(values: Iterable[float]) -> Spread:
    array = np.array(list(values))
    has_spread = len(array) > 1 and np.isfinite(array).all()
    sd = float(array.std(ddof=1)) if has_spread else math.nan
    return Spread(float(array.mean()), sd, len(array))


def _counter(what: str, total: int, progress: Progress) -> Callable[[], None]:
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        progress(what, done, total)

    return count


def _describe(extractor: FeatureExtractor) -> dict[str, Any]:
    return {
        **extractor.description,
        "sha256": extractor.sha256,
        "counted": len(extractor.names),
        "listed, not counted (shape depends on the mask alone)": list(extractor.shape_names),
        "wavelet bands that a single slice does not have": list(ABSENT_BANDS),
        "known deviations from IBSI": list(IBSI_DEVIATIONS),
    }


def _versions() -> dict[str, str]:
    names = ("rgan-sdk", "numpy", "scipy", "pyradiomics", "SimpleITK", "PyWavelets")
    return {**{name: metadata.version(name) for name in names}, "python": platform.python_version()}
