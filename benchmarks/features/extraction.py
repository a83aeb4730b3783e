"""Compare the CPU time of radiomic features with that of plain pyradiomics.

    python benchmarks/features/extraction.py --scans .data/pair_lungdx_A0002_siemens/B70f \
        --json benchmarks/results/feature-extraction.json

Slices and regions are as in the paper: test slices 22 to 29, random regions in the three HU ranges,
five seeds, three regions for each slice, range and seed, and all features of all default filters.
Each round takes one slice. The extractor computes all its regions. Plain pyradiomics computes some
of them, drawn at random: once as it is (`execute` for each region), and once with the slice
filtered once (`computeFeatures` for each region). The three take turns in random order.

The result is the CPU time for one region, and its ratio to ours in the same round: median, smallest
and largest over the rounds. The correctness columns are the largest relative difference from plain
pyradiomics, the number of values, and how many differ by more than 1e-9.

The same is done with one region on a slice, and with a region that is the whole slice without a
pixel in the corner, as plain pyradiomics accepts no mask without background.

There is one thread: OMP_NUM_THREADS and ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS are set to 1 below,
before anything is imported that reads them. Needs pyradiomics: make eval-deps.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
from radiomics import imageoperations
from radiomics.featureextractor import RadiomicsFeatureExtractor

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_train.evaluation.features.extractor import FeatureExtractor
from rgan_train.evaluation.features.pyradiomics import DEFAULT_FILTERS
from rgan_train.evaluation.regions.rois import HU_RANGES, random_rois

SLICES = range(22, 30)
SEEDS, PER_SLICE = range(5), 3
ROUNDS, DRAWN = 16, 12
ROUNDS_WHOLE = 4
TOLERANCE = 1e-9
GATE = 10.0
OURS, PLAIN, SHARED = "rgan-train", "pyradiomics", "pyradiomics, slice filtered once"


@dataclass(frozen=True)
class Task:
    """One slice, its regions, and which of them pyradiomics computes."""

    hu: np.ndarray
    spacing: tuple[float, float]
    masks: list[np.ndarray]
    drawn: list[int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scans", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    (series,) = find_series(options.scans).series
    hu = np.stack([read_slice(series.slices[number].path).hu for number in SLICES])
    rng = np.random.default_rng(0)
    spacing = (series.pixel_spacing[0], series.pixel_spacing[1])
    regions = random_tasks(hu, spacing, rng)
    single = [Task(task.hu, spacing, [task.masks[task.drawn[0]]], [0]) for task in regions]
    whole = [whole_slice(one, spacing) for one in hu[:ROUNDS_WHOLE]]
    rows = [
        *compare("random regions", regions, [OURS, PLAIN, SHARED], rng),
        *compare("one region to a slice", single, [OURS, PLAIN], rng),
        *compare("whole slice", whole, [OURS, PLAIN], rng),
    ]
    for row in rows:
        print(row)
    ratio = rows[1]["times_ours"]
    print(f"random regions: {ratio} times the CPU time of ours (gate: {GATE} or more)")
    if options.json:
        result = {"slices": hu.shape, "regions": sum(len(one.masks) for one in regions[: len(hu)])}
        result |= {"rounds": ROUNDS, "rounds_whole_slice": ROUNDS_WHOLE}
        result |= {"rows": rows, "environment": environment()}
        options.json.write_text(json.dumps(result, indent=1) + "\n")


def random_tasks(
    hu: np.ndarray, spacing: tuple[float, float], rng: np.random.Generator
) -> list[Task]:
    """Return one task for each round."""
    masks: list[list[np.ndarray]] = [[] for _ in hu]
    for hu_range in HU_RANGES:
        for roi in random_rois(hu, hu_range, seeds=SEEDS, per_slice=PER_SLICE):
            masks[roi.slice_number].append(roi.mask)
    tasks = []
    for number in range(ROUNDS):
        place = number % len(hu)
        drawn = rng.choice(len(masks[place]), DRAWN, replace=False).tolist()
        tasks.append(Task(hu[place], spacing, masks[place], drawn))
    return tasks


def whole_slice(hu: np.ndarray, spacing: tuple[float, float]) -> Task:
    mask = np.ones(hu.shape, bool)
    mask[-1, -1] = False
    return Task(hu, spacing, [mask], [0])


def compare(
    regions: str, tasks: list[Task], names: list[str], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Let each way compute each task; return a row for each way, ours first."""
    extractor = FeatureExtractor()
    columns = extractor.names  # computed once, at the first use
    ways: dict[str, Callable[[Task], tuple[float, np.ndarray]]] = {
        OURS: lambda task: by_ours(extractor, task),
        PLAIN: lambda task: by_pyradiomics(columns, task),
        SHARED: lambda task: by_pyradiomics_filtered_once(columns, task),
    }
    seconds: dict[str, list[float]] = {name: [] for name in names}
    values: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for task in tasks:
        for name in rng.permutation(names):
            each, found = ways[name](task)
            seconds[name].append(each)
            values[name].append(found)
    expected = np.concatenate(values[PLAIN])
    return [
        {"regions": regions, **timing(name, seconds)}
        | differences(np.concatenate(values[name]), expected)
        for name in names
    ]


