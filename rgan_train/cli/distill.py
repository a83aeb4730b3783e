"""``rgan-train distill``: a small, fast model that learns from a large one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rgan_train.cli.extra import require_train_extra
from rgan_train.cli.headers import count_headers
from rgan_train.cli.options import (
    EXISTING_FILE,
    assignments_option,
    config_option,
    resume_option,
    run_option,
)

if TYPE_CHECKING:
    from rgan_train.config import Config

EXAMPLES = """\b
Examples:
  rgan-train distill b40f-to-b70f.onnx pairs.csv -o runs/student
  rgan-train distill b40f-to-b70f.onnx pairs.csv -o runs/student --resume
  rgan-train export runs/student -o student.onnx"""


@click.command(epilog=EXAMPLES)
@click.argument("model", metavar="MODEL")
@click.argument("pairs", metavar="PAIRS.csv", type=EXISTING_FILE)
@run_option("the teacher's outputs, and what `fit` writes")
@config_option
@assignments_option()
@resume_option
def command(
    model: str,
    pairs: Path,
    run: Path,
    config_file: Path | None,
    assignments: tuple[str, ...],
    resume: bool,
) -> None:
    """Train a small student on the output of MODEL, the teacher, for the pairs of PAIRS.csv.

    MODEL is a file or the name of a packaged model. The student has the teacher's kernels
    and HU range. By default it is a compact network for the CPU; --config and --set change
    its settings. With another method.name it starts from the settings recommended for that
    method. RUN is a run as `fit` makes it.
    """
    require_train_extra()

    from rgan_sdk.model import HarmonizationModel
    from rgan_train.cli.fit import echo_outcome
    from rgan_train.cli.progress import show_progress
    from rgan_train.config import override_from_text, read_toml
    from rgan_train.pairs import read_pairs
    from rgan_train.training import Job, fit
    from rgan_train.training.distillation import StudentFolder, check_student, student_config, teach

    teacher = HarmonizationModel.open(model)
    folder = StudentFolder(run, teacher)

    def configure(start: Config) -> Config:
        config = read_toml(config_file, start) if config_file else start
        return override_from_text(config, assignments)

    if resume and not config_file:
        config = configure(folder.config())
    else:
        method = configure(student_config(teacher.card)).method.name
        config = configure(student_config(teacher.card, method))
    listed = read_pairs(pairs)
    check_student(config, teacher.card, listed)
    with count_headers() as on_files:
        job = Job.from_pairs(config, listed, folder, resume=resume, on_files=on_files)
    with click.progressbar(length=0, label="teacher", file=sys.stderr) as bar:

        def show(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        job, score = teach(job, folder, show)
    click.echo(f"teacher {teacher.card.name}: validation PSNR {score:.2f} dB")
    with show_progress() as report:
        outcome = fit(job, report)
    echo_outcome(outcome, run)
