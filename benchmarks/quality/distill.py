"""Make the table of docs/results/compact.md: RadiomicGAN and its students.

    python benchmarks/quality/distill.py            # train what is missing, measure, write the page
    python benchmarks/quality/distill.py --jobs 4   # so many runs at a time, one thread each

Needs the scans of docs/data.md in .data/, and the teachers: methods.py --only siemens_wide. Runs
are kept in runs/compact/; one that is there is taken as it is. The models take turns on one slice
for their times, so do it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cells import MAIN, count_multiplications, environment, export, measure, run_alone
from result_page import fill_page

from rgan_sdk.harmonizer import Harmonizer
from rgan_train.config import Config, override
from rgan_train.evaluation.metrics.image_quality import QUALITY_RANGE, psnr
from rgan_train.pairs.csv import read_pairs
from rgan_train.pairs.dataset import load_dataset
from rgan_train.pairs.samples import PairedSample, SliceReader
from rgan_train.training.run_folder import RunFolder

SCANS = ".data/pair_lungdx_A0002_siemens"
DIRECTION = ("B40f", "B70f")
TEACHERS = Path("runs/cells")
WINDOW = "data.window=[-1024,2000]"
WORK = Path("runs/compact")
PAGE = Path("docs/results/compact.md")
REPEATS = 20

HEAD = (
    "| model | validation PSNR, dB | PSNR, dB | SSIM | mean error, HU | noise power distance, dB "
    "| to the teacher, dB | GMAC | s per slice | faster | CPU min |"
)


@dataclass(frozen=True)
class Student:
    """A compact model; ``teacher_weight`` None: trained by ``fit``, without a teacher."""

    source: str
    target: str
    row: str
    teacher_weight: float | None

    @property
    def run(self) -> Path:
        """Where it is trained."""
        weight = "none" if self.teacher_weight is None else self.teacher_weight
        return WORK / f"{self.source}-{self.target}-{weight}".lower()

    @property
    def model(self) -> Path:
        """Its model file."""
        return self.run.with_name(f"{self.run.name}.onnx")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    pairs = WORK / "pairs.csv"
    subprocess.run([MAIN, "pair", SCANS, "-o", pairs], check=True, capture_output=True)
    students = students_of(*DIRECTION)
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(lambda student: train(student, pairs), students))
    results = {"-".join(DIRECTION): measure_all(DIRECTION, pairs)}
    PAGE.with_suffix(".json").write_text(
        json.dumps({**results, "environment": environment()}, indent=1) + "\n"
    )
    write_page(results)


def students_of(source: str, target: str) -> list[Student]:
    """Return the students of one direction."""
    rows = {"student": 0.5, "student, teacher alone": 1.0, "without a teacher": None}
    return [Student(source, target, row, weight) for row, weight in rows.items()]


def teacher_of(source: str, target: str) -> Path:
    """Return the teacher's file."""
    return TEACHERS / f"siemens_wide_{source}-{target}_RadiomicGAN_seed0.onnx"


def train(student: Student, pairs: Path) -> None:
    """Train and export on one thread, unless that is done; keep the minutes."""
    record = student.run / "minutes.json"
    if record.exists():
        return
    shutil.rmtree(student.run, ignore_errors=True)
    teacher = teacher_of(student.source, student.target)
    if student.teacher_weight is None:
        command = [MAIN, "fit", pairs, "-o", student.run, "--method", "compact"]
        command += ["--set", f"data.source_kernel={student.source}"]
        command += ["--set", f"data.target_kernel={student.target}", "--set", WINDOW]
    else:
        command = [MAIN, "distill", teacher, pairs, "-o", student.run]
        command += ["--set", f"distillation.teacher_weight={student.teacher_weight}"]
    command += ["--set", "training.precision=bf16-mixed"]
    seconds = run_alone(command)
    export(student.run, student.model, "siemens")
    record.write_text(json.dumps(round(seconds / 60, 2)) + "\n")


