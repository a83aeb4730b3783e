"""Show that headers are read, which takes minutes where there are many."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def count_headers() -> Iterator[Callable[[int], None]]:
    """Yield a function that takes how many headers were read since its last call.

    The sum is shown on a terminal, and one line elsewhere. Of several processes on a machine the
    first one alone shows it.
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    is_first = os.environ.get("LOCAL_RANK", "0") == "0"
    bar = Progress(
        SpinnerColumn(),
        TextColumn("headers read: {task.completed:,}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not (is_first and console.is_terminal),
    )
    if is_first and not console.is_terminal:
        click.echo("reading headers", err=True)
    with bar:
        task = bar.add_task("", total=None)
        yield lambda files: bar.advance(task, files)
