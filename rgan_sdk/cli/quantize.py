"""``rgan-harmonize quantize``: an int8 model, calibrated on the user's own slices."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import click

from rgan_sdk.cli.options import FILE, FOLDER, outside_domain_option

if TYPE_CHECKING:
    from rgan_sdk.card import ModelCard
    from rgan_sdk.dicom.series import Series
    from rgan_sdk.dicom.slices.table import SliceFile
    from rgan_sdk.quantization import QuantizedModel

EPILOG = """\b
Examples:
  rgan-harmonize quantize my-model.onnx scans -o int8.onnx
  rgan-harmonize quantize my-model.onnx scans/a scans/b -o int8.onnx \\
      --slices 64 --limit 5

The packaged models are too narrow for int8: the command says so.

Choose scans like those you will harmonize. Of the slices, only the range of each layer's values
is kept. The float32 weights stay in FILE. A lower --limit gives a slower and more exact model."""


@click.command(epilog=EPILOG)
@click.argument("model", metavar="MODEL")
@click.argument("sources", metavar="SERIES...", nargs=-1, required=True, type=FOLDER)
@click.option(
    "-o",
    "--output",
    required=True,
    type=FILE,
    metavar="FILE",
    help="The int8 model, named .onnx; its folder must exist.",
)
@click.option(
    "--slices",
    type=click.IntRange(1, 256),
    default=32,
    show_default=True,
    help="How many slices to calibrate on, spread evenly over all series.",
)
@click.option(
    "--limit",
    type=click.FloatRange(0, 10, min_open=True),
    default=10,
    show_default=True,
    metavar="HU",
    help="99.9 % of the pixels stay this close to the float32 model; layers that would break it "
    "stay in float32.",
)
@outside_domain_option
def command(
    model: str,
    sources: tuple[Path, ...],
    output: Path,
    slices: int,
    limit: float,
    outside_domain: frozenset[str],
) -> None:
    """Make an int8 model for CPUs from MODEL, a float32 file or a packaged model's name.

    The new model is calibrated on the CT slices in the folders SERIES and compared with MODEL on
    them. MODEL must take their convolution kernel.
    """
    from rgan_sdk.dicom.read.pydicom_reader import read_slice
    from rgan_sdk.model import HarmonizationModel, write_model
    from rgan_sdk.quantization import quantize
    from rgan_sdk.slices import spread_indices

    started = time.monotonic()
    _check_output(output, model)
    opened = HarmonizationModel.open(model)
    found = _find_slices(sources, opened.card, outside_domain)
    chosen = [found[index] for index in spread_indices(len(found), slices)]
    with _Steps() as steps:
        images = []
        for number, (file, _) in enumerate(chosen, start=1):
            images.append(read_slice(file.path, file.stamp).hu)
            steps("reading", number, len(chosen))
        spacings = [spacing for _, spacing in chosen]
        quantized = quantize(opened, images, pixel_spacings=spacings, limit=limit, on_step=steps)
    written = write_model(quantized.content, output)
    _print(output, quantized, written.sha256, len(chosen))
    click.echo(f"took {time.monotonic() - started:.0f} s")


def _check_output(output: Path, model: str) -> None:
    """Refuse a file that cannot or should not be written, before minutes of work."""
    if output.suffix != ".onnx":
        raise click.BadParameter(f"{output}: a model file must be named .onnx")
    if not output.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {output.parent} for {output.name}")
    if output.exists() and Path(model).exists() and output.samefile(model):
        raise click.BadParameter(f"{output} is MODEL itself, which is not overwritten")


def _find_slices(
    sources: tuple[Path, ...], card: ModelCard, outside_domain: frozenset[str]
) -> list[tuple[SliceFile, float]]:
    """Return all slices that the model takes, each with its pixel spacing in mm.

    Prints which series are left aside, and why.
    """
    from rgan_sdk.cli.tables import as_text
    from rgan_sdk.errors import IneligibleError
    from rgan_sdk.run.choosing.candidates import why_not_model
    from rgan_sdk.run.ledger import Ledger
    from rgan_sdk.run.options import RunOptions
    from rgan_sdk.run.planning import make_plan

    options = RunOptions(outside_domain=outside_domain)
    chosen: list[Series] = []
    others: list[str] = []
    for source in sources:
        plan = make_plan(source)
        reasons = [why_not_model(series, card, options) for series in plan.chosen]
        judged = list(zip(plan.chosen, reasons, strict=True))
        chosen += [series for series, reason in judged if not reason]
        left = [(one.series_instance_uid, len(one.slices), why) for one, why in judged if why]
        left += [(e.series_instance_uid, e.slices, e.reason) for e in Ledger(plan).report.series]
        others += [f"{source}: series {uid}, {count} slices: {why}" for uid, count, why in left]
    others = [as_text(line).plain for line in others]
    if not chosen:
        found = "\n  ".join(others) or "no CT series"
        raise IneligibleError(f"no slices to calibrate on; found:\n  {found}")
    for line in others:
        click.echo(f"skipped {line}", err=True)
    return [(file, series.mean_pixel_spacing) for series in chosen for file in series.slices]


def _print(output: Path, quantized: QuantizedModel, sha256: str, slices: int) -> None:
    layers = len(quantized.in_int8) + len(quantized.in_float32)
    bound = quantized.bound
    click.echo(
        f"{output}: int8 in {len(quantized.in_int8)} of {layers} convolutions, "
        f"{len(quantized.content) / 1e6:.2f} MB\n"
        f"  sha256 {sha256}\n"
        f"deviation from float32 on {slices} slices and the self-test's: {quantized.deviation}\n"
        f"the card allows max {bound.max:g}, p99.9 {bound.p999:g} HU\n"
        "in float32:"
    )
    for name, reason in quantized.in_float32.items():
        click.echo(f"  {name}: {reason}")


class _Steps:
    """Shows steps on standard error: as a bar on a terminal, elsewhere one line for each kind."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeElapsedColumn as Elapsed

        console = Console(stderr=True)
        self._lines = not console.is_terminal
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            Elapsed(),
            console=console,
            disable=self._lines,
        )
        self._task = self._bar.add_task("")
        self._what = ""

    def __call__(self, what: str, done: int, total: int) -> None:
        if self._lines and what != self._what:
            click.echo(f"{what}: {total} slices", err=True)
        self._what = what
        self._bar.update(self._task, description=what, completed=done, total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._bar.stop()
