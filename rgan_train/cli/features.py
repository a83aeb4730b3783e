"""``rgan-train features``: the radiomic features of structures in series."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rgan_sdk.errors import ConfigurationError, DicomError, MeasurementError
from rgan_sdk.files import make_folder
from rgan_train.cli.extra import require_evaluation
from rgan_train.cli.options import EXISTING_FILE, structures_option

if TYPE_CHECKING:
    from rgan_sdk.dicom.series import Series
    from rgan_train.evaluation.features.series import StructureExtractor
    from rgan_train.evaluation.features.stable import StableFeatures
    from rgan_train.evaluation.features.table import FeatureTable, Row
    from rgan_train.evaluation.features.volumes import FeatureEngine

SOME_FAILED = 3
SLICE = "slice"

EXAMPLES = """\b
Examples:
  rgan-train features scan/B40f harmonized --masks gtv.dcm -o features.csv
  rgan-train features source=scan/B40f target=scan/B70f -o planar.csv \\
      --masks nodules.nii.gz --structure 1 --dimensions 2
  rgan-train features scan/B40f --masks seg.dcm -o tumours.csv \\
      --parameters pyradiomics.yaml
  rgan-train features harmonized --masks gtv.dcm -o study.csv \\
      --dimensions slice --stable report/stable_features.csv

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
    single_slices: bool


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
    help="Table to write. Rows of other cases that are there stay; those of the same series are "
    "replaced.",
)
@click.option(
    "--parameters",
    metavar="F.yaml",
    type=EXISTING_FILE,
    help="Parameter file of pyradiomics.  [default: six classes on 20 filtered images, and shape]",
)
@click.option(
    "--dimensions",
    type=click.Choice(["2", "3", SLICE]),
    help="2: plane by plane. slice: the slice where the structure is largest, alone, as `evaluate` "
    "takes slices.  [default: as the parameter file says, else 3]",
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
@click.option(
    "--stable",
    metavar="F.csv",
    type=EXISTING_FILE,
    help="stable_features.csv of `evaluate`: keep only features that are stable there in all "
    "regions. Goes with --dimensions slice.",
)
@click.option(
    "--stable-regions",
    metavar="GROUP",
    multiple=True,
    help="Keep those that are stable in this group of regions, such as '[-800, -300] HU'; may be "
    "repeated.",
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
    stable: Path | None,
    stable_regions: tuple[str, ...],
    case: str | None,
    label: str,
) -> None:
    """Compute the radiomic features of structures, before and after harmonization.

    SERIES are folders of CT series on one grid, such as a scan and what `rgan-harmonize run` made
    of it. The table has a row for each structure and series: case, label, variant, region, voxels,
    spacing, kernel, a hash of engine, feature set and settings, a pseudonym of the series, and the
    features. A variant without a name is `source`, or `harmonized` if this project wrote the
    series. What is computed is kept in F-cache beside the table: after Ctrl-C the same command goes
    on. With --stable, F-stable.json says which features were left out.
    """
    require_evaluation()

    from rgan_train.evaluation.features.stable import HASH_DIGITS
    from rgan_train.evaluation.features.table import FeatureTable

    extractor = _make_extractor(parameters, dimensions, resample, engine)
    kept = _read_stable(stable, stable_regions, extractor)
    make_folder(output.parent)
    extraction = extractor.sha256[:HASH_DIGITS]
    table = FeatureTable(output, f"{extraction} {kept.tag}" if kept else extraction)
    cache = output.with_name(f"{output.stem}-cache")
    wanted = Request(masks, structures, case, label, cache, dimensions == SLICE)
    rows, failed = [], 0
    for variant, series in _find_all(folders):
        try:
            found, reasons = _compute(series, variant, wanted, extractor, table.extraction)
        except (ConfigurationError, DicomError, MeasurementError) as exc:
            found, reasons = [], [str(exc)]
        rows += found
        failed += len(reasons)
        for reason in reasons:
            click.echo(f"failed: series {series.series_instance_uid}: {reason}", err=True)
    if kept and rows:
        rows = _filter(kept, rows, output)
    if rows:
        table.add(rows)
    _summarize(table, rows)
    if failed:
        click.get_current_context().exit(SOME_FAILED)


def _make_extractor(
    parameters: Path | None, dimensions: str | None, resample: float | None, engine: FeatureEngine
) -> StructureExtractor:
    if dimensions != SLICE:
        from rgan_train.evaluation.features.volumes import VolumeExtractor

        planes = int(dimensions) if dimensions else None
        return VolumeExtractor(parameters, planes, resample, engine)
    if resample is not None or engine == "flash":
        raise click.UsageError(
            "--dimensions slice computes as `evaluate` does: with pyradiomics, and resampled only "
            "as --parameters says; leave out --resample and --feature-engine flash"
        )
    from rgan_train.evaluation.features.largest_slice import LargestSliceExtractor

    return LargestSliceExtractor(parameters)


def _read_stable(
    path: Path | None, regions: tuple[str, ...], extractor: StructureExtractor
) -> StableFeatures | None:
    """Read the list of stable features, and check that it is for this extraction."""
    from rgan_train.evaluation.features.stable import read_stable

    if path is None:
        if regions:
            raise click.UsageError("--stable-regions goes with --stable")
        return None
    stable = read_stable(path, regions)
    stable.require_extraction(extractor.sha256, extractor.description)
    return stable


def _filter(stable: StableFeatures, rows: Sequence[Row], output: Path) -> list[Row]:
    """Keep the stable features of all rows; write and print what was left out."""
    from rgan_train.evaluation.features.stable import write_left_out

    path = output.with_name(f"{output.stem}-stable.json")
    names = list(rows[0].values)
    kept = [name for name in names if name in stable.names]
    write_left_out(path, stable, names)
    where = " and ".join(stable.groups) or "all regions of the evaluation"
    click.echo(
        f"{len(kept)} of {len(names)} features are stable in {where} with {stable.method}; "
        f"{path.name} lists those left out"
    )
    if stable.exploratory:
        click.echo(f"exploratory: this was found on {stable.patients} patient(s) only")
    return [replace(row, values={name: row.values[name] for name in kept}) for row in rows]


def _find_all(folders: Sequence[str]) -> Iterator[tuple[str, Series]]:
    """Yield the series of all folders, and the names of their variants: empty for none."""
    from rgan_sdk.dicom.failures import explain_failures
    from rgan_sdk.dicom.inventory import find_series

    for text in folders:
        variant, path = _split(text)
        try:
            found = find_series(path, include_own=True)
        except OSError as exc:
            raise ConfigurationError(f"{path}: cannot be searched ({exc.strerror})") from exc
        lost = explain_failures(path, found)
        if lost or not found.series:
            raise ConfigurationError("; ".join(lost) or f"{path}: {found.explain_empty()}")
        for series in found.series:
            yield variant, series


def _split(text: str) -> tuple[str, Path]:
    """Return name, empty for none, and folder of ``[VARIANT=]SERIES``; paths may have a ``=``."""
    variant, sign, path = text.partition("=")
    return (variant, Path(path)) if sign and not Path(text).exists() else ("", Path(text))


def _compute(
    series: Series,
    variant: str,
    wanted: Request,
    extractor: StructureExtractor,
    extraction: str,
) -> tuple[list[Row], list[str]]:
    """Return the rows of one series, and why structures have none."""
    from rgan_sdk.dicom.header import pseudonym
    from rgan_train.evaluation.features.series import (
        compute_structures,
        find_structures,
        read_volume,
    )
    from rgan_train.evaluation.features.table import Row

    volume = read_volume(series, needs_even=not wanted.single_slices)
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
        "extraction": extraction,
        "series": pseudonym(series.series_instance_uid),
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
    if table.rows:
        click.echo(f"{table.path}: {len(table.rows)} row(s), extraction {table.extraction}")
    else:
        click.echo(f"{table.path}: no rows, so it was not written")
