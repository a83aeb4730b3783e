"""Compare the features of flash-radiomics with those of pyradiomics: values and CPU time.

    python benchmarks/quality/feature_engines.py

Needs the scans of docs/data.md in .data/, `make eval-deps` and the extra `flash`. Structures are
those of the 4D-Lung series (RTSTRUCT), cut out with 20 pixels around them. Both engines have all
default features and filters, one thread, and take turns in random order. On the digital phantom of
the IBSI they are compared without filters, with bins of 1. Writes
benchmarks/results/feature-engines.json and the tables of docs/results/feature-engines.md.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}

import json
import platform
import statistics
import tempfile
import time
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
import SimpleITK
from result_page import fill_page

from rgan_sdk.dicom.inventory import find_series
from rgan_train.evaluation.features.series import find_structures, read_volume
from rgan_train.evaluation.features.volumes import VolumeExtractor
from rgan_train.evaluation.regions.masks.mask import Mask

DATA = Path(".data/4d_lung_113_HM10395")
PHANTOM = Path(".data/ibsi_1_digital_phantom/nifti")
JSON = Path("benchmarks/results/feature-engines.json")
PAGE = Path("docs/results/feature-engines.md")
ENGINES: Final = ("pyradiomics", "flash")
ROUNDS, MARGIN, TOLERANCE = 3, 20, 1e-6

Found = dict[str, float]


def main() -> None:
    hu, spacing, masks, names = read_structures()
    rng = np.random.default_rng(0)
    rows = [compare(dimensions, hu, spacing, masks, rng) for dimensions in (3, 2)]
    phantom = [compare_phantom(dimensions) for dimensions in (3, 2)]
    result = {
        "shape": hu.shape,
        "structures": names,
        "rows": rows,
        "phantom": phantom,
        "environment": environment(),
    }
    JSON.write_text(json.dumps(result, indent=1) + "\n")
    fill_page(PAGE, {"table": "\n".join(make_table(rows)), "phantom": describe_phantom(phantom)})


def read_structures() -> tuple[np.ndarray, tuple[float, float, float], list[np.ndarray], list[str]]:
    """Return the part of the series around all structures, its spacing, masks and their names."""
    (series,) = find_series(DATA).series
    (path,) = (file for file in DATA.rglob("*.dcm") if file not in {s.path for s in series.slices})
    volume = read_volume(series)
    masks = find_structures([path], (), series, volume.padding)
    hu, voxels = cut_out(volume.hu, masks)
    return hu, volume.spacing, voxels, [mask.name for mask in masks]


def compare_phantom(dimensions: int) -> dict[str, Any]:
    """Return how many values of the IBSI's digital phantom differ, by feature."""
    image, mask = (
        SimpleITK.ReadImage(PHANTOM / name) for name in ("image/phantom.nii.gz", "mask/mask.nii.gz")
    )
    hu = SimpleITK.GetArrayFromImage(image).astype(np.float32)
    voxels = SimpleITK.GetArrayFromImage(mask) > 0
    x, y, z = image.GetSpacing()
    with tempfile.TemporaryDirectory() as folder:
        parameters = Path(folder) / "parameters.json"
        classes = ("firstorder", "glcm", "gldm", "glrlm", "glszm", "ngtdm")
        settings = {
            "imageType": {"Original": {}},
            "featureClass": dict.fromkeys(classes),
            "setting": {"binWidth": 1},
        }
        parameters.write_text(json.dumps(settings))
        found: list[Any] = [
            VolumeExtractor(parameters, dimensions, engine=name).extract(hu, (z, y, x), [voxels])
            for name in ENGINES
        ]
    values, different = compare_values(found[0], found[1])
    return {"dimensions": dimensions, "values": values, "different": dict(different)}


def describe_phantom(rows: list[dict[str, Any]]) -> str:
    """Return the lines of the page on the phantom."""
    return "\n".join(
        f"- {row['dimensions']} dimensions: of {row['values']} values of both, these differ: "
        f"{', '.join(row['different']) or 'none'}"
        for row in rows
    )


def cut_out(hu: np.ndarray, masks: list[Mask]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the part of a series around all structures, and their masks in it."""
    marked = np.argwhere(np.any([mask.voxels for mask in masks], axis=0))
    part = tuple(
        slice(max(low - MARGIN, 0), high + MARGIN + 1)
        for low, high in zip(marked.min(0), marked.max(0), strict=True)
    )
    return hu[part].copy(), [np.ascontiguousarray(mask.voxels[part]) for mask in masks]


def compare(
    dimensions: int,
    hu: np.ndarray,
    spacing: tuple[float, float, float],
    masks: list[np.ndarray],
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Return CPU times of both engines, and how many values differ, by feature."""
    extractors = {name: VolumeExtractor(None, dimensions, engine=name) for name in ENGINES}
    seconds: dict[str, list[float]] = {name: [] for name in ENGINES}
    found: dict[str, Any] = {}
    for _ in range(ROUNDS):
        for name in rng.permutation(ENGINES):
            started = time.process_time()
            found[name] = extractors[name].extract(hu, spacing, masks)
            seconds[name].append(time.process_time() - started)
    values, different = compare_values(found["pyradiomics"], found["flash"])
    medians = {name: round(statistics.median(times), 2) for name, times in seconds.items()}
    ratios = [a / b for a, b in zip(*(seconds[name] for name in ENGINES), strict=True)]
    return {
        "dimensions": dimensions,
        "values": values,
        "different": dict(different.most_common()),
        "missing": len(found["pyradiomics"][0].keys() - found["flash"][0].keys()),
        "cpu_seconds": medians,
        "ratio": [
            round(value, 2) for value in (statistics.median(ratios), min(ratios), max(ratios))
        ],
    }


def compare_values(ours: list[Found], theirs: list[Found]) -> tuple[int, Counter[str]]:
    """Return how many values both engines have, and how many of them differ, by feature."""
    pairs = [
        (name.partition("_")[2], value, two[name])
        for one, two in zip(ours, theirs, strict=True)
        for name, value in one.items()
        if name in two
    ]
    different = Counter(
        feature for feature, a, b in pairs if not np.isclose(a, b, TOLERANCE, 1e-9, equal_nan=True)
    )
    return len(pairs), different


def make_table(rows: list[dict[str, Any]]) -> list[str]:
    """Return the table of the page."""
    lines = [
        "| dimensions | values that both have | differ by more than 1e-6 | lacking in "
        "flash | CPU s, pyradiomics | CPU s, flash | ratio (smallest to largest) |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        different: dict[str, int] = row["different"]
        cpu: dict[str, float] = row["cpu_seconds"]
        middle, low, high = row["ratio"]
        shown = ", ".join(f"{name} {count}" for name, count in different.items()) or "none"
        lines.append(
            f"| {row['dimensions']} | {row['values']:,} | {sum(different.values())}: {shown} "
            f"| {row['missing']} | {cpu['pyradiomics']} | {cpu['flash']} "
            f"| {middle} ({low} to {high}) |"
        )
    return lines


def environment() -> dict[str, str]:
    """Return versions and machine."""
    names = ("pyradiomics", "flash-radiomics", "numpy", "SimpleITK")
    return {
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, one thread",
        **{name: metadata.version(name) for name in names},
    }


if __name__ == "__main__":
    main()
