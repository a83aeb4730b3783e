"""The examples that ``--help`` shows, and running them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path

import click
from click.testing import CliRunner, Result

MODULES = {"rgan-harmonize": "rgan_sdk.cli", "rgan-train": "rgan_train.cli"}
STARTS = tuple(f"{program} " for program in MODULES)
GROUP = ""
"""Stands for the program itself, without a command."""

Provide = Callable[[Path], object]


def commands(program: str) -> list[str]:
    """Return the names of all commands, and ``GROUP``."""
    return [GROUP, *import_module(MODULES[program]).COMMANDS]


def help_text(program: str, command: str) -> str:
    """Return what ``--help`` shows on a terminal of 80 columns."""
    arguments = [command, "--help"] if command else ["--help"]
    result = CliRunner(env={"COLUMNS": "80"}).invoke(_main(program), arguments)
    assert result.exit_code == 0, result.output
    return result.output


def examples(program: str, command: str) -> list[str]:
    """Return the examples in a command's help, each in one line."""
    lines = help_text(program, command).replace("\\\n", " ").splitlines()
    return [" ".join(line.split()) for line in lines if line.strip().startswith(STARTS)]


def check_width(program: str, command: str) -> None:
    """Check that no line of a command's help is wider than a terminal of 80 columns."""
    wide = [line for line in help_text(program, command).splitlines() if len(line) > 80]
    assert not wide, "\n".join(wide)


def provide(provided: Mapping[str, Provide], folder: Path) -> None:
    """Put what the examples of a command name into a folder."""
    for name, write in provided.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path)


def run(example: str, more: Sequence[str] = ()) -> Result:
    """Run an example in this folder, with more arguments at its end."""
    program, *arguments = shlex.split(example)
    return CliRunner().invoke(_main(program), [*arguments, *more])


def make_names(names: Iterable[str], folder: Path) -> None:
    """Make empty files and folders of these names."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch() if path.suffix else path.mkdir()


def understand(example: str) -> None:
    """Let a command read the arguments of an example, and do no more than make an empty OUTPUT.

    Raises
    ------
    click.ClickException
        If there is no such option, or a file is missing that no example before it makes.
    """
    program, name, *arguments = shlex.split(example)
    main = _main(program)
    command = main.get_command(click.Context(main), name)
    assert command is not None, example
    command.make_context(name, list(arguments))
    made = arguments[arguments.index("-o") + 1] if "-o" in arguments else ""
    make_names([] if Path(made).exists() else [made], Path())


def check_options(words: Sequence[str]) -> None:
    """Check that a command line of these programs has a command and options that there are.

    Raises
    ------
    click.ClickException
        If there is no such option.
    """
    program, *arguments = words
    if program in MODULES:
        main = _main(program)
        command = main.get_command(click.Context(main), arguments[0])
        assert command is not None, words
        command.make_parser(click.Context(command)).parse_args(arguments[1:])


def said(example: str, result: Result) -> str:
    """Return what to show of an example that did not do what it should."""
    return f"$ {example}\n{result.output}\n{result.exception!r}"


def _main(program: str) -> click.Group:
    main: click.Group = import_module(MODULES[program]).main
    return main
