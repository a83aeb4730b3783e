"""Measure the files that ``rgan-harmonize run`` writes with the packaged models.

The command gets series on other pixels as DICOM, and nothing but the model. Its files are compared
with what the same model makes of the same slices in memory.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from cells import METHOD_VERSION, environment
from numpy.typing import NDArray

from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.model import HarmonizationModel
from rgan_train.evaluation.metrics.image_quality import QUALITY_RANGE
from rgan_train.pairs.samples import PairedSample, SliceReader
from spacings.measuring import quality_figures, read_dataset
from spacings.plan import RESULTS, Plan, directions

PROGRAM = Path(sys.executable).parent / "rgan-harmonize"

Image = NDArray[np.float32]


class PackagedModel(NamedTuple):
    """A packaged model, and the pair to run it on."""

    pair: str
    source: str
    target: str

    @property
    def model(self) -> str:
        """The name that users give."""
        return f"{self.source}-to-{self.target}".lower()

    @property
    def name(self) -> str:
        """That of the file of figures, without its ending."""
        return f"{self.pair}_{self.source}-{self.target}_written"

    @property
    def path(self) -> Path:
        """The file with the figures."""
        return RESULTS / f"{self.name}.json"


def packaged_models(plan: Plan) -> list[PackagedModel]:
    """Return the packaged models that the plan has a pair for."""
    return [
        PackagedModel(pair, *way)
        for pair, entry in plan["pairs"].items()
        if entry.get("packaged")
        for way in directions(plan, pair)
    ]


def read_written(packaged: PackagedModel, plan: Plan) -> list[dict[str, Any]]:
    """Return the figures by pixel spacing; none if they are missing, or of another model file."""
    if not packaged.path.exists():
        return []
    made = json.loads(packaged.path.read_text())
    measured: list[dict[str, Any]] = made["measured"]
    return measured if made["asked"] == _asked(packaged, plan) else []


def _asked(packaged: PackagedModel, plan: Plan) -> dict[str, Any]:
    """Return everything that the figures depend on, but for code."""
    return {
        "method_version": METHOD_VERSION,
        "spacings": plan["pairs"][packaged.pair]["spacings"],
        "model_sha256": HarmonizationModel.open(packaged.model).sha256,
    }


def measure_written(packaged: PackagedModel, plan: Plan, threads: int) -> str:
    """Run the command on all spacings and write the file of figures; return what to say."""
    asked = _asked(packaged, plan)
    with Harmonizer.load(packaged.model, device="cpu") as harmonizer:
        measured = [_measure(packaged, plan, mm, harmonizer) for mm in asked["spacings"]]
    record = {
        "asked": asked,
        "measured": measured,
        "environment": environment() | {"threads": str(threads)},
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    packaged.path.write_text(json.dumps(record, indent=1) + "\n")
    return ", ".join(f"{item['status']} at {item['spacing']} mm" for item in measured)


def _measure(
    packaged: PackagedModel, plan: Plan, spacing: float, harmonizer: Harmonizer
) -> dict[str, Any]:
    dataset = read_dataset(plan, packaged.pair, (packaged.source, packaged.target), spacing)
    with TemporaryDirectory() as folder:
        entry = run_command(dataset.test[0].source.parent, packaged.model, Path(folder))
        row = {"spacing": spacing, "status": entry["status"], "reason": entry["reason"]}
        if entry["status"] != "done":
            return row
        files = written_slices(Path(folder))
        written = [files[item.source_uid] for item in dataset.test]
    reader = SliceReader(cache_mb=0)
    samples = [reader.read(item) for item in dataset.test]
    in_memory = [
        harmonizer(sample.source_hu, pixel_spacing=item.spacing)
        for sample, item in zip(samples, dataset.test, strict=True)
    ]
    return {
        **row,
        "written": _mean_figures(written, samples),
        "memory": _mean_figures(in_memory, samples),
        "largest_difference_hu": largest_difference(written, in_memory, samples),
    }


def run_command(series: Path, model: str, work: Path) -> dict[str, Any]:
    """Harmonize one series into ``work``; return its entry in the report.

    Raises
    ------
    RuntimeError
        If there is no report.
    """
    report = work / "report.json"
    options: list[str | Path] = ["--model", model, "--device", "cpu", "--report", report]
    command: list[str | Path] = [PROGRAM, "run", series, work / "out", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not report.exists():
        raise RuntimeError(f"rgan-harmonize run failed ({done.returncode}): {done.stderr[-2000:]}")
    (entry,) = json.loads(report.read_text())["series"]
    return dict(entry)


def written_slices(folder: Path) -> dict[str, Image]:
    """Return the HU of written files by the SOPInstanceUID of their source (PS3.3 C.12.4.1.1)."""
    slices = [read_slice(path) for path in folder.rglob("*.dcm")]
    return {s.dataset.SourceImageSequence[0].ReferencedSOPInstanceUID: s.hu for s in slices}


def largest_difference(
    images: list[Image], others: list[Image], samples: list[PairedSample]
) -> float:
    """Return the largest difference in HU, inside ``QUALITY_RANGE`` and outside padding."""
    limits = QUALITY_RANGE.lower, QUALITY_RANGE.upper
    return max(
        float(np.abs(np.clip(image, *limits) - np.clip(other, *limits))[~sample.padding].max())
        for image, other, sample in zip(images, others, samples, strict=True)
    )


def _mean_figures(images: list[Image], samples: list[PairedSample]) -> dict[str, float]:
    figures = [quality_figures(*both) for both in zip(images, samples, strict=True)]
    return {key: float(np.mean([figure[key] for figure in figures])) for key in figures[0]}
