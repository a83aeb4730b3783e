"""``rgan-train features``: the radiomic features of structures in series."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rgan_sdk.errors import ConfigurationError, DicomError, MeasurementError
from rgan_train.cli.extra import require_evaluation
from rgan_train.cli.options import EXISTING_FILE, structures_option

if TYPE_CHECKING:
    from rgan_sdk.dicom.series import Series
    from rgan_train.evaluation.features.table import FeatureTable, Row
    from rgan_train.evaluation.features.volumes import FeatureEngine, VolumeExtractor

SOME_FAILED = 3

EXAMPLES = """\b
Examples:
  rgan-train features scan/B40f harmonized --masks gtv.dcm -o features.csv
  rgan-train features source=scan/B40f target=scan/B70f -o planar.csv \\
      --masks nodules.nii.gz --structure 1 --dimensions 2
  rgan-train features scan/B40f --masks seg.dcm -o tumours.csv \\
      --parameters pyradiomics.yaml

\b
A table of many cases for `traits`, one call for each:
  rgan-train features n01/B40f n01/harmonized target=n01/B70f \\
      --masks n01/seg.dcm --label benign -o cohort.csv
  rgan-train features n02/B40f n02/harmonized target=n02/B70f \\
      --masks n02/seg.dcm --label malignant -o cohort.csv

Exit code 3: some series or structures have no features; the others are in the table.

