"""``rgan-train match``: a model from two groups of series, without pairs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rgan_train.cli.extra import require_train_extra

if TYPE_CHECKING:
    from rgan_train.matching.match import Match

EXAMPLES = """\b
Examples:
  rgan-train match --source CAME --target STUDY -o came-to-study.onnx
  rgan-train match --source A1 --source A2 --target B --third C -o a-to-b.onnx
  rgan-harmonize run CAME harmonized --model came-to-study.onnx"""

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command(epilog=EXAMPLES)
@click.option(
    "--source",
    "sources",
    metavar="DIR",
    multiple=True,
    required=True,
    type=FOLDER,
    help="Folder of series to harmonize; may be repeated.",
)
@click.option(
    "--target",
    "targets",
    metavar="DIR",
    multiple=True,
    required=True,
    type=FOLDER,
    help="Folder of series that show the wanted kernel; may be repeated.",
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
    help="The model to write.",
)
@click.option("--mixed", is_flag=True, help="Take several kernels in a group as one.")
@click.option("--name", help="The model's name.  [default: SOURCE-to-TARGET, after the kernels]")
@click.option("--data-name", default="", help="Name of the series, for the model card.")
@click.option("--data-licence", default="", help="Licence of the series.")
@click.option("--data-citation", default="", help="How to cite the series.")
def command(
    sources: tuple[Path, ...],
    targets: tuple[Path, ...],
    thirds: tuple[Path, ...],
    output: Path,
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
    kernel.

    What the fits say of each other is printed at the end: halves of the groups must give the same
    filter, and a half matched to the other half none.
    """
    require_train_extra()

    from rgan_sdk.cli.tables import as_text
    from rgan_train.config import DataConfig
    from rgan_train.matching.groups import open_group
    from rgan_train.matching.match import match

    data = DataConfig(name=data_name, licence=data_licence, citation=data_citation)
    result = match(
        open_group("source", sources, mixed=mixed),
        open_group("target", targets, mixed=mixed),
        output,
        third=open_group("third", thirds, mixed=mixed) if thirds else None,
        name=name,
        data=data,
    )
    for note in result.notes:
        click.echo(as_text(note).plain, err=True)
    for line in describe(result):
        click.echo(as_text(line).plain)


def describe(result: Match) -> list[str]:
    """Return what a user should know of a match, in lines."""
    import numpy as np

    from rgan_sdk.cli.domain import describe_certificate

    transfer = result.evidence.direct
    ratio = transfer.ratio
    lines = [
        f"{file.path}: {precision}, {file.size / 1e6:.2f} MB, sha256 {file.sha256}"
        for precision, file in result.exported.files.items()
    ]
    lines.append("gain by spatial frequency, with 95 % limits from resampled slices:")
    for frequency in range(1, int(transfer.nyquist) + 1):
        value, lower, upper = (
            float(np.interp(frequency, ratio.frequency, curve))
            for curve in (ratio.value, ratio.lower, ratio.upper)
        )
        lines.append(f"  {frequency:2d} lp/cm  {value:.3f} ({lower:.3f} to {upper:.3f})")
    return [*lines, *describe_certificate(result.evidence.certificate())]
