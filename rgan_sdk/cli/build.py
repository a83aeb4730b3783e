"""``rgan-harmonize build``: build a TensorRT plan before it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rgan_sdk.engines.tensorrt.progress import BuildProgress

EPILOG = """\b
Examples:
  rgan-harmonize build b40f-to-b70f
  rgan-harmonize build my-model.fp16.onnx --device cuda:0,cuda:1

A plan serves all batch sizes, and slices up to 512x512; larger ones get a plan of their own when
they first occur. It is for this kind of GPU and this version of TensorRT, and stays in this user's
cache; GPUs of one kind share it. `run` builds it itself where it is missing."""


@click.command(epilog=EPILOG)
@click.argument("model", metavar="MODEL")
@click.option(
    "--device",
    default="cuda",
    show_default=True,
    help="cuda, cuda:N, or several: cuda:0,cuda:1.",
)
def command(model: str, device: str) -> None:
    """Build and test the TensorRT plan of MODEL, a file or a packaged name."""
    from rgan_sdk.engines import create_engine
    from rgan_sdk.engines.tensorrt.engine import build_ahead, usable_device
    from rgan_sdk.model import HarmonizationModel

    opened = HarmonizationModel.open(model)
    names = [name.strip() for name in device.split(",")]
    for name, gpu in [(name, usable_device(name)) for name in names]:
        with _progress(f"{opened.card.name} for {name}") as progress:
            plan = build_ahead(opened, gpu, progress)
        how = f"built in {plan.seconds:.0f} s" if plan.seconds else "was there already"
        create_engine(opened, "tensorrt", name).close()  # tests its pixels, or fails
        click.echo(f"{name} ({gpu.name}): {how}, {len(plan.content) / 1e6:.0f} MB, {plan.path}")


@contextmanager
def _progress(title: str) -> Iterator[BuildProgress]:
    """Draw a bar on a terminal; elsewhere print one line."""
    from rich.console import Console
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    if not console.is_terminal:
        click.echo(f"building {title}", err=True)
    with Bars(console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task(title, total=1.0)

        def show_phase(phase: str, share: float) -> None:
            bars.update(task, description=f"{title}: {phase}", completed=share)

        yield show_phase
