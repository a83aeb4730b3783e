"""``rgan-train match``: a model from two groups of series, without pairs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from rgan_sdk.cli.lazy import INTERRUPTED
from rgan_train.cli.extra import require_train_extra
from rgan_train.cli.options import EXISTING_FILE, assignments_option, config_option

if TYPE_CHECKING:
    from rgan_train.config import Config
    from rgan_train.export.files import ExportResult
    from rgan_train.matching.certificate import Evidence
    from rgan_train.matching.measurement import Measurement
    from rgan_train.matching.network import NetworkMethod

EXAMPLES = """\b
Examples:
  rgan-train match --source CAME --target STUDY -o came-to-study.onnx
  rgan-train match --source A1 --source A2 --target B --third C -o a-to-b.onnx
  rgan-train match --source CAME --target STUDY --method compact \\
      --run runs/first -o network.onnx
  rgan-train match --source-phantom QA/B40f --target-phantom QA/B70f \\
      -o b40f-to-b70f.onnx
  rgan-harmonize run CAME harmonized --model came-to-study.onnx"""

NOTABLE = 1.05
"""By which factor a model's gain may be below the measured one without a word."""

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command(epilog=EXAMPLES)
@click.option(
    "--source",
    "sources",
    metavar="DIR",
    multiple=True,
    type=FOLDER,
    help="Folder of series to harmonize; may be repeated.",
)
@click.option(
    "--target",
    "targets",
    metavar="DIR",
    multiple=True,
    type=FOLDER,
    help="Folder of series that show the wanted kernel; may be repeated.",
)
@click.option(
    "--source-phantom",
    "source_phantoms",
    metavar="DIR",
    multiple=True,
    type=FOLDER,
    help="Folder of series of a QA phantom with the source's kernel, instead of --source or beside "
    "it; may be repeated.",
)
@click.option(
    "--target-phantom",
    "target_phantoms",
    metavar="DIR",
    multiple=True,
    type=FOLDER,
    help="The same with the target's kernel.",
)
@click.option(
    "--third",
    "thirds",
    metavar="DIR",
    multiple=True,
    type=FOLDER,
    help="Folder of series with a third kernel, to check the model with; may be repeated.",
)
@click.option(
    "-o",
    "--output",
    metavar="MODEL.onnx",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The model to write, in fp32; the fp16 one is written beside it as MODEL.fp16.onnx.",
)
@click.option(
    "--method",
    type=click.Choice(["linear", "compact", "physics+gan", "radiomicgan"]),
    default="linear",
    show_default=True,
    help="The linear filter itself, or a network that is trained on simulated pairs.",
)
@click.option(
    "--run",
    metavar="RUN",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the training of a network: simulated series, and what `fit` writes.",
)
@config_option
@assignments_option(" of a network")
@click.option(
    "--vgg-weights",
    metavar="F",
    type=EXISTING_FILE,
    help="Weights of the pretrained encoder; without this option vgg19 is downloaded.",
)
@click.option("--mixed", is_flag=True, help="Take several kernels in a group as one.")
@click.option("--name", help="The model's name.  [default: SOURCE-to-TARGET, after the kernels]")
@click.option("--data-name", default="", help="Name of the series, for the model card.")
@click.option("--data-licence", default="", help="Licence of the series.")
@click.option("--data-citation", default="", help="How to cite the series.")
def command(
    sources: tuple[Path, ...],
    targets: tuple[Path, ...],
    source_phantoms: tuple[Path, ...],
    target_phantoms: tuple[Path, ...],
    thirds: tuple[Path, ...],
    output: Path,
    method: str,
    run: Path | None,
    config_file: Path | None,
    assignments: tuple[str, ...],
    vgg_weights: Path | None,
    mixed: bool,
    name: str | None,
    data_name: str,
    data_licence: str,
    data_citation: str,
) -> None:
    """Make a model from two groups of series that show different patients.

    Measures the convolution kernel of both groups from their power spectra, and writes a linear
    filter that turns the one into the other. No pairs are needed: patients, doses and pixel
    spacings may differ. Each group should hold some twenty slices of the body or more, with one
    kernel. Two scans of a QA phantom with rods or wires do as well as patients.

    Another --method trains a network. Its pairs are the series of the sharper group, and what the
    measured softer kernel makes of them. RUN keeps them, and is a run as `fit` makes it. The same
    command goes on with a training that was interrupted, and exports one that is finished once
    more.

    What the fits say of each other is printed and drawn beside MODEL.onnx: halves of the groups
    must give the same filter, and a half matched to the other half none.
    """
    for name_of, given in (
        ("source", sources + source_phantoms),
        ("target", targets + target_phantoms),
    ):
        if not given:
            raise click.UsageError(f"give --{name_of} DIR or --{name_of}-phantom DIR")
    require_train_extra()

    from rgan_train.cli.certificate_plot import write_certificate
    from rgan_train.config import Config, override, override_from_text, read_toml
    from rgan_train.export.files import check_names
    from rgan_train.matching.groups import open_group
    from rgan_train.matching.match import match
    from rgan_train.matching.measurement import measure
    from rgan_train.matching.network import check_start, network_config

    facts = {"name": data_name, "licence": data_licence, "citation": data_citation}
    stated = {"data": {key: text for key, text in facts.items() if text}}
    if method == "linear":
        _refuse_training_options(
            run=run, config=config_file, set=assignments, **{"vgg-weights": vgg_weights}
        )
    elif run is None:
        raise click.UsageError(f"--method {method} trains a network: give a folder with --run RUN")
    check_names(output, name)
    source, target = (
        open_group(what, folders, phantoms=phantoms, mixed=mixed)
        for what, folders, phantoms in (
            ("source", sources, source_phantoms),
            ("target", targets, target_phantoms),
        )
    )
    third = open_group("third", thirds, mixed=mixed) if thirds else None
    page = output.with_suffix(".certificate.png")
    if run is None:
        result = match(
            source, target, output, third=third, name=name, data=override(Config(), stated).data
        )
        evidence, exported, notes = result.evidence, result.exported, result.notes
        write_certificate(page, evidence, source.kernels[0], target.kernels[0])
        echo([*describe_files(exported), *describe_evidence(evidence), f"curves: {page}"], notes)
        return
    start = network_config(cast("NetworkMethod", method), source, target)
    if config_file:
        start = read_toml(config_file, start)
    config = override(override_from_text(start, assignments), stated)
    check_start(config, run, source, target)
    measurement = measure(source, target, third)
    write_certificate(page, measurement.evidence, source.kernels[0], target.kernels[0])
    echo([*describe_evidence(measurement.evidence), f"curves: {page}"], measurement.notes)
    exported = train_network(measurement, config, run, output, vgg_weights, name)
    echo(describe_files(exported), exported.warnings)


