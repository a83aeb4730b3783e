"""Distillation: a small, fast student learns what a slow teacher makes of the source.

The teacher is any model file. It harmonizes the training slices before the first step, and
its output, kept in the run's folder, takes the target's place there. The rest is a training
run as any other: validation, choice of the checkpoint and export see the real target.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from rgan_sdk.card import ModelCard
from rgan_sdk.engines import create_engine
from rgan_sdk.errors import ConfigurationError, OutputError, TrainingError
from rgan_sdk.files import atomic_write
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.hu import HUWindow
from rgan_sdk.model import HarmonizationModel
from rgan_train.config import Config, DistillationConfig, override, recommended
from rgan_train.evaluation.metrics.image_quality import psnr
from rgan_train.methods import check_settings
from rgan_train.pairs.dataset import PairedSlice
from rgan_train.pairs.find import Pair
from rgan_train.pairs.samples import SliceReader
from rgan_train.training.run_folder import RunFolder
from rgan_train.training.trainer import Job, check_folder

Progress = Callable[[int, int], None]
"""Called with the number of slices that are done, and of all."""


@dataclass(frozen=True)
class TaughtRun(RunFolder):
    """A run whose provenance names its teacher."""

    teacher: HarmonizationModel

    def create(
        self, config: Config, provenance: Mapping[str, Any], encoder: dict[str, Tensor]
    ) -> None:
        """Start a run here; record the teacher, and the data that its card names."""
        card = self.teacher.card
        teacher = {
            "name": card.name,
            "version": card.version,
            "sha256": self.teacher.sha256,
            "training_data": [dataclasses.asdict(data) for data in card.training_data],
        }
        super().create(config, {**provenance, "teacher": teacher}, encoder)

    def check_resumable(self, config: Config, data_sha256: str) -> None:
        """Refuse to go on with another configuration, other data or another teacher."""
        super().check_resumable(config, data_sha256)
        if self.provenance().get("teacher", {}).get("sha256") != self.teacher.sha256:
            raise TrainingError(
                f"{self.path}: the run was started with another teacher than "
                f"{self.teacher.source}, or with none; resume it with the same model file, or "
                "start a new run in another folder"
            )

    def lesson(self, part: str, number: int) -> Path:
        """Where the teacher's output for a slice is kept."""
        return self.path / "teacher" / f"{part}-{number:05d}.npy"


def student_settings(teacher: ModelCard) -> Config:
    """Return the compact student's settings with the teacher's kernels and HU range."""
    (source, *others), handover = teacher.source_kernels, teacher.handover
    data = {
        "source_kernel": "" if others else source,
        "target_kernel": teacher.target_kernel,
        "window": (teacher.window.lower + handover, teacher.window.upper - handover),
    }
    return override(recommended("compact"), {"data": data})


def check_student(config: Config, teacher: ModelCard, pairs: Sequence[Pair]) -> None:
    """Refuse a student that this teacher cannot teach on these pairs.

    Raises
    ------
    ConfigurationError
        If the kernels are not the teacher's, or a setting would be ignored.
    TrainingError
        If no pair has the teacher's kernels.
    """
    check_settings(replace(config, distillation=DistillationConfig()))
    kernels = f"{' or '.join(teacher.source_kernels)} to {teacher.target_kernel}"
    source, target = config.data.source_kernel, config.data.target_kernel
    if not _teaches(teacher, source or teacher.source_kernels[0], target):
        raise ConfigurationError(
            f"data.source_kernel = {source!r} and data.target_kernel = {target!r}: the teacher "
            f"{teacher.name} was made for {kernels}; leave both out, or take another teacher"
        )
    sides = [(pair.kernel_a, pair.kernel_b) for pair in pairs]
    if not any(_teaches(teacher, *side) or _teaches(teacher, *side[::-1]) for side in sides):
        found = ", ".join(sorted({" / ".join(side) for side in sides}))
        raise TrainingError(
            f"the teacher {teacher.name} was made for {kernels}, and no pair has these kernels: "
            f"the list has {found}; take another teacher, or other pairs"
        )


def teach(job: Job, run: TaughtRun, progress: Progress) -> tuple[Job, float]:
    """Let the teacher harmonize a job's slices, before the job is run in ``run``.

    A resumed run finds the teacher's outputs there.

    Returns
    -------
    job
        Its training slices have the teacher's output as target, mixed with the real one as
        ``distillation.teacher_weight`` says.
    float
        The teacher's mean PSNR in dB on the validation slices.

    Raises
    ------
    TrainingError
        If the folder holds another run.
    OutputError
        If the outputs cannot be kept there.
    EngineError
        If ONNX Runtime is not installed, or the teacher fails.
    """
    job = replace(job, run=run)
    check_folder(job)
    train, validation = (
        tuple(
            replace(item, target=run.lesson(part, number))
            for number, item in enumerate(getattr(job.dataset, part))
        )
        for part in ("train", "validation")
    )
    weight = job.config.distillation.teacher_weight
    work = [
        *((*pair, weight) for pair in zip(job.dataset.train, train, strict=True)),
        *((*pair, 1.0) for pair in zip(job.dataset.validation, validation, strict=True)),
    ]
    missing = [step for step in work if not (job.resume and step[1].target.exists())]
    there = len(work) - len(missing)
    progress(there, len(work))
    for done in _harmonize(run.teacher, missing):
        progress(there + done, len(work))
    score = _mean_psnr(validation, job.dataset.validation, job.config.data.hu_range)
    return replace(job, dataset=replace(job.dataset, train=train)), score


def _harmonize(
    teacher: HarmonizationModel, work: Sequence[tuple[PairedSlice, PairedSlice, float]]
) -> Iterator[int]:
    """Write for each slice the target of its taught twin; yield how many are written."""
    if not work:
        return
    reader = SliceReader(cache_mb=0)
    with Harmonizer(create_engine(teacher, "onnxruntime", "cpu")) as harmonizer:
        for done, (item, taught, weight) in enumerate(work, start=1):
            source, target = reader.read(item)
            _save(weight * harmonizer(source) + (1 - weight) * target, taught.target)
            yield done


def _save(hu: NDArray[np.float32], path: Path) -> None:
    """Write an array whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, durable=True) as temporary, temporary.open("wb") as file:
            np.save(file, hu)
    except OSError as exc:
        raise OutputError(f"{path}: cannot be written ({exc.strerror})") from exc


def _mean_psnr(
    harmonized: Sequence[PairedSlice], real: Sequence[PairedSlice], window: HUWindow
) -> float:
    reader = SliceReader(cache_mb=0)
    figures = [
        psnr(reader.read(output).target_hu, reader.read(target).target_hu, window)
        for output, target in zip(harmonized, real, strict=True)
    ]
    return float(np.mean(figures))


def _teaches(teacher: ModelCard, source: str, target: str) -> bool:
    return teacher.accepts_kernel(source) and teacher.target_kernel.casefold() == target.casefold()
