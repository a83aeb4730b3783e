"""``rgan-train export``: a trained model as ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from rgan_train.cli.extra import require_train_extra
from rgan_train.cli.options import checkpoint_option, run_argument

EXAMPLE = """\b
Example:
  rgan-train export runs/first -o b40f-to-b70f.onnx"""


@click.command(epilog=EXAMPLE)
@run_argument
@click.option(
    "-o",
    "--output",
    metavar="MODEL.onnx",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The fp32 file; the fp16 one is written beside it as MODEL.fp16.onnx.",
)
@checkpoint_option("best")
@click.option("--name", help="The model's name.  [default: SOURCE-to-TARGET, after the kernels]")
@click.option("--version", default="1.0.0", show_default=True, help="The model's version.")
@click.option(
    "--data-name", help="Name of the training data, for the model card.  [default: not stated]"
)
@click.option("--data-licence", help="Licence of the training data.  [default: not stated]")
@click.option("--data-citation", help="How to cite the training data.")
@click.option("--no-fp16", is_flag=True, help="Write the fp32 file only.")
def command(
    run: Path,
    output: Path,
    checkpoint: Literal["best", "last"],
    name: str | None,
    version: str,
    data_name: str | None,
    data_licence: str | None,
    data_citation: str | None,
    no_fp16: bool,
) -> None:
    """Write the model of a training run as two ONNX files, in fp32 and in fp16.

    Each file holds the whole computation from HU to HU and a model card. Both are run with
    ONNX Runtime on the run's validation slices and compared with PyTorch. If fp32 deviates by
    more than 0.05 HU, nothing is written; if fp16 deviates by more than 5 HU, only fp32 is. An
    fp16 file of an earlier export of that name is replaced or removed.
    """
    require_train_extra()

    from rgan_train.config import override
    from rgan_train.export import export_run
    from rgan_train.export.matched import KEY as MATCH
    from rgan_train.training import RunFolder

    given = {"name": data_name, "licence": data_licence, "citation": data_citation}
    changes = {key: value for key, value in given.items() if value is not None}
    folder = RunFolder(run)
    config = override(folder.config(), {"data": changes})
    exported = export_run(
        folder,
        output,
        config,
        checkpoint=checkpoint,
        name=name,
        version=version,
        fp16=not no_fp16,
    )
    for precision, file in exported.files.items():
        click.echo(
            f"{file.path}: {precision}, {file.size / 1e6:.2f} MB, deviation from PyTorch "
            f"{file.deviation}\n  sha256 {file.sha256}"
        )
    for figure in exported.card.quality:
        click.echo(
            f"{figure.metric}: {figure.input:.4g} -> {figure.output:.4g} "
            f"({figure.slices} {figure.data})"
        )
    if MATCH in folder.provenance():
        click.echo(
            "note: how far the model is from the measured transfer on real slices, the command "
            "`match` tells that started the run",
            err=True,
        )
    for warning in exported.warnings:
        click.echo(f"warning: {warning}", err=True)