def train_network(
    measurement: Measurement,
    config: Config,
    run: Path,
    output: Path,
    vgg_weights: Path | None,
    name: str | None,
) -> ExportResult:
    """Simulate pairs in ``run``, train on them, and export the network; go on with a run."""
    from rgan_train.cli.progress import show_progress
    from rgan_train.export import export_run, load_graph
    from rgan_train.matching.drift import describe_drift, measure_drift
    from rgan_train.matching.network import describe_outside, prepare_job
    from rgan_train.training import fit

    with click.progressbar(length=0, label="simulated slices", file=sys.stderr) as bar:

        def show(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        job = prepare_job(measurement, config, run, show, vgg_weights)
    with show_progress() as report:
        outcome = fit(job, report)
    if outcome.status == "interrupted":
        click.echo("interrupted; the same command goes on", err=True)
        raise click.exceptions.Exit(INTERRUPTED)
    exported = export_run(job.folder, output, name=name)
    drift = measure_drift(load_graph(job.folder, job.config, "best"), measurement)
    outside = describe_outside(measurement.source, exported.card)
    remarks = outcome.note, outcome.failure, outside, describe_drift(drift)
    warnings = (*filter(None, remarks), *exported.warnings)
    return replace(exported, warnings=warnings)


def describe_files(exported: ExportResult) -> list[str]:
    """Return the files of a model, in lines."""
    return [
        f"{file.path}: {precision}, {file.size / 1e6:.2f} MB, sha256 {file.sha256}"
        for precision, file in exported.files.items()
    ]


def describe_evidence(evidence: Evidence) -> list[str]:
    """Return what was measured, in lines."""
    import numpy as np

    from rgan_sdk.cli.domain import describe_certificate

    transfer = evidence.direct
    ratio = transfer.ratio
    lines = ["gain by spatial frequency, with 95 % limits from resampled slices:"]
    is_less = False
    for frequency in range(1, int(transfer.nyquist) + 1):
        value, lower, upper = (
            float(np.interp(frequency, ratio.frequency, curve))
            for curve in (ratio.value, ratio.lower, ratio.upper)
        )
        line = f"  {frequency:2d} lp/cm  {value:.3f} ({lower:.3f} to {upper:.3f})"
        gain = float(transfer.gain(np.array(frequency)))
        if gain < value / NOTABLE:
            line += f"; the model has {gain:.3f}"
            is_less = True
        lines.append(line)
    if is_less:
        lines.append("(the model has less where the source holds little, and never above 10)")
    return [*lines, *describe_certificate(evidence.certificate())]


def echo(lines: Sequence[str], notes: Sequence[str]) -> None:
    """Print notes to stderr, then lines."""
    from rgan_sdk.cli.tables import as_text

    for note in notes:
        click.echo(as_text(note).plain, err=True)
    for line in lines:
        click.echo(as_text(line).plain)


def _refuse_training_options(**options: object) -> None:
    """Refuse options that a linear filter would ignore."""
    for name, value in options.items():
        if value:
            raise click.UsageError(
                f"--{name} is for the training of a network; choose one with --method, or leave it "
                "out"
            )
