"""``rgan-harmonize sample``: a synthetic series to try things on."""

from __future__ import annotations

from pathlib import Path

import click

from rgan_sdk.cli.options import FOLDER

DEFAULT_MODEL = "b40f-to-b70f"


EPILOG = """\b
Example:
  rgan-harmonize sample sample-ct --slices 4"""


@click.command(epilog=EPILOG)
@click.argument("destination", metavar="OUTPUT", type=FOLDER)
@click.option("--slices", type=click.IntRange(1, 1000), default=12, show_default=True)
@click.option(
    "--model",
    default=DEFAULT_MODEL,
    show_default=True,
    metavar="FILE|NAME",
    help="Give the series what this model takes: kernel, pixel spacing and slice thickness.",
)
def command(destination: Path, slices: int, model: str) -> None:
    """Write a synthetic CT series of a chest phantom to OUTPUT."""
    from rgan_sdk.dicom.synthetic.sample import write_sample_for
    from rgan_sdk.model import HarmonizationModel

    card = HarmonizationModel.open(model).card
    files = write_sample_for(card, destination, slices=slices)
    click.echo(f"wrote {len(files)} slices with kernel {card.source_kernels[0]} to {destination}")
    click.echo(f"try: rgan-harmonize run {destination} harmonized --model {model} --preview")
