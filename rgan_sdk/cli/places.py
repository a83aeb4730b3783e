"""Options of ``run`` that say where new series lie, and who may read them."""

from __future__ import annotations

from collections.abc import Callable

import click

from rgan_sdk.run.places.choices import BY_SERIES, BY_UID, LAYOUTS, NAMES


def places_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--layout``, ``--names`` and ``--group-readable``."""
    layout = click.option(
        "--layout",
        type=click.Choice(LAYOUTS),
        default=BY_SERIES,
        show_default=True,
        help="Folders of new series: SERIES, STUDY/SERIES or PATIENT/STUDY/SERIES, where studies "
        "and patients are named by pseudonyms.",
    )
    names = click.option(
        "--names",
        type=click.Choice(NAMES),
        default=BY_UID,
        show_default=True,
        help="Names of new files. sorted: 0001.dcm, 0002.dcm, ... by slice position.",
    )
    group_readable = click.option(
        "--group-readable",
        is_flag=True,
        help="Let the group read OUTPUT, too; else its owner alone can.",
    )
    return layout(names(group_readable(command)))
