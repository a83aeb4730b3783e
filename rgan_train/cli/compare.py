"""``rgan-train compare``: one slice, several models, as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rgan_sdk.errors import ConfigurationError
from rgan_train.cli.extra import require_plotting
from rgan_train.cli.options import (
    display_window_option,
    files_by_name,
    model_files_option,
    parse_whole_numbers,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rgan_train.evaluation.figures.case_slices import CaseSlices

EXAMPLE = """\b
Example:
  rgan-train compare SCANS/B40f SCANS/B70f --model b40f-to-b70f \\
      --model mine=mine.onnx --slice 15 --roi 110,250,120,90 -o case.png"""

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command(epilog=EXAMPLE)
@click.argument("source", metavar="SOURCE", type=_FOLDER)
@click.argument("target", metavar="TARGET", type=_FOLDER)
@model_files_option
@click.option(
    "--slice",
    "number",
    metavar="N",
    type=click.IntRange(min=0),
    required=True,
    help="Number of the slice, from 0, by ascending position.",
)
@click.option(
    "--roi",
    metavar="X,Y,WIDTH,HEIGHT",
    callback=parse_whole_numbers,
    help="Region to magnify, in pixels from the top left.  [default: the centre quarter]",
)
@click.option(
    "--box",
    "box_path",
    metavar="FILE.xml",
    type=click.Path(path_type=Path, exists=True),
    help="Read the region from Pascal VOC XML: a file, or a folder of SOPInstanceUID.xml.",
)
@display_window_option
@click.option("--caption", default="", help="Text below the figure: data, licence, citation.")
@click.option(
    "-o",
    "--output",
    metavar="FIG.png",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The figure to write.",
)
def command(
    source: Path,
    target: Path,
    models: tuple[str, ...],
    number: int,
    roi: tuple[int, ...] | None,
    box_path: Path | None,
    window: tuple[int, ...],
    caption: str,
    output: Path,
) -> None:
    """Draw one slice, harmonized by several models, beside its target.

    SOURCE and TARGET are folders with one series each: one scan with two kernels. The
    figure has a column for the source, for each model and for the target. Each column
    shows the slice, a magnified region, and the region's difference to the target, with
    the PSNR of slice and region.
    """
    if roi is not None and box_path is not None:
        raise click.UsageError("give --roi or --box, not both")
    require_plotting()
    named = files_by_name(models)

    from rgan_sdk.hu import HUWindow
    from rgan_train.evaluation.figures.case_slices import read_case_slices
    from rgan_train.evaluation.figures.case_study import CaseStudy, draw_case_study
    from rgan_train.evaluation.figures.save import save_figure
    from rgan_train.evaluation.regions.boxes import Box, find_box

    display = HUWindow(*window)
    pair = read_case_slices(source, target, number)
    if box_path is not None:
        box = find_box(box_path, pair.sop_instance_uids)
    elif roi is not None:
        left, top, width, height = roi
        box = Box(left, top, left + width, top + height)
    else:
        box = Box.center_of(*pair.source_hu.shape)
    box.check_inside(*pair.source_hu.shape)
    images, notes = {f"source ({pair.source_kernel})": pair.source_hu}, []
    for name, path in named.items():
        if name in images:
            raise ConfigurationError(f"two columns would be called {name!r}; use --model NAME=FILE")
        images[name], found = _harmonize(path, pair)
        notes += [f"{name}: {note}" for note in found]
    reference = (f"target ({pair.target_kernel})", pair.target_hu)
    legend = " ".join(filter(None, (caption, *(f"Note: {note}." for note in notes))))
    study = CaseStudy(images, reference, box, display, pair.padding, legend)
    save_figure(draw_case_study(study), output)
    click.echo(f"{output}: slice {number}, {box}")
    for note in notes:
        click.echo(f"note: {note}")


def _harmonize(path: str, pair: CaseSlices) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Return the source harmonized by one model, and remarks if it is outside the model's card."""
    from rgan_sdk.harmonizer import Harmonizer
    from rgan_train.evaluation.domain import check_kernels, spacing_notes

    with Harmonizer.load(path, device="cpu", outside_domain=("spacing",)) as harmonizer:
        card = harmonizer.model.card
        check_kernels(path, card, (pair.source_kernel,), (pair.target_kernel,))
        harmonized = harmonizer(pair.source_hu, pixel_spacing=pair.pixel_spacing)
        return harmonized, spacing_notes(card, [pair.pixel_spacing])
