"""``rgan-harmonize models``: what comes with the package."""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """List the packaged models and their measured quality."""
    from rich.console import Console
    from rich.table import Table

    from rgan_sdk.cli.tables import as_text
    from rgan_sdk.model import HarmonizationModel, packaged_models

    table = Table(box=None, pad_edge=False)
    for heading in ("name", "version", "from", "to", "size", "PSNR input", "PSNR output", "on"):
        table.add_column(heading, overflow="fold")
    for name in packaged_models():
        model = HarmonizationModel.open(name)
        card = model.card
        first = next(figure for figure in card.quality if figure.metric.startswith("PSNR"))
        cells = (
            name,
            card.version,
            ", ".join(card.source_kernels),
            card.target_kernel,
            f"{len(model.content) / 1e6:.1f} MB",
            f"{first.input:.1f} dB",
            f"{first.output:.1f} dB",
            first.data,
        )
        table.add_row(*map(as_text, cells))
    Console().print(table)
