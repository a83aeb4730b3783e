"""``rgan-train traits``: which features separate two groups of cases, on which images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rgan_train.cli.extra import require_evaluation

if TYPE_CHECKING:
    from rgan_train.evaluation.traits.traits import Analysis

EXAMPLES = """\b
Examples:
  rgan-train traits features.csv -o traits
  rgan-train traits features.csv --region GTV -o traits --fdr 0.1

\b
The table; any number of features and variants, among them target:
  case,label,variant,original_firstorder_Mean,original_glcm_Contrast
  n01,benign,source,-312.5,20.1
  n01,benign,harmonized,-310.9,34.8
  n01,benign,target,-311.2,35.6
  n02,malignant,source,-98.0,17.3

For research use. Not a medical device."""


@click.command(epilog=EXAMPLES)
@click.argument(
    "features",
    metavar="FEATURES.csv",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for traits.png, traits.csv and traits.json.",
)
@click.option(
    "--fdr",
    metavar="RATE",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="Allowed false discovery rate.",
)
@click.option("--region", metavar="NAME", help="Which region, where the table has several.")
def command(features: Path, output: Path, fdr: float, region: str | None) -> None:
    """Find the features that separate two groups of cases, before and after harmonization.

    FEATURES.csv has a row for each case and each variant of its images, as `rgan-train features`
    writes it. Each feature is tested
    in each variant (Mann-Whitney U, Benjamini-Hochberg). The result says how many features
    separate the groups on source, harmonized and target images, and how many of them also do
    on the target images. A heat map shows all features. The output does not name the cases.
    """
    require_evaluation()

    from rgan_train.evaluation.traits.report import write_traits
    from rgan_train.evaluation.traits.table import read_cohort
    from rgan_train.evaluation.traits.traits import RESEARCH_ONLY, analyse

    analysis = analyse(read_cohort(features, region), fdr)
    figure = write_traits(analysis, output)
    _summarize(analysis)
    click.echo(f"{figure}: {RESEARCH_ONLY}")


def _summarize(analysis: Analysis) -> None:
    """Print how many features separate the groups, and what limits this number."""
    from rgan_sdk.cli.tables import as_text
    from rgan_train.evaluation.results import TARGET

    cohort = analysis.cohort
    (first, second), (in_first, in_second) = cohort.groups, cohort.sizes
    features = len(cohort.features)
    lines = [f"{in_first} {first} and {in_second} {second} cases, {features} features"]
    for variant, overlap in analysis.overlaps.items():
        against = (
            f"; {overlap.found} of the target's {overlap.found + overlap.missed} and "
            f"{overlap.false} that should not"
        )
        lines.append(
            f"{variant}: {overlap.separating} separate{against if variant != TARGET else ''}"
        )
    lines += [f"note: {count} {what} left out" for what, count in cohort.excluded.items() if count]
    if analysis.least_separating > 1:
        lines.append(
            f"note: with so few cases p is {analysis.smallest_p:.2g} or more, so none counts "
            f"unless {analysis.least_separating} of the {features} separate completely"
        )
    for line in lines:
        click.echo(as_text(line).plain)
