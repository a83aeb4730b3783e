"""``rgan-harmonize inspect``: everything a model file says of itself."""

from __future__ import annotations

import click


@click.command(epilog="Example: rgan-harmonize inspect b40f-to-b70f")
@click.argument("model", metavar="MODEL")
@click.option("--model-sha256", metavar="HEX", help="Fail unless the file has this sha256.")
def command(model: str, model_sha256: str | None) -> None:
    """Verify MODEL (a file or a packaged model's name); show its card, hash and graph size."""
    from rgan_sdk.model import HarmonizationModel

    opened = HarmonizationModel.open(model, sha256=model_sha256)
    click.echo(f"file        {opened.source}")
    click.echo(f"sha256      {opened.sha256}")
    click.echo(f"bytes       {len(opened.content)}")
    click.echo(f"parameters  {opened.parameters}")
    click.echo(f"precision   {opened.precision}")
    click.echo(f"card        {opened.card.to_json()}")
