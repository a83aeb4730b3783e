"""``rgan-train pair``: list the pairs of series that can train a model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rgan_train.cli.headers import count_headers

if TYPE_CHECKING:
    from rich.table import Table

    from rgan_train.pairs.find import Remark

EXAMPLE = """\b
Example:
  rgan-train pair SCANS -o pairs.csv"""


@click.command(epilog=EXAMPLE)
@click.argument(
    "folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "-o",
    "--output",
    metavar="PAIRS.csv",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The list of pairs to write.",
)
def command(folders: tuple[Path, ...], output: Path) -> None:
    """Find series of one scan with different kernels.

    Searches folders of DICOM files for series that show the same slices of one acquisition
    with different convolution kernels, and writes them to a CSV file for `rgan-train fit`.
    Series that almost form a pair, and series and files that cannot be read, are listed with
    the reason. A remark says what could not be compared, because one series alone states it.
    """
    from rich.console import Console

    from rgan_sdk.cli.tables import as_text
    from rgan_sdk.errors import TrainingError
    from rgan_train.pairs.csv import write_pairs
    from rgan_train.pairs.dataset import patient_notes
    from rgan_train.pairs.find import find_pairs

    with count_headers() as on_files:
        pairing = find_pairs(folders, on_files)
    console = Console()
    for miss in pairing.near_misses:
        two = f"{miss.series_a} ({miss.kernels[0]}) and {miss.series_b} ({miss.kernels[1]})"
        console.print(as_text(f"not paired: series {two}: {miss.reason}"), soft_wrap=True)
    for failure in pairing.failures:
        what = f"series {failure.series}" if failure.series else "a file of no known series"
        console.print(as_text(f"left out: {what} failed: {failure.reason}"), soft_wrap=True)
    if not pairing.pairs:
        raise TrainingError(
            f"no pair among {pairing.series} CT series: a pair is two series of one study with "
            "different ConvolutionKernel and the same frame of reference, matrix, spacing, "
            "positions, acquisition and reconstruction"
        )
    table = _make_table("Pairs", "patient", "manufacturer", "kernels", "slices", "matrix")
    for pair in pairing.pairs:
        kernels = f"{pair.kernel_a} / {pair.kernel_b}"
        matrix = f"{pair.rows}x{pair.columns}"
        cells = (pair.patient, pair.manufacturer, kernels, str(pair.slices), matrix)
        table.add_row(*map(as_text, cells))
    console.print(table)
    for text, remarks in _by_text(pairing.remarks).items():
        first, more = remarks[0], f", and {len(remarks) - 1} more" if remarks[1:] else ""
        two = f"{first.series_a} and {first.series_b}{more}"
        console.print(as_text(f"remark: {text} (series {two})"), soft_wrap=True)
    for note in patient_notes(pairing.pairs):
        console.print(as_text(f"note: {note}"), soft_wrap=True)
    write_pairs(pairing.pairs, output)
    found = f"{output}: {len(pairing.pairs)} found among {pairing.series} CT series"
    click.echo(as_text(found).plain)


def _by_text(remarks: Iterable[Remark]) -> dict[str, list[Remark]]:
    found: dict[str, list[Remark]] = {}
    for remark in remarks:
        found.setdefault(remark.text, []).append(remark)
    return found


def _make_table(title: str, *headings: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
