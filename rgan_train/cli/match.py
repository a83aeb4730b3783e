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
  rgan-train match --source-phantom QA/B40f --target-phantom QA/B70f -o b40f-to-b70f.onnx
  rgan-harmonize run CAME harmonized --model came-to-study.onnx"""

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
    source_phantoms: tuple[Path, ...],
    target_phantoms: tuple[Path, ...],
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
    kernel. Two scans of a QA phantom with rods or wires do as well as patients.

    What the fits say of each other is printed at the end: halves of the groups must give the same
    filter, and a half matched to the other half none.
    """
    for name_of, given in (
        ("source", sources + source_phantoms),
        ("target", targets + target_phantoms),
    ):
        if not given:
            raise click.UsageError(f"give --{name_of} DIR or --{name_of}-phantom DIR")
    require_train_extra()

    from rgan_sdk.cli.tables import as_text
    from rgan_train.config import DataConfig
    from rgan_train.matching.groups import open_group
    from rgan_train.matching.match import match

    data = DataConfig(name=data_name, licence=data_licence, citation=data_citation)
    result = match(
        open_group("source", sources, phantoms=source_phantoms, mixed=mixed),
        open_group("target", targets, phantoms=target_phantoms, mixed=mixed),
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

    certificate, ratio = result.certificate, result.transfer.ratio
    lines = [
        f"{file.path}: {precision}, {file.size / 1e6:.2f} MB, sha256 {file.sha256}"
        for precision, file in result.exported.files.items()
    ]
    lines.append("gain by spatial frequency, with 95 % limits from resampled slices:")
    for frequency in range(1, int(result.transfer.nyquist) + 1):
        value, lower, upper = (
            float(np.interp(frequency, ratio.frequency, curve))
            for curve in (ratio.value, ratio.lower, ratio.upper)
        )
        lines.append(f"  {frequency:2d} lp/cm  {value:.3f} ({lower:.3f} to {upper:.3f})")
    for what, deviation in (
        ("halves of both groups differ by", certificate.halves),
        ("half of the source against the other half", certificate.source_to_itself),
        ("half of the target against the other half", certificate.target_to_itself),
        ("by way of the third group", certificate.closure),
    ):
        if deviation is not None:
            lines.append(f"{what}: {deviation:.2f} dB (rms)")
    return lines
