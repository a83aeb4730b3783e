"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import click

from rgan_sdk.errors import ConfigurationError

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

run_argument = click.argument(
    "run", metavar="RUN", type=click.Path(path_type=Path, exists=True, file_okay=False)
)


EXISTING_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)

config_option = click.option(
    "--config", "config_file", metavar="F.toml", type=EXISTING_FILE, help="Configuration file."
)


def assignments_option(example: str = "") -> Decorator:
    """Return the option that changes single values of the configuration."""
    return click.option(
        "--set",
        "assignments",
        metavar="TABLE.KEY=VALUE",
        multiple=True,
        help=f"Change one value of the configuration{example}; may be repeated.",
    )


def run_option(contents: str) -> Decorator:
    """Return the option for the folder of a run to start or to resume."""
    return click.option(
        "-o",
        "--output",
        "run",
        metavar="RUN",
        required=True,
        type=click.Path(path_type=Path, file_okay=False),
        help=f"Folder of the run: {contents}.",
    )


resume_option = click.option("--resume", is_flag=True, help="Continue the run in RUN.")


def checkpoint_option(default: Literal["best", "last"]) -> Decorator:
    """Return the option for one of a run's checkpoints."""
    return click.option(
        "--checkpoint",
        type=click.Choice(["best", "last"]),
        default=default,
        show_default=True,
        help="The best by validation PSNR, or the most recent.",
    )


def figure_option(default: str) -> Decorator:
    """Return the option for a figure of a run; the command fills in the default."""
    return click.option(
        "-o",
        "--output",
        metavar="FIG.png",
        type=click.Path(path_type=Path, dir_okay=False),
        help=f"The figure to write.  [default: {default}]",
    )


model_files_option = click.option(
    "--model",
    "models",
    metavar="[NAME=]FILE",
    multiple=True,
    required=True,
    help="An ONNX file or packaged model, and a name for it; may be repeated.  [default name: the "
    "file's, without its ending]",
)


def files_by_name(models: Sequence[str]) -> dict[str, str]:
    """Return the files of all ``[NAME=]FILE`` by the names to show them with.

    Without a name a model is called after its file.

    Raises
    ------
    ConfigurationError
        If two models would have the same name.
    """
    named: dict[str, str] = {}
    for text in models:
        given, path = split_model(text)
        name = (given or Path(path).stem).encode(errors="replace").decode()  # figures need UTF-8
        if name in named:
            raise ConfigurationError(f"two models would be called {name!r}; use --model NAME=FILE")
        named[name] = path
    return named


def split_model(text: str) -> tuple[str, str]:
    """Return the name and the file of ``[NAME=]FILE``; the name is empty if none is given.

    Both may hold an equals sign. The longest text that is a file or a packaged model is the file;
    if there is none, all of it is, for a message to show.
    """
    from rgan_sdk.model import packaged_models

    packaged = packaged_models()
    parts = text.split("=")
    for count in range(len(parts)):
        path = "=".join(parts[count:])
        if path in packaged or Path(path).is_file():
            return "=".join(parts[:count]), path
    return "", text


def parse_whole_numbers(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[int, ...] | None:
    """Parse comma-separated whole numbers, as many as the option's metavar has."""
    if text is None:
        return None
    names = str(parameter.metavar)
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != len(names.split(",")):
        raise click.BadParameter(f"{text!r} is not of the form {names} with whole numbers")
    return numbers


def structures_option(masks: str) -> Decorator:
    """Return the option that chooses among the structures of the files of another option."""
    return click.option(
        "--structure",
        "structures",
        metavar="NAME",
        multiple=True,
        help=f"Only this structure of {masks}: a name, or a value of a label map. Several times "
        "for several.  [default: all]",
    )


display_window_option = click.option(
    "--window",
    metavar="LOWER,UPPER",
    default="-800,800",
    show_default=True,
    callback=parse_whole_numbers,
    help="HU shown as black and as white.",
)
