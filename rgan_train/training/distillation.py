"""Distillation: a small, fast student learns the output of a slow teacher.

The teacher is any model file. It harmonizes the training slices before the first step. Its
outputs are kept in the folder of the run and replace the targets of the training slices.
Everything else is an ordinary training run: validation, the choice of the checkpoint and the
export use the real targets.
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
from rgan_train.config import Config, DistillationConfig, MethodName, override, recommended_config
from rgan_train.evaluation.domain import spacing_notes
from rgan_train.evaluation.metrics.image_quality import psnr
from rgan_train.methods import check_settings
from rgan_train.pairs import Pair, PairedFiles, SliceReader
from rgan_train.training.job import Job, check_folder
from rgan_train.training.run_folder import RunFolder


@dataclass(frozen=True)
class StudentFolder(RunFolder):
    """The folder of a distillation run; its provenance names the teacher.

    Attributes
    ----------
    teacher
        The model that the student learns from.
    notes
        On slices outside the teacher's card.
    """

    teacher: HarmonizationModel
    notes: tuple[str, ...] = ()

    def create(
        self, config: Config, provenance: Mapping[str, Any], encoder: dict[str, Tensor]
    ) -> None:
        """Start a run here; also record the teacher, data and series of its card, and notes."""
        card = self.teacher.card
        teacher = {
            "name": card.name,
            "version": card.version,
            "sha256": self.teacher.sha256,
            "training_data": [dataclasses.asdict(data) for data in card.training_data],
            "series_seen": list(card.series_seen),
            "notes": list(self.notes),
        }
        super().create(config, {**provenance, "teacher": teacher}, encoder)

    def check_resumable(self, config: Config, data_sha256: str) -> None:
        """Refuse to continue with other settings, other data or another teacher."""
        super().check_resumable(config, data_sha256)
        if self.provenance().get("teacher", {}).get("sha256") != self.teacher.sha256:
            raise TrainingError(
                f"{self.path}: the run was started with another teacher than "
                f"{self.teacher.source}, or with none; resume it with the same model file, or "
                "start a new run in another folder"
            )

    def teacher_output(self, part: str, number: int) -> Path:
        """Return the file for the teacher's output for one slice of ``train`` or ``validation``."""
        return self.path / "teacher" / f"{part}-{number:05d}.npy"


def student_config(teacher: ModelCard, method: MethodName = "compact") -> Config:
    """Return the settings recommended for a method, with the teacher's kernels and HU range."""
    (source, *others), handover = teacher.source_kernels, teacher.handover
    data = {
        "source_kernel": "" if others else source,
        "target_kernel": teacher.target_kernel,
        "window": (teacher.window.lower + handover, teacher.window.upper - handover),
    }
    return override(recommended_config(method), {"data": data})


def check_student(config: Config, teacher: ModelCard, pairs: Sequence[Pair]) -> None:
    """Refuse a student that cannot learn from this teacher on these pairs.

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
    if not _accepts_direction(teacher, source or teacher.source_kernels[0], target):
        raise ConfigurationError(
            f"data.source_kernel = '{source}' and data.target_kernel = '{target}': the teacher "
            f"{teacher.name} was made for {kernels}; leave both out, or take another teacher"
        )
    sides = [(pair.kernel_a, pair.kernel_b) for pair in pairs]
    if not any(_accepts_direction(teacher, *d) for side in sides for d in (side, side[::-1])):
        found = ", ".join(sorted({" / ".join(side) for side in sides}))
        raise TrainingError(
            f"the teacher {teacher.name} was made for {kernels}, and no pair has these kernels: "
            f"the list has {found}; take another teacher, or other pairs"
        )


def teach(
    job: Job, folder: StudentFolder, on_progress: Callable[[int, int], None]
) -> tuple[Job, float]:
    """Let the teacher harmonize the slices of a job that will run in ``folder``.

    A resumed run uses the outputs that are there already.

    Parameters
    ----------
    on_progress
        Called with the number of finished slices and the number of all slices.

    Returns
    -------
    job
        The job to train. The target of its training slices is the teacher's output mixed
        with the real target, as ``distillation.teacher_weight`` says. Its notes, and the
        provenance of the run, say where slices are outside the teacher's card.
    float
        The teacher's mean PSNR in dB on the validation slices.

    Raises
    ------
    TrainingError
        If the folder holds another run.
    OutputError
        If the outputs cannot be written.
    EngineError
        If ONNX Runtime is not installed, or the teacher fails.
    """
    before = job.dataset
    slices = (*before.train, *before.validation)
    notes = spacing_notes(folder.teacher.card, [files.spacing for files in slices])
    job = replace(job, folder=replace(folder, notes=notes))
    check_folder(job)
    train = _replace_targets(job.dataset.train, folder, "train")
    validation = _replace_targets(job.dataset.validation, folder, "validation")
    weight = job.config.distillation.teacher_weight
    work = [
        *((*pair, weight) for pair in zip(job.dataset.train, train, strict=True)),
        *((*pair, 1.0) for pair in zip(job.dataset.validation, validation, strict=True)),
    ]
    missing = [item for item in work if not (job.resume and item[1].target.exists())]
    present = len(work) - len(missing)
    on_progress(present, len(work))
    for done in _harmonize(folder.teacher, missing):
        on_progress(present + done, len(work))
    score = _mean_psnr(validation, job.dataset.validation, job.config.data.hu_range)
    said = (*before.notes, *(f"teacher {folder.teacher.card.name}: {note}" for note in notes))
    return replace(job, dataset=replace(before, train=train, notes=said)), score


def _replace_targets(
    slices: Sequence[PairedFiles], folder: StudentFolder, part: str
) -> tuple[PairedFiles, ...]:
    """Return the slices with the teacher's output as their target."""
    return tuple(
        replace(files, target=folder.teacher_output(part, number))
        for number, files in enumerate(slices)
    )


def _harmonize(
    teacher: HarmonizationModel, work: Sequence[tuple[PairedFiles, PairedFiles, float]]
) -> Iterator[int]:
    """Write the teacher's outputs, and yield how many are written.

    Parameters
    ----------
    work
        A slice, the same slice with the file to write as its target, and the teacher's
        weight in it.
    """
    if not work:
        return
    reader = SliceReader(cache_mb=0)
    with Harmonizer(create_engine(teacher, "onnxruntime", "cpu"), None, ("spacing",)) as harmonizer:
        for done, (files, taught, weight) in enumerate(work, start=1):
            source, target = reader.read(files)
            harmonized = harmonizer(source, pixel_spacing=files.spacing)
            _save(weight * harmonized + (1 - weight) * target, taught.target)
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
    harmonized: Sequence[PairedFiles], real: Sequence[PairedFiles], window: HUWindow
) -> float:
    """Return the mean PSNR in dB between the targets of both."""
    reader = SliceReader(cache_mb=0)
    figures = []
    for output, target in zip(harmonized, real, strict=True):
        sample = reader.read(target)
        if not sample.padding.all():
            image = reader.read(output).target_hu
            figures.append(psnr(image, sample.target_hu, window, sample.padding))
    return float(np.mean(figures))


def _accepts_direction(teacher: ModelCard, source: str, target: str) -> bool:
    return teacher.accepts_kernel(source) and teacher.target_kernel.casefold() == target.casefold()
