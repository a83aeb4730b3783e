"""A click group that imports a command when it is called, and turns our errors into messages."""

from __future__ import annotations

import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click

from rgan_sdk.errors import OutputBusyError, RganError

BUSY = 75
INTERRUPTED = 130


class LazyGroup(click.Group):
    """A group whose commands are modules of one package.

    Each module has a command named ``command``. Its one-line help stands in the table,
    so that listing the commands imports none of them.
    """

    def __init__(self, *, package: str, table: dict[str, str], **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.package = package
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in self.table:
            return None
        module = import_module(f"{self.package}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        command.name = cmd_name
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.table.items()))

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command; characters that the terminal cannot show are spelled out as escapes."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        return super().main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> object:
        """Turn our errors into a message and exit code 1 or 75, Ctrl-C into exit code 130."""
        try:
            return super().invoke(ctx)
        except OutputBusyError as exc:
            click.echo(f"Error: {exc}", err=True)
            raise click.exceptions.Exit(BUSY) from exc
        except RganError as exc:
            raise click.ClickException(str(exc)) from exc
        except KeyboardInterrupt as exc:
            click.echo("interrupted", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from exc
