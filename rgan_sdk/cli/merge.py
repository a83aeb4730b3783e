"""``rgan-harmonize merge``: the shards of a run as one."""

from __future__ import annotations

import os
from pathlib import Path

import click

from rgan_sdk.cli.options import FOLDER
from rgan_sdk.cli.run import SOME_FAILED

EPILOG = """\b
Examples:
  rgan-harmonize merge harmonized/part-1 harmonized/part-2
  rgan-harmonize merge part-1 part-2 part-3 --into study-7

\b
Exit codes:
  0   all series of all shards are done or skipped
  1   the folders are not parts of one run, or one is not finished
  2   wrong usage
  3   some series failed, or a shard is missing

New series stay where they are: output folders in report and mapping are relative to the folder
that these are written to."""


@click.command(epilog=EPILOG)
@click.argument(
    "outputs",
    metavar="OUTPUT...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
)
@click.option(
    "--into",
    type=FOLDER,
    metavar="FOLDER",
    help="Where to write report.json and mapping.csv. [default: the folder above the OUTPUTs]",
)
def command(outputs: tuple[Path, ...], into: Path | None) -> None:
    """Join the reports and mappings of the shards of one run.

    Each OUTPUT is that of a `run --shard I/N`. Each series and each file is in the result once, as
    if one machine had done all of it.
    """
    from rgan_sdk.cli.tables import print_report
    from rgan_sdk.run.delivery.mapping import MAPPING
    from rgan_sdk.run.reports.merge import merge_outputs, missing_shards
    from rgan_sdk.run.state.journal import REPORT

    os.umask(0o077)
    destination = into or _folder_above(outputs)
    report = merge_outputs(outputs, destination)
    print_report(report)
    names = [name for name in (REPORT, MAPPING) if (destination / name).is_file()]
    click.echo(f"written to {destination}: {', '.join(names)}")
    missing = missing_shards(part["shard"] for part in report.parts)
    is_whole = not missing and "failed" not in report.statuses
    raise click.exceptions.Exit(0 if is_whole else SOME_FAILED)


def _folder_above(outputs: tuple[Path, ...]) -> Path:
    folders = {output.resolve().parent for output in outputs}
    if len(folders) > 1:
        raise click.UsageError("the OUTPUT folders lie in several folders; name one with --into")
    return folders.pop()
