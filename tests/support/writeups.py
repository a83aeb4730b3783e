"""Reports to write up: the real writer's data, with what a whole evaluation records."""

import json
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from rgan_train.evaluation.cohorts.evaluate import describe_rules
from rgan_train.evaluation.cohorts.results import CohortEvaluation, GroupFacts
from rgan_train.evaluation.protocol import describe_regions, describe_statistics
from rgan_train.evaluation.report.cohorts import write as cohorts
from rgan_train.evaluation.report.write import results_data
from support.evaluations import make_evaluation, make_regions

SHA256 = "8b878f6201f5cac94232e769ed25ebc95d70670590f28e1c2be31e556a22071c"

FEATURES: dict[str, Any] = {
    "pyradiomics": "3.0.1",
    "filters": {"Original": {}, "LoG": {"sigma": [1.0, 2.5]}, "Wavelet": {}, "Square": {}},
    "features": {
        "firstorder": ["Mean", "Kurtosis", "TotalEnergy"],
        "glcm": ["Contrast", "MCC"],
        "gldm": ["DependenceEntropy"],
    },
    "settings": {
        "binWidth": 25,
        "normalize": False,
        "resampledPixelSpacing": None,
        "interpolator": "sitkBSpline",
        "resegmentRange": None,
    },
    "sha256": "ab" * 32,
    "counted": 42,
}

SCANS: dict[str, Any] = {
    "series": 1,
    "manufacturers": ["SIEMENS"],
    "scanners": ["Sensation 10"],
    "kernels": ["B40f"],
    "tube_kv": [120.0],
    "thickness_mm": [5.0, 8.0],
    "pixel_spacing_mm": [0.646484375],
    "matrix": ["512 x 512"],
}

MODEL: dict[str, Any] = {
    "name": "b40f-to-b70f",
    "version": "1.0.0",
    "sha256": SHA256,
    "source_kernels": ["B40f"],
    "target_kernel": "B70f",
    "window_hu": [-1032.0, 2008.0],
    "training_data": [{"name": "A_B & C #1", "licence": "CC BY 4.0", "citation": "100 % {me}"}],
    "made_without_pairs": False,
    "made_with": "rgan-sdk 0.1.0",
    "engine": "onnxruntime 1.23 (cpu, fp32)",
    "notes": [],
}


def full_provenance(given: bool = False) -> dict[str, Any]:
    """Return what a whole evaluation records; ``given`` for a group of regions from masks."""
    rois = make_regions()
    tumour = [roi for roi in rois if roi.group == "tumour"]
    return {
        "series": ["1.2.3", "1.2.4"],
        "scans": {"source": SCANS, "target": {**SCANS, "kernels": ["B70f"]}},
        "split": {
            "slices": {"train": 20, "validation": 2, "test": 4},
            "patients": {"train": 1, "validation": 1, "test": 1},
            "test_patients_also_in_training": 1,
        },
        "regions": describe_regions(100, rois, tumour if given else ()),
        "statistics": describe_statistics(),
        "models": {"good": MODEL},
        "features": FEATURES,
        "versions": {"rgan-sdk": "0.1.0", "numpy": "2.0", "python": "3.11.9"},
    }


_make = cache(partial(make_evaluation, ("good",)))


def write_pairs(folder: Path, patients: int = 1, *, old: bool = False, given: bool = False) -> Path:
    """Write ``results.json`` of a paired evaluation; an ``old`` one records next to nothing."""
    evaluation = _make(patients)
    recorded = evaluation.provenance
    kept = {name: item for name, item in recorded.items() if name != "features"}
    provenance = kept if old else full_provenance(given)
    return _write(folder, results_data(replace(evaluation, provenance=provenance)))


def write_groups(folder: Path) -> Path:
    """Write ``results.json`` of a comparison of two groups, without features and lesions."""
    evaluation = CohortEvaluation(
        source=GroupFacts(("SHARP",), 3, 12, 2),
        target=GroupFacts(("SOFT",), 4, 10, 3),
        shared_patients=1,
        models=("good",),
        features=42,
        by_patient=True,
        units="slices",
        groups=(),
        images={},
        lesions=None,
        notes=("no lesions were put in: no lung",),
        provenance={
            "source_series": ["1.2.3"],
            "target_series": ["1.2.4"],
            "scans": {"source": SCANS, "target": SCANS},
            "regions": describe_regions(100),
            "statistics": describe_rules(),
            "models": {"good": {**MODEL, "made_without_pairs": True}},
            "features": FEATURES,
            "versions": {"rgan-sdk": "0.1.0"},
        },
    )
    return _write(folder, cohorts.results_data(evaluation))


def _write(folder: Path, data: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(data, allow_nan=False))
    return folder