For research use. Not a medical device."""


@dataclass(frozen=True)
class Request:
    """What is wanted of each series."""

    masks: tuple[Path, ...]
    structures: tuple[str, ...]
    case: str | None
    label: str
    cache: Path


@click.command(epilog=EXAMPLES)
@click.argument("folders", metavar="[VARIANT=]SERIES...", nargs=-1, required=True)
@click.option(
    "--masks",
    metavar="FILE",
    multiple=True,
    required=True,
    type=EXISTING_FILE,
    help="Label map (NIfTI, NRRD, MetaImage), DICOM SEG, RTSTRUCT or XML of LIDC on the grid of "
    "all SERIES; may be repeated.",
)
@structures_option("--masks")
@click.option(
    "-o",
    "--output",
    metavar="F.csv",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Table to write. Rows of other cases that are there stay.",
)
@click.option(
    "--parameters",
    metavar="F.yaml",
    type=EXISTING_FILE,
    help="Parameter file of pyradiomics.  [default: six classes on 20 filtered images, and shape]",
)
@click.option(
    "--dimensions",
    type=click.Choice(["2", "3"]),
    help="2: plane by plane.  [default: as the parameter file says, else 3]",
)
@click.option(
    "--resample",
    metavar="MM",
    type=click.FloatRange(0, min_open=True),
    help="Resample to voxels of this edge, in two dimensions to such pixels.",
)
@click.option(
    "--feature-engine",
    "engine",
    type=click.Choice(["auto", "pyradiomics", "flash"]),
    default="auto",
    show_default=True,
    help="pyradiomics, which needs Python 3.11, or flash-radiomics; auto takes the first that is "
    "installed.",
)
@click.option("--case", help="Name of the case.  [default: the patient's pseudonym]")
@click.option("--label", default="", help="What the case is, such as benign; for `traits`.")
def command(
    folders: tuple[str, ...],
    masks: tuple[Path, ...],
    structures: tuple[str, ...],
    output: Path,
    parameters: Path | None,
    dimensions: str | None,
    resample: float | None,
    engine: FeatureEngine,
    case: str | None,
    label: str,
) -> None:
    """Compute the radiomic features of structures, before and after harmonization.

    SERIES are folders of CT series on one grid, such as a scan and what `rgan-harmonize run` made
    of it. The table has a row for each structure and series: case, label, variant, region, voxels,
    spacing, kernel, a hash of engine, feature set and settings, and the features. A variant without
    a name is `source`, or `harmonized` if this project wrote the series. What is computed is kept
    in F-cache beside the table: after Ctrl-C the same command goes on.
    """
    require_evaluation()

    from rgan_train.evaluation.features.table import FeatureTable
    from rgan_train.evaluation.features.volumes import VolumeExtractor

    extractor = VolumeExtractor(
        parameters, int(dimensions) if dimensions else None, resample, engine
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    table = FeatureTable(output, extractor.sha256[:16])
    wanted = Request(masks, structures, case, label, output.with_name(f"{output.stem}-cache"))
    rows, failed = [], 0
    for variant, series in _find_all(folders):
        try:
            found, reasons = _compute(series, variant, wanted, extractor)
        except (ConfigurationError, DicomError, MeasurementError) as exc:
            found, reasons = [], [str(exc)]
        rows += found
        failed += len(reasons)
        for reason in reasons:
            click.echo(f"failed: series {series.series_instance_uid}: {reason}", err=True)
    if rows:
        table.add(rows)
    _summarize(table, rows)
    if failed:
        click.get_current_context().exit(SOME_FAILED)


def _find_all(folders: Sequence[str]) -> Iterator[tuple[str, Series]]:
    """Yield the series of all folders, and the names of their variants: empty for none."""
    from rgan_sdk.dicom.inventory import find_series

    for text in folders:
        variant, path = ("", text) if Path(text).exists() else text.rpartition("=")[::2]
        try:
            found = find_series(Path(path), include_own=True)
        except OSError as exc:
            raise ConfigurationError(f"{path}: cannot be searched ({exc.strerror})") from exc
        lost = [f"series {one.series_instance_uid}: {one.reason}" for one in found.failed]
        lost += [f"{o.path}: {o.reason}" for o in found.outcomes if o.status == "failed"]
        if lost or not found.series:
            raise ConfigurationError(f"{path}: {'; '.join(lost) or found.explain_empty()}")
        for series in found.series:
            yield variant, series


def _compute(
    series: Series, variant: str, wanted: Request, extractor: VolumeExtractor
) -> tuple[list[Row], list[str]]:
    """Return the rows of one series, and why structures have none."""
    from rgan_train.evaluation.features.series import (
        compute_structures,
        find_structures,
        read_volume,
    )
    from rgan_train.evaluation.features.table import Row

    volume = read_volume(series)
    masks = find_structures(wanted.masks, wanted.structures, series, volume.padding)
    for mask in masks:
        for note in mask.notes:
            click.echo(f"note: series {series.series_instance_uid}: {mask.name}: {note}", err=True)
    kernel = series.convolution_kernel or ""
    label = f"{kernel or 'no kernel stated'}, {len(series.slices)} slices, structures"
    with click.progressbar(length=len(masks), label=label, file=sys.stderr) as bar:
        found = compute_structures(volume, masks, extractor, wanted.cache, bar.update)
    facts = {
        "case": wanted.case or series.patient,
        "label": wanted.label,
        "variant": variant or ("harmonized" if volume.is_own else "source"),
        "spacing": " x ".join(f"{mm:g}" for mm in (*volume.spacing[1:], volume.spacing[0])),
        "kernel": kernel,
        "extraction": extractor.sha256[:16],
    }
    rows = [
        Row({**facts, "region": one.name, "voxels": str(one.voxels)}, one.values)
        for one in found
        if not one.reason
    ]
    return rows, [f"{one.name}: {one.reason}" for one in found if one.reason]


def _summarize(table: FeatureTable, rows: Sequence[Row]) -> None:
    """Print what was added, and where it is."""
    from rgan_sdk.cli.tables import as_text

    for row in rows:
        facts = row.facts
        undefined = sum(value != value for value in row.values.values())
        remark = f", {undefined} undefined" if undefined else ""
        line = f"{facts['variant']}, {facts['region']}: {len(row.values)} features{remark}"
        click.echo(as_text(line).plain)
    click.echo(f"{table.path}: {len(table.rows)} row(s), extraction {table.extraction}")
