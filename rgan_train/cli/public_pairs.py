"""``rgan-train public-pairs``: list pairs of the Imaging Data Commons, and download them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rgan_sdk.errors import TrainingError

if TYPE_CHECKING:
    from rgan_train.public.index import Index
    from rgan_train.public.select import PublicPair, Total

MOST_ROWS = 20
"""Rows of the table of kernels."""

EXAMPLES = """\b
Examples:
  rgan-train public-pairs
  rgan-train public-pairs --manufacturer SIEMENS --kernels B30f,B50f \\
      --patients 50 -o list.csv
  rgan-train public-pairs --manufacturer SIEMENS --kernels B30f,B50f \\
      --patients 50 -o list.csv --download scans"""


def _parse_kernels(
    context: click.Context, option: click.Parameter, text: str | None
) -> tuple[str, str] | None:
    """Parse ``A,B``."""
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    if len(names) != 2 or not all(names) or names[0].casefold() == names[1].casefold():
        raise click.BadParameter(f"{text!r} is not two kernels, such as B30f,B50f")
    return names[0], names[1]


@click.command(epilog=EXAMPLES)
@click.option(
    "--collection",
    metavar="NAME",
    default="nlst",
    show_default=True,
    help="Collection of the Imaging Data Commons.",
)
@click.option(
    "--manufacturer", metavar="NAME", default="", help="Beginning of the manufacturer's name."
)
@click.option("--kernels", metavar="A,B", callback=_parse_kernels, help="The two kernels.")
@click.option(
    "--patients",
    type=click.IntRange(min=1),
    help="Take so many patients, always the same ones.  [default: all]",
)
@click.option(
    "-o",
    "--output",
    metavar="LIST.csv",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The list to write.",
)
@click.option(
    "--download",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Download the listed series into this folder.",
)
def command(
    collection: str,
    manufacturer: str,
    kernels: tuple[str, str] | None,
    patients: int | None,
    output: Path | None,
    folder: Path | None,
) -> None:
    """List public scans with two kernels, and download them.

    Without --kernels, shows which kernels the scans of a collection have in pairs. With
    --kernels, lists the pairs: two series of one study with the same thickness, field of view
    and number of slices. Licence and citation are in the list. It needs no network, only the
    extra [public], which holds the index of the Imaging Data Commons.

    These are candidates. The index has no kernels, so they are read from the descriptions of
    the series: those of NLST, and those that scanners of Siemens write. `rgan-train pair`
    compares the headers and positions of the slices after the download.

    --download fetches what is not in DIR yet. The same command goes on after a stop.
    """
    from rgan_train.public.index import read_index
    from rgan_train.public.listing import write_list
    from rgan_train.public.select import find_public_pairs, first_patients, of_manufacturer

    if kernels is None and (patients or output or folder):
        raise click.UsageError("--patients, -o and --download need --kernels")
    if kernels and output is None:
        raise click.UsageError("--kernels needs -o LIST.csv")
    index = read_index(collection)
    found = of_manufacturer(find_public_pairs(index.series), manufacturer)
    if not found:
        raise TrainingError(
            f"collection {collection} has no pair"
            f"{f' of the manufacturer {manufacturer}' if manufacturer else ''}: the descriptions "
            "of its series name no two kernels of one scan"
        )
    if kernels is None or output is None:
        _print_kernels(found)
        return
    pairs = _choose(found, kernels)
    pairs = first_patients(pairs, patients) if patients else pairs
    write_list(pairs, index, output)
    _print_summary(pairs, index, output)
    if folder is None:
        click.echo("next: the same command with --download DIR")
    else:
        _download(pairs, folder)
        click.echo(f"next: rgan-train pair {folder} -o pairs.csv")


def _choose(found: Sequence[PublicPair], kernels: tuple[str, str]) -> list[PublicPair]:
    """Return the pairs of two kernels."""
    from rgan_train.public.select import by_kernels, with_kernels

    pairs = with_kernels(found, kernels)
    if not pairs:
        others = [f"{a},{b}" for a, b in by_kernels(found)]
        raise TrainingError(
            f"there is no pair of {kernels[0]} and {kernels[1]}; the most frequent kernels are "
            f"{' and '.join(others[:5])}"
        )
    return pairs


def _print_kernels(pairs: Sequence[PublicPair]) -> None:
    """Print which kernels the scans have, the most frequent first."""
    from rich.console import Console
    from rich.table import Table

    from rgan_sdk.cli.tables import as_text
    from rgan_train.public.select import by_kernels, total

    groups = by_kernels(pairs)
    table = Table(box=None, pad_edge=False)
    table.add_column("--kernels", overflow="fold")
    table.add_column("manufacturer", overflow="fold")
    for heading in ("pairs", "patients", "GB"):
        table.add_column(heading, justify="right")
    for names, group in list(groups.items())[:MOST_ROWS]:
        makers = ", ".join(sorted({pair.a.manufacturer for pair in group}))
        cells = (",".join(names), makers, *_figures(total(group)))
        table.add_row(*map(as_text, cells))
    console = Console()
    console.print(table)
    rest = len(groups) - MOST_ROWS
    if rest > 0:
        console.print(f"and {rest} more, with fewer pairs")
    click.echo(f"all of them: {_describe(pairs)}")


def _print_summary(pairs: Sequence[PublicPair], index: Index, output: Path) -> None:
    """Print what is in the list, and under which licences."""
    from rgan_sdk.cli.tables import as_text
    from rgan_train.public.listing import sources

    lines = [
        f"{output}: {_describe(pairs)} (idc-index-data {index.version})",
        *sources(pairs, index),
    ]
    if any("NC" in one.licence for pair in pairs for one in (pair.a, pair.b)):
        lines.append("note: a licence with NC allows no commercial use")
    for line in lines:
        click.echo(as_text(line).plain)


def _describe(pairs: Sequence[PublicPair]) -> str:
    from rgan_train.public.select import total

    return "pairs {}, patients {}, {} GB".format(*_figures(total(pairs)))


def _figures(total: Total) -> tuple[str, str, str]:
    """Return pairs, patients and GB for people."""
    return f"{total.pairs:,}", f"{total.patients:,}", f"{total.size / 1e9:,.1f}"


def _download(pairs: Sequence[PublicPair], folder: Path) -> None:
    """Fetch what is missing, and say what did not come."""
    from rgan_sdk.cli.tables import as_text
    from rgan_train.public.download import download, find_missing, open_client, remove_remains

    missing = find_missing(pairs, folder)
    if not missing:
        remove_remains(folder)
        click.echo(f"{folder}: all series are there")
        return
    client = open_client()
    size = sum(one.size for one in missing)
    with click.progressbar(length=size, label="download", file=sys.stderr) as bar:
        failures = download(missing, folder, client, lambda one: bar.update(one.size))
    for failure in failures:
        said = f"failed: series {failure.series.series_instance_uid}: {failure.reason}"
        click.echo(as_text(said).plain, err=True)
    if failures:
        raise TrainingError(
            f"{len(failures)} of {len(missing)} series did not come; the same command tries them "
            f"again. Or go on without them: rgan-train pair {folder} -o pairs.csv"
        )
    click.echo(f"{folder}: {len(missing)} series fetched")
