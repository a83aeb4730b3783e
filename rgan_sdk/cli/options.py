"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rgan_sdk.harmonizer import Harmonizer

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)

NOT_INSTALLED = " is not installed"

_ANY_KERNEL = f"{__name__}.any_kernel"

input_argument = click.argument("source", metavar="INPUT", type=FOLDER)

report_option = click.option(
    "--report",
    type=FILE,
    metavar="FILE.json",
    help="Write the report as JSON; its folder must exist. It holds the SHA-256 of each file of "
    "INPUT, so all of them are read for it.",
)


def outside_domain_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--outside-domain``, and ``--any-kernel``, which is its older form for ``kernel``."""
    older = click.option(
        "--any-kernel",
        is_flag=True,
        hidden=True,
        is_eager=True,
        expose_value=False,
        callback=lambda context, option, value: context.meta.update({_ANY_KERNEL: value}),
    )
    option = click.option(
        "--outside-domain",
        multiple=True,
        metavar="NAME,...",
        callback=_domains,
        help="Also take series that are outside what the model's card states: kernel, "
        "manufacturer, spacing, reconstruction. The report and the new files say so.",
    )
    return older(option(command))


def _domains(
    context: click.Context, option: click.Parameter, texts: tuple[str, ...]
) -> frozenset[str]:
    from rgan_sdk.harmonizer import DOMAINS

    names = [name.strip() for text in texts for name in text.split(",")]
    if unknown := [name for name in names if name not in DOMAINS]:
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(DOMAINS)}")
    return frozenset([*names, "kernel"] if context.meta[_ANY_KERNEL] else names)


assume_hu_option = click.option(
    "--assume-hu",
    is_flag=True,
    help="Also take series whose RescaleType is US (unspecified) if no air near -1000 shows that "
    "their numbers are HU.",
)

strict_kernel_option = click.option(
    "--strict-kernel",
    is_flag=True,
    help="Leave series aside whose images show another kernel than those that the model was made "
    "from. Without it they get a note.",
)

engine_option = click.option(
    "--engine",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="tensorrt, onnxruntime, openvino or identity. auto: the fastest engine that can run here "
    "and passes its self-test. A named engine never falls back to another.",
)

precision_option = click.option(
    "--precision",
    type=click.Choice(["auto", "bf16"]),
    default="auto",
    show_default=True,
    help="auto: the precision of the model's file. bf16: faster with OpenVINO on CPUs that support "
    "it, within the error bound on the model's card.",
)

device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    help="auto, cpu, cuda or cuda:N. A named device never falls back to another.",
)

devices_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    help="auto, cpu, cuda, cuda:N, or several that share the work: cuda:0,cuda:1. A named device "
    "never falls back to another.",
)


ray_option = click.option(
    "--ray",
    metavar="local|ADDRESS",
    help="Have the work done by the workers of a Ray cluster, one for each GPU or for each core: "
    "one on this machine alone, or that at auto or HOST:PORT, which this machine belongs to.",
)

verbose_option = click.option(
    "--verbose", is_flag=True, help="Also say why no other engine is used, whatever the reason."
)


def announce(harmonizer: Harmonizer, *, verbose: bool = False) -> None:
    """Print what runs where, and why nothing faster is used where something is wrong with it."""
    engine = harmonizer.engine
    click.echo(f"{harmonizer.model.card.name} on {engine.description}", err=True)
    for reason in engine.passed_over if verbose else _worth_telling(engine.passed_over):
        click.echo(click.style(f"  not {reason}", dim=True), err=True)


def _worth_telling(reasons: Sequence[str]) -> list[str]:
    """Leave out that there is no GPU, and what is not installed on a machine without one."""
    from rgan_sdk.engines.cuda import NO_DRIVER

    has_gpu = any(" on cuda" in reason and NO_DRIVER not in reason for reason in reasons)
    return [
        reason
        for reason in reasons
        if NO_DRIVER not in reason and (has_gpu or NOT_INSTALLED not in reason)
    ]


_MODEL = "An ONNX file, or the name of a packaged model (see `rgan-harmonize models`)."

model_option = click.option("--model", required=True, metavar="FILE|NAME", help=_MODEL)

models_option = click.option(
    "--model",
    "models",
    multiple=True,
    metavar="FILE|NAME",
    help=f"{_MODEL} May be repeated: each series gets the one model that takes it. Needed without "
    "--from, or where the list names none.",
)


def check_report(
    report: Path | None,
    source: Path | None,
    destination: Path | None = None,
    *,
    used: Iterable[Path] = (),
    name: str = "the report",
) -> None:
    """Refuse a report that cannot or should not be written, before a long run.

    Parameters
    ----------
    source
        The folder that the report must not lie in, if there is one.
    destination
        A folder that the run makes.
    used
        Files and folders that are read or written besides.
    """
    if report is None:
        return
    place = _place(report)
    if source is not None and source.resolve() in place.parents:
        raise click.BadParameter(f"{name} {report} would lie inside INPUT")
    for one in used:
        if not {place, *place.parents}.isdisjoint((_place(one), one.resolve())):
            raise click.BadParameter(
                f"{name} cannot be {report}: {one} is needed for something else; choose "
                "another file"
            )
    made_by_the_run = destination is not None and place.parent == destination.resolve()
    if not (place.parent.is_dir() or made_by_the_run):
        raise click.BadParameter(f"there is no folder {report.parent} for {name}")


def _place(path: Path) -> Path:
    """Return where a file that is written anew gets its name: a link of that name is replaced."""
    return path.parent.resolve() / path.name


def check_picture(option: str, picture: Path | None) -> None:
    """Refuse the name of a picture that is not a PNG's."""
    if picture is not None and picture.suffix.lower() != ".png":
        raise click.BadParameter(f"{option} {picture}: the name of the picture must end in .png")
