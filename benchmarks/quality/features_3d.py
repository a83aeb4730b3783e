"""3-D features of nodules and structures in real series, before and after harmonization.

    python benchmarks/quality/features_3d.py

Needs the scans of docs/data.md in .data/, `make eval-deps` and the extra `flash`. Makes the models
and harmonized series with `rgan-train match` and `rgan-harmonize run` in runs/features-3d, where
they stay; delete that folder to make them again. Features are those of `rgan-train features`, of
the part of the series around all structures, with both engines. Writes
benchmarks/results/features-3d.json and the tables of docs/results/features-3d.md.
"""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feature_engines import ENGINES, Found, compare_values, cut_out, environment
from result_page import fill_page

from rgan_sdk.dicom.inventory import find_series
from rgan_train.evaluation.features.series import find_structures, read_volume
from rgan_train.evaluation.features.volumes import VolumeExtractor

DATA = Path(".data")
WORK = Path("runs/features-3d")
JSON = Path("benchmarks/results/features-3d.json")
PAGE = Path("docs/results/features-3d.md")
CLASSES = ("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
LIDC, SIEMENS = "lidc_idri_0001_ge_standard", "pair_lungdx_A0002_siemens"
LARGE = 0.1

Values = dict[str, dict[str, Found]]
"""Features by engine and structure."""


@dataclass(frozen=True)
class Case:
    """A series and how it is harmonized."""

    title: str
    folder: str
    model: str
    target: str = ""
    """Kernel of the Siemens series that a model is matched to; empty for a packaged model."""
    outside: str = ""
    """What of the series may be outside of the model's card."""


CASES = (
    Case("LIDC to B40f", LIDC, "standard-to-b40f", target="B40f"),
    Case("LIDC to B70f", LIDC, "standard-to-b70f", target="B70f"),
    Case(
        "4D-Lung to B70f",
        "4d_lung_113_HM10395",
        "b40f-to-b70f",
        outside="kernel,manufacturer,spacing",
    ),
)


def main() -> None:
    cases = []
    sources: dict[str, Values] = {}
    for case in CASES:
        folder = DATA / case.folder
        harmonized = WORK / case.title.replace(" ", "-")
        harmonize(case, harmonized)
        masks = mask_files(folder)
        if case.folder not in sources:
            sources[case.folder] = compute(folder, masks)
        cases.append(compare(case, sources[case.folder], compute(harmonized, masks)))
    JSON.write_text(json.dumps({"cases": cases, "environment": environment()}, indent=1) + "\n")
    blocks = {
        "structures": structure_table(cases),
        "engines": engine_table(cases),
        "changes": "\n\n".join(map(change_table, cases)),
    }
    fill_page(PAGE, blocks)


def harmonize(case: Case, output: Path) -> None:
    """Match a model where none is packaged, and harmonize the series, as far as not yet done."""
    programs = Path(sys.executable).parent
    WORK.mkdir(parents=True, exist_ok=True)
    model = case.model
    if case.target:
        model = str(WORK / f"{case.model}.onnx")
        target = DATA / SIEMENS / case.target
        match: list[str | Path] = [programs / "rgan-train", "match", "--source", DATA / case.folder]
        if not Path(model).exists():
            subprocess.run([*match, "--target", target, "-o", model], check=True)
    command: list[str | Path] = [programs / "rgan-harmonize", "run", DATA / case.folder, output]
    command += ["--model", model, "--device", "cpu"]
    if case.outside:
        command += ["--outside-domain", case.outside]
    subprocess.run(command, check=True)


def mask_files(folder: Path) -> list[Path]:
    """Return the XML of LIDC, or the RTSTRUCT: the one DICOM file that is no slice."""
    (series,) = find_series(folder).series
    slices = {file.path for file in series.slices}
    return list(folder.glob("*.xml")) or [p for p in folder.rglob("*.dcm") if p not in slices]


def compute(folder: Path, masks: list[Path]) -> Values:
    """Return the features of all structures of the series in a folder, with both engines."""
    (series,) = find_series(folder, include_own=True).series
    volume = read_volume(series)
    structures = find_structures(masks, (), series, volume.padding)
    hu, voxels = cut_out(volume.hu, structures)
    found: Values = {}
    for engine in ENGINES:
        print(f"{folder}: {engine}", flush=True)
        found[engine] = {}
        values = VolumeExtractor(None, 3, engine=engine).extract(hu, volume.spacing, voxels)
        for structure, one in zip(structures, values, strict=True):
            if not isinstance(one, dict):
                raise one
            found[engine][structure.name] = one
    return found


def compare(case: Case, source: Values, harmonized: Values) -> dict[str, Any]:
    """Return what the page says of one case; changes are those of pyradiomics."""
    engines = {}
    for variant, values in (("source", source), ("harmonized", harmonized)):
        ours, theirs = ([*values[engine].values()] for engine in ENGINES)
        count, different = compare_values(ours, theirs)
        engines[variant] = {"values": count, "different": dict(different.most_common())}
    before, after = source[ENGINES[0]], harmonized[ENGINES[0]]
    return {
        "title": case.title,
        "structures": {
            name: {
                "volume": found["original_shape_VoxelVolume"],
                "before": hu_of(found),
                "after": hu_of(after[name]),
            }
            for name, found in before.items()
        },
        "engines": engines,
        "changes": {kind: change(kind, before, after) for kind in CLASSES},
    }


def hu_of(found: Found) -> list[float]:
    """Return mean and standard deviation of a structure, HU."""
    return [found["original_firstorder_Mean"], math.sqrt(found["original_firstorder_Variance"])]


def change(kind: str, before: dict[str, Found], after: dict[str, Found]) -> dict[str, Any]:
    """Return how much the features of one class changed, as shares of what they were."""
    names = [name for name in next(iter(before.values())) if class_of(name) == kind]
    changes = {
        (name, structure): abs(after[structure][name] - found[name]) / abs(found[name])
        for structure, found in before.items()
        for name in names
        if found[name] and math.isfinite(after[structure][name] - found[name])
    }
    plain = [share for (name, _), share in changes.items() if name.startswith("original_")]
    largest = max(changes, key=lambda key: changes[key])
    return {
        "values": len(names) * len(before),
        "compared": len(changes),
        "median original": statistics.median(plain),
        "largest original": max(plain),
        "median": statistics.median(changes.values()),
        "above": sum(share > LARGE for share in changes.values()) / len(changes),
        "largest": [changes[largest], *largest],
        "spread": statistics.median(
            spread([found[name] for found in before.values()])
            for name in names
            if name.startswith("original_")
        ),
    }


def class_of(name: str) -> str:
    """Return the class of a feature, such as ``glcm``."""
    return name.split("_")[1]


def spread(values: list[float]) -> float:
    """Return how far values lie apart, as a share of their median."""
    middle = statistics.median(values)
    return (max(values) - min(values)) / abs(middle) if middle else math.nan


def structure_table(cases: list[dict[str, Any]]) -> str:
    lines = [
        "| | structure | ml | mean HU, before | after | standard deviation, before | after |",
        "|---|---|---|---|---|---|---|",
    ]
    for case in cases:
        for name, one in case["structures"].items():
            (mean, deviation), (new_mean, new_deviation) = one["before"], one["after"]
            lines.append(
                f"| {case['title']} | {name} | {one['volume'] / 1000:.2f} | {mean:.1f} "
                f"| {new_mean:.1f} | {deviation:.1f} | {new_deviation:.1f} |"
            )
    return "\n".join(lines)


def engine_table(cases: list[dict[str, Any]]) -> str:
    lines = [
        "| | variant | values that both have | agree to 1e-6 | differ |",
        "|---|---|---|---|---|",
    ]
    for case in cases:
        for variant, one in case["engines"].items():
            different: dict[str, int] = one["different"]
            shown = ", ".join(f"{name} {count}" for name, count in different.items()) or "none"
            agree = one["values"] - sum(different.values())
            lines.append(
                f"| {case['title']} | {variant} | {one['values']:,} | {agree:,} | {shown} |"
            )
    return "\n".join(lines)


def change_table(case: dict[str, Any]) -> str:
    is_one_nodule = all(name.startswith("nodule 1,") for name in case["structures"])
    lines = [
        f"**{case['title']}**, {len(case['structures'])} structures",
        "",
        "| class | values | median change, unfiltered image | largest, unfiltered | median, all "
        "images | above 10 % | largest of all |" + (" readers |" if is_one_nodule else ""),
        "|---|---|---|---|---|---|---|" + ("---|" if is_one_nodule else ""),
    ]
    for kind, one in case["changes"].items():
        share, name, structure = one["largest"]
        largest = f"{share:,.0%} (`{name}`, {structure})" if share else "0 %"
        unknown = one["values"] - one["compared"]
        remark = f" ({unknown} not compared)" if unknown else ""
        readers = f" {one['spread']:.1%} |" if is_one_nodule else ""
        lines.append(
            f"| {kind} | {one['values']:,}{remark} | {one['median original']:.1%} "
            f"| {one['largest original']:.0%} | {one['median']:.1%} | {one['above']:.0%} "
            f"| {largest} |{readers}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
