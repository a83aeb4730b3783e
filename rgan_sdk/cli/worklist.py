"""What ``run --from`` does with a work list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rgan_sdk.run.worklist import WorkList


def open_list(path: Path, models: Sequence[str]) -> tuple[WorkList, tuple[str, ...]]:
    """Read a list, and choose the models to run and the rows for them.

    Parameters
    ----------
    models
        As the user names them; none takes those that the list names.
    """
    from rgan_sdk.model import stored_name
    from rgan_sdk.run.worklist import WorkList

    work = WorkList.read(path)
    if not models:
        if not work.models:
            raise click.UsageError(f"{path}: no row names a model; name one with --model")
        return work, work.models
    chosen = work.take(map(stored_name, models))
    if left := len(work.rows) - len(chosen.rows):
        click.echo(f"{path}: {left} series for other models left out", err=True)
    if not chosen.rows:
        named = ", ".join(models)
        raise click.UsageError(f"{path}: no row is for {named}, only for {', '.join(work.models)}")
    return chosen, tuple(models)
