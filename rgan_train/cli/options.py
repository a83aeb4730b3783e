"""Options that several commands share."""

from __future__ import annotations

import click


def whole_numbers(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[int, ...] | None:
    """Parse numbers between commas, as many as the option's metavar names."""
    if text is None:
        return None
    names = str(parameter.metavar)
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != len(names.split(",")):
        raise click.BadParameter(f"{text!r} is not of the form {names} in whole numbers")
    return numbers


display_window = click.option(
    "--window",
    metavar="LOWER,UPPER",
    default="-800,800",
    show_default=True,
    callback=whole_numbers,
    help="HU from black to white.",
)