def measure_all(direction: tuple[str, str], pairs: Path) -> dict[str, dict[str, Any]]:
    """Return the figures of the teacher and its students on the test slices."""
    kernels = dict(zip(("source_kernel", "target_kernel"), direction, strict=True))
    dataset = load_dataset(read_pairs(pairs), override(Config(), {"data": kernels}).data)
    reader, spacing = SliceReader(4096), dataset.test[0].spacing
    test, validation = (
        [reader.read(item) for item in part] for part in (dataset.test, dataset.validation)
    )
    students = {student.row: student for student in students_of(*direction)}
    files = {"teacher": teacher_of(*direction), **{row: s.model for row, s in students.items()}}
    results: dict[str, dict[str, Any]] = {}
    outputs: dict[str, list[np.ndarray]] = {}
    for row, file in files.items():
        with load(file) as harmonizer:
            outputs[row] = [harmonizer(s.source_hu, pixel_spacing=spacing) for s in test]
            results[row] = {
                "sha256": harmonizer.model.sha256,
                "validation_psnr_db": score(harmonizer, validation, spacing),
                **measure(outputs[row], test),
                "gmac": round(count_multiplications(file) / 1e9, 2),
            }
    for row, student in students.items():
        pairs_of_images = zip(outputs[row], outputs["teacher"], strict=True)
        figures = [psnr(*images, QUALITY_RANGE) for images in pairs_of_images]
        results[row]["to_teacher_db"] = float(np.mean(figures))
        results[row]["cpu_minutes"] = json.loads((student.run / "minutes.json").read_text())
        results[row]["configuration"] = json.loads(RunFolder(student.run).config().to_json())
    for row, seconds in time_all(files, test[0].source_hu, spacing).items():
        results[row] |= seconds
    return results


def load(file: Path) -> Harmonizer:
    """Open a model with the engine that all times and figures are from."""
    return Harmonizer.load(file, engine="onnxruntime", device="cpu", outside_domain=("spacing",))


def score(harmonizer: Harmonizer, samples: list[PairedSample], spacing: float) -> float:
    """Return the mean PSNR in dB."""
    images = (harmonizer(sample.source_hu, pixel_spacing=spacing) for sample in samples)
    figures = [
        psnr(image, sample.target_hu, QUALITY_RANGE)
        for image, sample in zip(images, samples, strict=True)
    ]
    return float(np.mean(figures))


def time_all(files: dict[str, Path], hu: np.ndarray, spacing: float) -> dict[str, dict[str, float]]:
    """Time the models in turns on one slice; a ratio is the median over the turns."""
    harmonizers = {row: load(file) for row, file in files.items()}
    seconds: dict[str, list[float]] = {row: [] for row in files}
    for _ in range(REPEATS + 1):
        for row, harmonizer in harmonizers.items():
            start = time.perf_counter()
            harmonizer(hu, pixel_spacing=spacing)
            seconds[row].append(time.perf_counter() - start)
    timed = {row: times[1:] for row, times in seconds.items()}  # the first one allocates
    return {
        row: {
            "median_s": round(statistics.median(times), 4),
            "min_s": round(min(times), 4),
            "max_s": round(max(times), 4),
            "faster": round(
                statistics.median(
                    teacher / own for teacher, own in zip(timed["teacher"], times, strict=True)
                ),
                1,
            ),
        }
        for row, times in timed.items()
    }


def write_page(results: dict[str, dict[str, dict[str, Any]]]) -> None:
    """Fill the table of the page."""
    tables = [
        "\n".join((f"**{direction.replace('-', ' to ')}**\n", HEAD, "|---" * 11 + "|", *lines))
        for direction, rows in results.items()
        for lines in [[line(row, figures) for row, figures in rows.items()]]
    ]
    fill_page(PAGE, {"table": "\n\n".join(tables)})


def line(row: str, figures: dict[str, Any]) -> str:
    """Return the line of one model."""
    cells = [
        row,
        f"{figures['validation_psnr_db']:.2f}",
        f"{figures['psnr_db']:.2f} ({figures['psnr_sd']:.2f})",
        f"{figures['ssim']:.4f}",
        f"{figures['mae_hu']:.2f}",
        f"{figures['nps_distance_db']:.2f}",
        f"{figures['to_teacher_db']:.2f}" if "to_teacher_db" in figures else "",
        f"{figures['gmac']:.2f}",
        f"{figures['median_s']:.3f} ({figures['min_s']:.3f} to {figures['max_s']:.3f})",
        f"{figures['faster']:.1f}x",
        f"{figures['cpu_minutes']:.1f}" if "cpu_minutes" in figures else "",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
