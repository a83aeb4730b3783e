"""``rgan-harmonize kernel``: what the images say of the kernel they were made with."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rgan_sdk.cli.options import FILE, FOLDER, check_picture

if TYPE_CHECKING:
    from rgan_sdk.dicom.series import Series
    from rgan_sdk.kernels import Interval, KernelCurves

EPILOG = """\b
Examples:
  rgan-harmonize kernel scans/a
  rgan-harmonize kernel scans/a scans/b --plot kernels.png
  rgan-harmonize kernel --phantom qa/january --plot phantom.png

All is measured on the images; the limits (95 %) come from resampled slices.
docs/kernels.md says how, and what can't be told."""
WIDTH = 20


@click.command(epilog=EPILOG)
@click.argument("sources", metavar="SERIES...", nargs=-1, required=True, type=FOLDER)
@click.option(
    "--phantom",
    is_flag=True,
    help="The series show a QA phantom: the MTF is measured on its rods and wires.",
)
@click.option(
    "--plot", type=FILE, metavar="FILE.png", help="Draw the curves of all series in one picture."
)
def command(sources: tuple[Path, ...], phantom: bool, plot: Path | None) -> None:
    """Measure the convolution kernel of the CT series in the folders SERIES.

    Shown are the spatial frequencies at which the modulation transfer function (MTF) falls to 50
    and 10 %, and the noise by tissue. Patients show kernels well enough to match them; a QA phantom
    with rods (ACR, Catphan) or wires shows the MTF itself.
    """
    from rgan_sdk.cli.tables import as_text
    from rgan_sdk.errors import IneligibleError

    check_picture("--plot", plot)
    measured = []
    left_aside: list[str] = []
    for source in sources:
        for series, found, inserts in _measure(source, left_aside, phantom=phantom):
            measured.append((series.convolution_kernel or "no kernel", found))
            for line in _describe(series, found, inserts):
                click.echo(as_text(line).plain)
    shown = [as_text(line).plain for line in left_aside]
    if not measured:
        raise IneligibleError("no kernel measured:\n  " + "\n  ".join(shown))
    for line in shown:
        click.echo(line, err=True)
    if plot is not None:
        from rgan_sdk.cli.kernel_plot import write_kernel_plot

        write_kernel_plot(plot, measured)


def _measure(
    source: Path, left_aside: list[str], *, phantom: bool
) -> Iterator[tuple[Series, KernelCurves, Mapping[str, int]]]:
    """Yield each series of a folder with its curves; note what can't be measured, and why.

    With a phantom, how many inserts of each kind were measured.
    """
    from rgan_sdk.dicom.failures import explain_failures
    from rgan_sdk.dicom.inventory import find_series
    from rgan_sdk.dicom.read.spectra import measure_phantom_series, measure_series
    from rgan_sdk.errors import DicomError, MeasurementError
    from rgan_sdk.kernels import fit_kernel
    from rgan_sdk.kernels.inserts import fit_phantom

    try:
        inventory = find_series(source, include_own=True)
    except OSError as exc:
        left_aside.append(f"{source}: cannot be searched ({exc.strerror})")
        return
    failures = explain_failures(source, inventory)
    left_aside += failures
    if not (inventory.series or failures):
        left_aside.append(f"{source}: {inventory.explain_empty()}")
    for series in inventory.series:
        try:
            if phantom:
                spectra = measure_phantom_series(series)
                yield series, fit_phantom(spectra), spectra.inserts
            else:
                yield series, fit_kernel(measure_series(series)), {}
        except (DicomError, MeasurementError) as error:
            left_aside.append(f"{source}: series {series.series_instance_uid}: {error}")


def _describe(series: Series, curves: KernelCurves, inserts: Mapping[str, int]) -> Iterator[str]:
    yield f"{'series':{WIDTH}}{series.series_instance_uid}"
    yield f"{'kernel':{WIDTH}}{series.convolution_kernel or 'not stated'}"
    yield f"{'slices':{WIDTH}}{len(series.slices)} of {series.mean_pixel_spacing:.3f} mm pixels"
    if inserts:
        counts = ", ".join(f"{count} of a {kind}" for kind, count in inserts.items())
        yield f"{'sections measured':{WIDTH}}{counts}"
    for percent, found in ((50, curves.f50), (10, curves.f10)):
        yield f"{f'MTF {percent} %':{WIDTH}}{_frequency(found, curves.nyquist)}"
    for tissue, noise in curves.noise.items():
        yield f"{f'noise, {tissue}':{WIDTH}}{_noise(noise)}"
    if series.reconstruction:
        yield (
            f"{'doubt':{WIDTH}}the header states {series.reconstruction}: where that is not "
            "linear, noise does not show what the kernel does to anatomy"
        )
    for doubt in curves.doubts:
        yield f"{'doubt':{WIDTH}}{doubt}"


def _frequency(found: Interval, nyquist: float) -> str:
    if math.isinf(found.value):
        return f"beyond Nyquist ({nyquist:.1f} lp/cm)"
    upper = "beyond Nyquist" if math.isinf(found.upper) else f"{found.upper:.1f}"
    return f"{found.value:.1f} lp/cm ({found.lower:.1f} to {upper})"


def _noise(found: Interval) -> str:
    if math.isnan(found.value):
        return "can't be told"
    return f"{found.value:.1f} HU ({found.lower:.1f} to {found.upper:.1f})"
