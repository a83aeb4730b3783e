"""``rgan-train evaluate``: the effect of models, on pairs or on two groups of series."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rgan_sdk.cores import usable_cores
from rgan_sdk.files import make_folder
from rgan_train.cli.extra import require_evaluation
from rgan_train.cli.headers import count_headers
from rgan_train.cli.options import (
    EXISTING_FILE,
    assignments_option,
    config_option,
    files_by_name,
    model_files_option,
    structures_option,
)

if TYPE_CHECKING:
    from rgan_train.evaluation.evaluate import EvaluationOptions, EvaluationProgress
    from rgan_train.evaluation.lungs.compare import LungCase
    from rgan_train.evaluation.results import Evaluation

EXAMPLES = """\b
Examples:
  rgan-train evaluate pairs.csv --model b40f-to-b70f -o report \\
      --set data.source_kernel=B40f --set data.target_kernel=B70f
  rgan-train evaluate pairs.csv --config my.toml -o report-of-two \\
      --model mine=mine.onnx --model old=old.onnx
  rgan-train evaluate pairs.csv --config my.toml -o report-of-tumours \\
      --model mine.onnx --masks rtstruct.dcm --structure GTV \\
      --parameters pyradiomics.yaml
  rgan-train evaluate --source CAME --target STUDY -o report-of-groups \\
      --model came-to-study.onnx

The test slices are those that `fit` does not use with the same --config and --set. Pairs with
`test` in the column `split` are tested completely. `--set data.fold=1` to `5` tests another
fifth of the slices or patients."""


FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command(epilog=EXAMPLES)
@click.argument("pairs", metavar="[PAIRS.csv]", required=False, type=EXISTING_FILE)
@click.option(
    "--source",
    "sources",
    metavar="DIR",
    multiple=True,
    type=FOLDER,
    help="Instead of PAIRS.csv: folder of series to harmonize; may be repeated.",
)
@click.option(
    "--target",
    "targets",
    metavar="DIR",
    multiple=True,
    type=FOLDER,
    help="Folder of series with the wanted kernel, of any patients; may be repeated.",
)
@click.option("--mixed", is_flag=True, help="Take several kernels in a group as one.")
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
    help="Label map (NIfTI, NRRD, MetaImage), DICOM SEG, RTSTRUCT or XML of LIDC on the grid of "
    "the one pair listed.",
)
@structures_option("--masks")
@click.option(
    "--boxes",
    metavar="FOLDER",
    type=FOLDER,
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
    pairs: Path | None,
    sources: tuple[Path, ...],
    targets: tuple[Path, ...],
    mixed: bool,
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
    stable_features.csv lists the features that a study may trust, for `features --stable`.
    Writes report.html, which opens in a browser from disk, and tables as CSV, JSON, Markdown
    and LaTeX. After Ctrl-C the same command continues where it stopped.

    With --source and --target there are no pairs: two groups of series that show different
    patients are compared, before and after harmonization of the source. Distances of features, a
    classifier that tells the groups apart, noise, MTF, HU by tissue, and lesions that are put in.
    """
    require_evaluation()

    from rgan_train.evaluation.evaluate import EvaluationOptions

    options = EvaluationOptions(parameters, regions, workers)
    make_folder(output)
    if sources or targets:
        if not (sources and targets):
            raise click.UsageError("give --source and --target, a group of series each")
        if pairs or config_file or assignments or masks or structures or boxes:
            raise click.UsageError(
                "--source and --target compare groups without pairs: PAIRS.csv, --config, --set, "
                "--masks, --structure and --boxes do not go with them"
            )
        _evaluate_groups(sources, targets, files_by_name(models), output, options, mixed)
        return
    if pairs is None:
        raise click.UsageError("give PAIRS.csv, or --source and --target")
    if mixed:
        raise click.UsageError("--mixed goes with --source and --target")

    from rgan_train.config import Config, override_from_text, read_toml
    from rgan_train.evaluation.evaluate import evaluate
    from rgan_train.evaluation.regions.given_regions import read_box_regions, read_mask_regions
    from rgan_train.evaluation.report.write import write_report
    from rgan_train.pairs.csv import read_pairs
    from rgan_train.pairs.dataset import load_dataset

    config = override_from_text(read_toml(config_file) if config_file else Config(), assignments)
    listed = read_pairs(pairs)
    with count_headers() as on_files:
        dataset = load_dataset(listed, config.data, needed=("test",), on_files=on_files)
    given, notes = read_mask_regions(masks, listed, dataset, structures)
    if boxes is not None:
        given += read_box_regions(boxes, dataset)
    with _show_progress() as progress:
        evaluation = evaluate(
            dataset,
            files_by_name(models),
            output / "features",
            options=options,
            given=given,
            notes=notes,
            progress=progress,
        )
    page = write_report(evaluation.with_provenance(command=_command_line()), output)
    _summarize(evaluation)
    click.echo(f"{page}: open it in a browser")


def _command_line() -> str:
    return shlex.join(["rgan-train", *sys.argv[1:]])


def _evaluate_groups(
    sources: tuple[Path, ...],
    targets: tuple[Path, ...],
    models: dict[str, str],
    output: Path,
    options: EvaluationOptions,
    mixed: bool,
) -> None:
    """Compare two groups of series without pairs, and print what was found."""
    from rgan_sdk.cli.tables import as_text
    from rgan_train.evaluation.cohorts.evaluate import evaluate_cohorts
    from rgan_train.evaluation.cohorts.results import UNPROVEN
    from rgan_train.evaluation.report.cohorts.findings import summarize
    from rgan_train.evaluation.report.cohorts.write import write_cohort_report
    from rgan_train.matching.groups import open_group, require_disjoint

    groups = [
        open_group("source", sources, mixed=mixed),
        open_group("target", targets, mixed=mixed),
    ]
    require_disjoint(groups)
    with _show_progress() as progress:
        evaluation = evaluate_cohorts(
            groups[0].series,
            groups[1].series,
            models,
            output / "features",
            options=options,
            notes=[note for group in groups for note in group.notes],
            progress=progress,
        )
    page = write_cohort_report(evaluation.with_provenance(command=_command_line()), output)
    for line in (summarize(evaluation), *evaluation.notes, UNPROVEN):
        click.echo(as_text(line).plain)
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
    """Print how many features are reproducible, and how many are stable."""
    from rgan_train.evaluation.report.texts import format_count, pluralize
    from rgan_train.evaluation.report.trust import describe_patients, stable_everywhere
    from rgan_train.evaluation.results import THRESHOLDS

    wide = max([24, *(len(one.method) + 1 for one in evaluation.agreements)])
    for agreement in evaluation.agreements:
        count = agreement.counts[THRESHOLDS[0]]
        click.echo(
            f"{agreement.group:<20} {agreement.method:<{wide}} {format_count(count)} of "
            f"{count.total:,} features with CCC > {THRESHOLDS[0]}; "
            f"{pluralize(agreement.regions, 'region')} on {pluralize(agreement.slices, 'slice')}"
        )
    for method in dict.fromkeys(one.method for one in evaluation.stability):
        stable = stable_everywhere(evaluation, method)
        click.echo(
            f"{'all regions':<20} {method:<{wide}} {stable.sum():>5} of {len(stable)} features are "
            f"stable. {describe_patients(evaluation.stability)}".rstrip()
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