def by_ours(extractor: FeatureExtractor, task: Task) -> tuple[float, np.ndarray]:
    """Return CPU seconds for one region, and the values of the drawn regions."""
    start = time.process_time()
    values = extractor.extract(task.hu, task.spacing, task.masks)
    return (time.process_time() - start) / len(task.masks), values[task.drawn]


def by_pyradiomics(columns: tuple[str, ...], task: Task) -> tuple[float, np.ndarray]:
    pyradiomics = plain()
    start = time.process_time()
    image = as_image(task.hu, task.spacing)
    found = []
    for number in task.drawn:
        label = as_image(task.masks[number].astype(np.uint8), task.spacing)
        found.append(pyradiomics.execute(image, label))
    seconds = time.process_time() - start
    return seconds / len(task.drawn), in_order(found, columns)


def by_pyradiomics_filtered_once(columns: tuple[str, ...], task: Task) -> tuple[float, np.ndarray]:
    """Return the same with the time of the filters shared by all regions of the slice."""
    pyradiomics = plain()
    start = time.process_time()
    image = as_image(task.hu, task.spacing)
    filtered = [
        result
        for kind, options in pyradiomics.enabledImagetypes.items()
        for result in getattr(imageoperations, f"get{kind}Image")(
            image, None, **(pyradiomics.settings | options)
        )
    ]
    filtering = time.process_time() - start
    start = time.process_time()
    found: list[dict[str, Any]] = []
    for number in task.drawn:
        label = as_image(task.masks[number].astype(np.uint8), task.spacing)
        box, _ = imageoperations.checkMask(image, label)
        found.append({})
        for result, name, settings in filtered:
            cut = imageoperations.cropToTumorMask(result, label, box)
            found[-1] |= pyradiomics.computeFeatures(*cut, name, **settings)
    seconds = (time.process_time() - start) / len(task.drawn)
    return seconds + filtering / len(task.masks), in_order(found, columns)


def plain() -> RadiomicsFeatureExtractor:
    """Return an extractor of the default filters and classes."""
    pyradiomics = RadiomicsFeatureExtractor(additionalInfo=False)
    pyradiomics.enableImageTypes(**DEFAULT_FILTERS)
    pyradiomics.enableFeatureClassByName("shape", enabled=False)
    return pyradiomics


def as_image(array: np.ndarray, spacing: tuple[float, float]) -> SimpleITK.Image:
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(spacing[::-1])
    return image


def in_order(found: list[dict[str, Any]], columns: tuple[str, ...]) -> np.ndarray:
    return np.array([[float(values[column]) for column in columns] for values in found])


def timing(name: str, seconds: dict[str, list[float]]) -> dict[str, Any]:
    """Return the times of one line of the table."""
    ratios = [mine / ours for mine, ours in zip(seconds[name], seconds[OURS], strict=True)]
    return {
        "way": name,
        "cpu_ms_per_region": round(statistics.median(seconds[name]) * 1e3, 1),
        "times_ours": round(statistics.median(ratios), 2),
        "smallest": round(min(ratios), 2),
        "largest": round(max(ratios), 2),
    }


def differences(values: np.ndarray, expected: np.ndarray) -> dict[str, Any]:
    """Return the correctness columns of one line of the table."""
    assert np.isfinite(values).all()
    relative = np.abs(values - expected) / np.maximum(np.abs(expected), np.finfo(float).tiny)
    return {
        "largest_relative_difference": float(f"{relative.max():.1e}"),
        "values": values.size,
        "above_1e-9": int((relative > TOLERANCE).sum()),
    }


def environment() -> dict[str, str]:
    """Return the versions that the results may depend on."""
    names = ("rgan-sdk", "numpy", "SimpleITK", "pyradiomics", "PyWavelets")
    return {
        **{name: metadata.version(name) for name in names},
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one thread",
    }


if __name__ == "__main__":
    main()
