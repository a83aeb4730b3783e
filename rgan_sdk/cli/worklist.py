"""What ``scan --list`` and ``run --from`` do with a work list."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rgan_sdk.run.worklist import WorkList


def open_list(path: Path, model: str | None) -> tuple[WorkList, str]:
    """Read a list, and choose the model to run and the rows for it.

    Parameters
    ----------
    model
        As the user names it; None takes the one that the list names.
    """
    from rgan_sdk.run.worklist import WorkList

    work = WorkList.read(path)
    if model is None:
        if not work.models:
            raise click.UsageError(f"{path}: no row names a model; name one with --model")
        if len(work.models) > 1:
            raise click.UsageError(
                f"{path}: the rows name several models, {', '.join(work.models)}; a run has one: "
                "choose it with --model, and run the others into folders of their own"
            )
        return work, work.models[0]
    chosen = work.take(name for name in work.models if stored_name(model) == name)
    if left := len(work.rows) - len(chosen.rows):
        click.echo(f"{path}: {left} series for other models left out", err=True)
    if not chosen.rows:
        raise click.UsageError(f"{path}: no row is for {model}, only for {', '.join(work.models)}")
    return chosen, model


def stored_name(model: str) -> str:
    """Return what a list calls a model: a packaged one by its name, a file by its absolute path."""
    from rgan_sdk.model import packaged_models

    return model if model in packaged_models() else str(Path(model).resolve())
