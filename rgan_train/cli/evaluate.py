"""``rgan-train evaluate``: the effect of models on radiomic features."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rgan_sdk.cores import usable_cores
from rgan_train.cli.extra import require_evaluation
from rgan_train.cli.options import (
    EXISTING_FILE,
    assignments_option,
    config_option,
    files_by_name,
    model_files_option,
    structures_option,
)

if TYPE_CHECKING:
    from rgan_train.evaluation.evaluate import EvaluationProgress
    from rgan_train.evaluation.lungs.compare import LungCase
    from rgan_train.evaluation.results import Evaluation

EXAMPLES = """\b
Examples:
  rgan-train evaluate pairs.csv --model b40f-to-b70f -o report
  rgan-train evaluate pairs.csv --model mine=mine.onnx --model old=old.onnx \\
      --set data.source_kernel=B40f --set data.target_kernel=B70f -o report
  rgan-train evaluate pairs.csv --model mine.onnx --masks rtstruct.dcm --structure GTV \\
      --parameters pyradiomics.yaml -o report

The test slices are those that `fit` does not use with the same --config and --set. Pairs with
`test` in the column `split` are tested completely."""


@click.command(epilog=EXAMPLES)
@click.argument("pairs", metavar="PAIRS.csv", type=EXISTING_FILE)
@model_files_option
@click.option(
    "-o",
    "--output",
    metavar="REPORT",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for report.html, tables, and computed features.",
)
@config_option
@assignments_option(", such as the direction")
@click.option(
    "--parameters",
    metavar="F.yaml",
    type=EXISTING_FILE,
    help="Parameter file of pyradiomics.  [default: 1,395 features]",
)
@click.option(
    "--masks",
    metavar="FILE",
    multiple=True,
    type=EXISTING_FILE,
    help="Label map (NIfTI, NRRD, MetaImage), DICOM SEG or RTSTRUCT on the grid of the one pair "
    "listed.",
)
@structures_option("--masks")
@click.option(
    "--boxes",
    metavar="FOLDER",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Boxes in Pascal VOC XML, named by SOPInstanceUID.",
)
@click.option(
    "--regions",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Smallest number of random regions in each HU range.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=usable_cores,
    help="Processes that compute features.  [default: one per usable core]",
)
def command(
    pairs: Path,
    models: tuple[str, ...],
    output: Path,
    config_file: Path | None,
    assignments: tuple[str, ...],
    parameters: Path | None,
    masks: tuple[Path, ...],
    structures: tuple[str, ...],
    boxes: Path | None,
    regions: int,
    workers: int,
) -> None:
    """Measure the effect of models on radiomic features and image quality.

    Compares the features of whole slices, of random regions in three HU ranges and of given
    regions with those of the target: which features are reproducible, and with which model?
    Lung density (LAA-950, LAA-910, Perc15, mean) is compared where the target shows lungs.
    Writes report.html, which opens in a browser from disk, and tables as CSV, JSON, Markdown
    and LaTeX. After Ctrl-C the same command continues where it stopped.
    """
    require_evaluation()

    from rgan_train.config import Config, override_from_text, read_toml
    from rgan_train.evaluation.evaluate import EvaluationOptions, evaluate
    from rgan_train.evaluation.regions.given_regions import read_box_regions, read_mask_regions
    from rgan_train.evaluation.report.write import write_report
    from rgan_train.pairs.csv import read_pairs
    from rgan_train.pairs.dataset import load_dataset

    config = override_from_text(read_toml(config_file) if config_file else Config(), assignments)
    listed = read_pairs(pairs)
    dataset = load_dataset(listed, config.data, needed=("test",))
    given, notes = read_mask_regions(masks, listed, dataset, structures)
    if boxes is not None:
        given += read_box_regions(boxes, dataset)
    with _show_progress() as progress:
        evaluation = evaluate(
            dataset,
            files_by_name(models),
            output / "features",
            options=EvaluationOptions(parameters, regions, workers),
            given=given,
            notes=(*dataset.notes, *notes),
            progress=progress,
        )
    command_line = shlex.join(["rgan-train", *sys.argv[1:]])
    page = write_report(evaluation.with_provenance(command=command_line), output)
    _summarize(evaluation)
    click.echo(f"{page}: open it in a browser")


@contextmanager
def _show_progress() -> Iterator[EvaluationProgress]:
    """Yield a function that shows the progress of an evaluation."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    tasks: dict[str, TaskID] = {}
    with Bars(*columns, TimeRemainingColumn(), console=console) as bars:

        def show(what: str, done: int, total: int) -> None:
            if not console.is_terminal:
                if done == total:
                    click.echo(f"{what}: {total} done", err=True)
                return
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)

        yield show


def _summarize(evaluation: Evaluation) -> None:
    """Print how many features are reproducible."""
    from rgan_train.evaluation.results import THRESHOLDS

    for agreement in evaluation.agreements:
        count = agreement.counts[THRESHOLDS[0]]
        low, high = count.interval
        click.echo(
            f"{agreement.group:<20} {agreement.method:<24} {count.features:>5} of {count.total} "
            f"features with CCC > {THRESHOLDS[0]} ({low:.0f} to {high:.0f}; "
            f"{agreement.regions} regions on {agreement.slices} slices)"
        )
    for case in evaluation.lungs:
        _summarize_lungs(case)
    for note in evaluation.notes:
        click.echo(f"note: {note}")


def _summarize_lungs(case: LungCase) -> None:
    """Print the lung density of all variants of a scan."""
    from rgan_train.evaluation.lungs.density import END_POINTS

    for variant, density in case.densities.items():
        figures = ", ".join(
            f"{point.title} {getattr(density, name):.{point.digits}f} {point.unit}"
            for name, point in END_POINTS.items()
        )
        click.echo(f"{'lung density':<20} {variant:<24} {figures} (patient {case.patient})")
