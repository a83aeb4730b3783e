"""``rgan-train methods-text``: what a paper needs to say about an evaluation."""

from __future__ import annotations

from pathlib import Path

import click

from rgan_train.cli.extra import require_evaluation

EXAMPLES = """\b
Examples:
  rgan-train methods-text report
  rgan-train methods-text report -o paper/supplement

REPORT is the folder that `rgan-train evaluate` wrote, with pairs or without.

For research use. Not a medical device."""

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command(epilog=EXAMPLES)
@click.argument("report", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "-o",
    "--output",
    metavar="FOLDER",
    type=FOLDER,
    help="Folder for the texts.  [default: REPORT]",
)
def command(report: Path, output: Path | None) -> None:
    """Write the methods section and the checklists of a paper from a report.

    Each text is written as Markdown and as LaTeX: methods (scans, harmonization, regions and
    features, statistics, software, limits, IBSI statement, settings), clear and metrics (the
    checklists CLEAR and METRICS). Only what the report tells is stated. What you have to add is
    marked, and items of the checklists that the report can't answer stay open.
    """
    require_evaluation()

    from rgan_train.evaluation.writeup.report import read_report
    from rgan_train.evaluation.writeup.write import write_texts

    for path in write_texts(read_report(report), output or report):
        click.echo(path)
    click.echo("What you have to add is marked “state”; open items of the checklists are empty.")
