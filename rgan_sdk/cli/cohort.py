"""The models of ``run``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from rgan_sdk.cli.options import announce

if TYPE_CHECKING:
    from rgan_sdk.run.cohort.models import CohortModel


def read_models(
    names: Sequence[str],
    target_kernel: str | None,
    *,
    engine: str,
    devices: Sequence[str],
    precision: str,
    batch_size: int | None,
    verbose: bool,
    ray: str | None = None,
) -> tuple[CohortModel, ...]:
    """Read the models that take part in a run; each is announced when it is opened."""
    from rgan_sdk.errors import ConfigurationError
    from rgan_sdk.run.cohort.models import CohortModel, choose_models

    try:
        models = [
            CohortModel.load(
                name,
                engine=engine,
                devices=devices,
                precision=precision,
                batch_size=batch_size,
                on_open=partial(announce, verbose=verbose),
                ray=ray,
            )
            for name in names
        ]
        return choose_models(models, target_kernel)
    except ConfigurationError as exc:
        raise click.UsageError(str(exc)) from exc
