"""``rgan-harmonize inspect``: everything a model file says of itself."""

from __future__ import annotations

import re
from pathlib import Path

import click

from rgan_sdk.cli.options import FILE, check_picture

EPILOG = """\b
Examples:
  rgan-harmonize inspect b40f-to-b70f
  rgan-harmonize inspect b40f-to-b70f --map b40f-to-b70f.png"""
WIDTH = 17


@click.command(epilog=EPILOG)
@click.argument("model", metavar="MODEL")
@click.option("--model-sha256", metavar="HEX", help="Fail unless the file has this sha256.")
@click.option(
    "--map",
    "picture",
    type=FILE,
    metavar="FILE.png",
    help="Draw where the model gains how much, by pixel spacing and noise, as its card says.",
)
def command(model: str, model_sha256: str | None, picture: Path | None) -> None:
    """Verify MODEL (a file or a packaged model's name); show what it is for, and its card."""
    from rgan_sdk.cli.domain import describe_certificate, describe_domain, describe_validity
    from rgan_sdk.cli.tables import as_text
    from rgan_sdk.cli.validity_map import write_validity_map
    from rgan_sdk.model import HarmonizationModel

    check_picture("--map", picture)
    opened = HarmonizationModel.open(model, sha256=model_sha256)
    if picture is not None:
        write_validity_map(picture, opened.card)
    rows = [
        ("file", opened.source),
        ("sha256", opened.sha256),
        ("bytes", str(len(opened.content))),
        ("parameters", str(opened.parameters)),
        ("precision", opened.precision),
        *describe_domain(opened.card),
        ("series seen", f"{len(opened.card.series_seen) or 'not stated'}"),
    ]
    for heading, text in rows:
        click.echo(f"{heading:{WIDTH}}{as_text(text).plain}")
    for line in describe_validity(opened.card):
        click.echo(as_text(line).plain)
    if opened.card.certificate:
        click.echo("certificate: made without pairs; how far fits are from answers that are known")
        for line in describe_certificate(opened.card.certificate):
            click.echo(f"  {line}")
    click.echo(f"{'card':{WIDTH}}{join_short_lists(opened.card.to_json())}")


def join_short_lists(text: str) -> str:
    """Return JSON with each list of plain values in one line."""
    return re.sub(r"\[\s[^][{}]*\]", lambda found: " ".join(found[0].split()), text)
