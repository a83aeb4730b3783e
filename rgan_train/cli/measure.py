"""``rgan-train measure``: the density of the lungs of series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rgan_sdk.errors import ConfigurationError
from rgan_train.cli.extra import require_evaluation
from rgan_train.cli.options import EXISTING_FILE, structures_option

if TYPE_CHECKING:
    from rgan_sdk.dicom.series import Series
    from rgan_train.evaluation.lungs.files import Measured
    from rgan_train.evaluation.lungs.series import GivenMask

SOME_FAILED = 3
ROOM_FOR_UID = 92
"""Columns of a terminal that shows more of a UID than its ends."""

EXAMPLES = """\b
Examples:
  rgan-train measure SCANS -o lung.csv
  rgan-train measure scan/B40f scan/B70f --mask lungs.nii.gz -o lung.json
  rgan-train measure scan --mask total.nii.gz --structure 10 --structure 11

With -o lung.csv the masks are shown in lung-masks/SERIES.png: look at them.
Exit code 3: some series or files failed; the others were measured.

For research use. Not a medical device."""


@click.command(epilog=EXAMPLES)
@click.argument(
    "folders", metavar="SERIES...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--mask",
    metavar="FILE",
    type=EXISTING_FILE,
    help="The lungs, for all series: a label map (NIfTI, NRRD, MetaImage), DICOM SEG or RTSTRUCT "
    "on their grid, taken as it is.  [default: found in each series, without trachea and main "
    "bronchi]",
)
@structures_option("--mask")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A .csv or .json file to write, with pictures of the masks in FILE-masks/ beside it.",
)
def command(
    folders: tuple[Path, ...], mask: Path | None, structures: tuple[str, ...], output: Path | None
) -> None:
    """Measure the density of the lungs: LAA-950, LAA-910, Perc15 and the mean.

    LAA: share of the lung's voxels below -950 or -910 HU. Perc15: 15th percentile of HU.
    SERIES are folders of CT series, one or more in each. Says where a series is off
    protocol, because its slices are above 1.5 mm or its header states contrast or
    expiration, and how many of the lung's voxels are clamped to the lowest HU. To compare
    series of one scan, give them one mask.
    """
    require_evaluation()

    from rgan_train.evaluation.lungs.files import check_ending, write_measured
    from rgan_train.evaluation.lungs.series import GivenMask

    if structures and mask is None:
        raise ConfigurationError("--structure chooses among the structures of --mask; give a mask")
    if output is not None:
        check_ending(output)
    pictures = output.with_name(f"{output.stem}-masks") if output else None
    given = GivenMask(mask, structures) if mask else None
    rows = [row for folder in folders for row in _measure_folder(folder, given, pictures)]
    _show(rows)
    if output is not None:
        write_measured(rows, str(mask) if mask else "found in each series", output)
        measured = sum(row.lungs is not None for row in rows)
        masks = f"; masks in {pictures}" if measured else ""
        click.echo(f"{output}: {measured} measured, {len(rows) - measured} failed{masks}")
    if any(row.lungs is None for row in rows):
        click.get_current_context().exit(SOME_FAILED)


def _measure_folder(
    folder: Path, given: GivenMask | None, pictures: Path | None
) -> Iterator[Measured]:
    """Measure each series under a folder; what fails is reported and does not stop the others."""
    from rgan_sdk.dicom.inventory import find_series
    from rgan_train.evaluation.lungs.files import Measured

    try:
        found = find_series(folder, include_own=True)
    except OSError as exc:
        yield Measured(str(folder), reason=f"cannot be searched ({exc.strerror})")
        return
    for series in found.series:
        yield _measure(series, given, pictures)
    for failed in found.failed:
        yield Measured(failed.series_instance_uid, reason=failed.reason)
    lost = [outcome for outcome in found.outcomes if outcome.status == "failed"]
    for outcome in lost:
        yield Measured(str(outcome.path), reason=outcome.reason)
    if not (found.series or found.failed or lost):
        yield Measured(str(folder), reason=found.explain_empty())


def _measure(series: Series, given: GivenMask | None, pictures: Path | None) -> Measured:
    from rgan_sdk.errors import DicomError, MeasurementError
    from rgan_train.evaluation.lungs.files import Measured
    from rgan_train.evaluation.lungs.series import measure_series

    name = series.series_instance_uid + (f"-{series.group}" if series.group else "")
    kernel, slices = series.convolution_kernel or "", len(series.slices)
    click.echo(f"{name}: {slices} slices", err=True)
    picture = pictures / f"{name}.png" if pictures else None
    try:
        return Measured(name, kernel, slices, measure_series(series, given, picture))
    except (ConfigurationError, DicomError, MeasurementError) as error:
        return Measured(name, kernel, slices, reason=str(error))


def _show(rows: Sequence[Measured]) -> None:
    """Print a table of all series, then what the reader must know about each."""
    from rich.console import Console
    from rich.table import Table

    from rgan_sdk.cli.tables import as_text, shorten_uid
    from rgan_train.evaluation.lungs.density import END_POINTS

    console = Console()
    table = Table(box=None, pad_edge=False)
    headings = [f"{point.title}, {point.unit}" for point in END_POINTS.values()]
    for heading in ("series", "kernel", "lungs, mL", *headings, "clamped, %"):
        is_number = heading not in ("series", "kernel")
        table.add_column(heading, overflow="fold", justify="right" if is_number else "left")
    remarks: list[str] = []
    for row in rows:
        if row.lungs is None:
            remarks.append(f"failed: {row.series}: {row.reason}")
            continue
        density = row.lungs.density
        numbers = [
            f"{getattr(density, name):.{point.digits}f}" for name, point in END_POINTS.items()
        ]
        name = shorten_uid(row.series, 24 if console.width >= ROOM_FOR_UID else 16)
        cells = (name, row.kernel or "-", f"{row.lungs.volume_ml:.0f}", *numbers)
        table.add_row(*map(as_text, (*cells, f"{density.clamped:.2f}")))
        if row.lungs.off_protocol:
            remarks.append(f"off protocol: {row.series}: {'; '.join(row.lungs.off_protocol)}")
        remarks += [f"note: {row.series}: {note}" for note in row.lungs.notes]
    if table.row_count:
        console.print(table)
    for remark in remarks:
        console.print(as_text(remark), soft_wrap=True)
