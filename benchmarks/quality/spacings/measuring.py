"""Measure models on the test slices, on other pixels and with noise added."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from cells import METHOD_VERSION, Cell, environment
from numpy.typing import NDArray

from rgan_sdk.files import file_sha256
from rgan_sdk.harmonizer import Harmonizer
from rgan_train.config import Config, override_from_text
from rgan_train.evaluation.metrics.image_quality import QUALITY_RANGE, psnr, ssim
from rgan_train.pairs.dataset import Dataset, load_dataset
from rgan_train.pairs.noise import PairNoise, add_noise
from rgan_train.pairs.samples import PairedSample, SliceReader, WholeSlices
from spacings.plan import RESULTS, WORK, Plan, data_name, has_settings, list_data
from spacings.training import Place

NOISE_SEED = 181
"""Not that of trainings, which start at 0: a network has never seen this noise."""

Harmonize = Callable[[NDArray[np.float32], float], NDArray[np.float32]]
"""Takes HU ``[H, W]`` and the pixel spacing in mm."""


class Subject(NamedTuple):
    """What is measured: the input as it is, a packaged model, or the model of a cell.

    Attributes
    ----------
    row
        ``input``, ``packaged``, or the row of a cell.
    data
        Of the training, such as ``siemens-0.808``; for others the name of the pair.
    spacings
        To measure at, in mm.
    cell
        None for input and packaged models.
    """

    pair: str
    source: str
    target: str
    row: str
    data: str
    spacings: tuple[float, ...]
    cell: Cell | None = None

    @property
    def name(self) -> str:
        """That of the file without its ending."""
        row = self.row.replace(",", "").replace(" ", "-")
        return f"{self.data}_{self.source}-{self.target}_{row}"

    @property
    def path(self) -> Path:
        """The file with its figures."""
        return RESULTS / f"{self.name}.json"


def subjects(plan: Plan, cells: list[Cell]) -> list[Subject]:
    """Return all that is measured."""
    found = []
    for pair, entry in plan["pairs"].items():
        claimed, every = tuple(entry["spacings"]), (*entry["spacings"], *entry["shown"])
        source, target = entry["kernels"]
        for way in ((source, target), (target, source)):
            found.append(Subject(pair, *way, "input", pair, every))
            if entry.get("packaged"):
                found.append(Subject(pair, *way, "packaged", pair, every))
        for cell in cells:
            name, _, part = cell.pair.partition("-")
            if name == pair:
                if part == "reduced":
                    at = claimed
                elif "aware" in cell.row:
                    at = every
                else:
                    at = (float(part) if part else claimed[0],)
                found.append(Subject(pair, cell.source, cell.target, cell.row, cell.pair, at, cell))
    return found


def is_measured(subject: Subject, plan: Plan) -> bool:
    """Whether the figures are there, of a model with this very configuration."""
    if not subject.path.exists():
        return False
    made = json.loads(subject.path.read_text())
    cell = subject.cell
    return made["asked"] == _asked(subject, plan) and (
        cell is None or has_settings(made["training"]["configuration"], cell)
    )


def _asked(subject: Subject, plan: Plan) -> dict[str, Any]:
    """Return everything that the figures depend on, but for code and model."""
    return {
        "method_version": METHOD_VERSION,
        "spacings": list(subject.spacings),
        "noise": plan["noise"],
        "noise_seed": NOISE_SEED,
        "packaged_commit": plan["packaged_commit"] if subject.row == "packaged" else "",
    }


def measure_subject(subject: Subject, plan: Plan, threads: int) -> str:
    """Measure one subject and write its file; return its first figure."""
    model = _model_path(subject, plan)
    record: dict[str, Any] = {"asked": _asked(subject, plan)}
    if model is None:
        measured = _measure(subject, plan, lambda hu, spacing: hu)
    else:
        record["model_sha256"] = file_sha256(model)
        # Spacings outside a model's card are measured too; the tables say which these are.
        with Harmonizer.load(model, device="cpu", outside_domain=("spacing",)) as harmonizer:
            card = harmonizer.model.card.pixel_spacing
            record["card_pixel_spacing"] = [card.min, card.max] if card else None
            measured = _measure(
                subject, plan, lambda hu, spacing: harmonizer(hu, pixel_spacing=spacing)
            )
    if subject.cell:
        record["training"] = json.loads(Place.of(subject.cell).record.read_text())
    record |= {"measured": measured, "environment": environment() | {"threads": str(threads)}}
    RESULTS.mkdir(parents=True, exist_ok=True)
    subject.path.write_text(json.dumps(record, indent=1) + "\n")
    first = measured[0]
    return f"{first['psnr_db']:.2f} dB at {first['spacing']} mm"


def _model_path(subject: Subject, plan: Plan) -> Path | None:
    """Return the model file; a packaged one as it was at the commit that the plan names."""
    if subject.cell:
        return Place.of(subject.cell).model
    if subject.row == "input":
        return None
    name = f"{subject.source}-to-{subject.target}.onnx".lower()
    kept = WORK / "packaged" / name
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        what = f"{plan['packaged_commit']}:rgan_sdk/models/{name}"
        kept.write_bytes(subprocess.run(["git", "show", what], check=True, stdout=-1).stdout)
    return kept


def _measure(subject: Subject, plan: Plan, harmonize: Harmonize) -> list[dict[str, float]]:
    measured = []
    for spacing in subject.spacings:
        slices = TestSlices.read(plan, subject, spacing)
        for level in plan["noise"]:
            figures = [
                quality_figures(harmonize(sample.source_hu, slices.pixel_spacing), sample)
                for sample in slices.with_noise(level)
            ]
            means = {key: float(np.mean([f[key] for f in figures])) for key in figures[0]}
            spread = float(np.std([f["psnr_db"] for f in figures], ddof=1))
            measured.append({"spacing": spacing, "noise": level, **means, "psnr_sd": spread})
    return measured


def quality_figures(hu: NDArray[np.float32], sample: PairedSample) -> dict[str, float]:
    """Return PSNR and SSIM of a harmonized slice ``[H, W]``."""
    compared = hu, sample.target_hu, QUALITY_RANGE, sample.padding
    return {"psnr_db": psnr(*compared), "ssim": ssim(*compared)}


def read_dataset(plan: Plan, pair: str, way: tuple[str, str], spacing: float) -> Dataset:
    """Return the slices of a pair on some pixels, with the split of the tables."""
    name = data_name(pair, spacing, plan["pairs"][pair]["spacings"][0])
    kernels = (f"data.source_kernel={way[0]}", f"data.target_kernel={way[1]}")
    return load_dataset(list_data(plan, name), override_from_text(Config(), kernels).data)


@dataclass(frozen=True)
class TestSlices:
    """The test slices of one pair on some pixels, and noise like theirs.

    Attributes
    ----------
    pixel_spacing
        In mm, as the files state it.
    noise
        Measured on the training slices on the same pixels.
    """

    samples: tuple[PairedSample, ...]
    pixel_spacing: float
    noise: PairNoise

    @classmethod
    def read(cls, plan: Plan, subject: Subject, spacing: float) -> TestSlices:
        """Read those of a subject's pair."""
        dataset = read_dataset(plan, subject.pair, (subject.source, subject.target), spacing)
        reader = SliceReader(cache_mb=1)
        pixel_spacing = dataset.test[0].spacing
        noise = PairNoise.measure(WholeSlices(dataset.train, reader), pixel_spacing)
        if noise is None:
            what = f"{subject.pair} at {spacing} mm"
            raise RuntimeError(f"{what}: too little soft tissue to measure noise in")
        samples = tuple(reader.read(item) for item in dataset.test)
        return cls(samples, pixel_spacing, noise)

    def with_noise(self, level: float) -> Iterator[PairedSample]:
        """Yield all slices with noise of ``level`` HU in the source: the same for each subject."""
        for number, sample in enumerate(self.samples):
            rng = np.random.default_rng((NOISE_SEED, number))
            noise = self.noise.draw(sample.source_hu.shape, self.pixel_spacing, rng)
            yield add_noise(sample, noise, level) if level else sample
