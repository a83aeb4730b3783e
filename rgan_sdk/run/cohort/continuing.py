"""What a run may continue, and what it must have in common with what OUTPUT holds.

A run may continue one with fewer models. It may not leave out a model that made any of the series,
nor the copying of series if some were copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from rgan_sdk.errors import OutputError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.model import HarmonizationModel
from rgan_sdk.run.state.identity import (
    Configuration,
    RunIdentity,
    UsedModel,
    check_alike,
    settle_batch_size,
)
from rgan_sdk.run.state.journal import EarlierRun, check_same_run

INCLUDE: Final = "include_target"
"""The option that copies series."""

COPIED: Final = ""
"""What the journal has in place of the model of a copy."""


def settle(
    output: Path, earlier: EarlierRun | None, harmonizers: Sequence[Harmonizer]
) -> tuple[Harmonizer, ...]:
    """Return an opened model's harmonizers with the batch size that it has in this run.

    Raises
    ------
    ConfigurationError
        If they would not give the same pixels.
    """
    used = UsedModel.of(harmonizers[0].model)
    settled = settle_batch_size(harmonizers, earlier.made_with(used, output) if earlier else None)
    check_alike(settled)
    return settled


def check_configuration(output: Path, earlier: EarlierRun | None, harmonizer: Harmonizer) -> str:
    """Return an opened model's configuration, which must be that of the series it made before.

    Raises
    ------
    OutputError
        If it is another one.
    """
    made = earlier.made_with(UsedModel.of(harmonizer.model), output) if earlier else None
    configuration = Configuration.of(harmonizer).to_json()
    if made is not None:
        check_same_run(output, replace(made, configuration=configuration), made)
    return configuration


def continued(
    output: Path,
    earlier: EarlierRun | None,
    identity: RunIdentity,
    models: Sequence[HarmonizationModel],
) -> EarlierRun | None:
    """Return an earlier run as one that this run continues.

    Parameters
    ----------
    identity
        Of this run.
    models
        All that this run may use.

    Returns
    -------
    EarlierRun
        With the identity of this run, if it can be continued; as it is, if no series of it is
        there.

    Raises
    ------
    OutputError
        If it cannot be continued, and series of it are there; it names what differs.
    """
    made = {series.model for series in earlier.series_in(output)} if earlier else set()
    if earlier is None or not made:
        return earlier
    has_copies = COPIED in made
    used = [one for one in earlier.models if one.sha256 in made]
    given = {one.sha256 for one in models}
    dropped = tuple(one for one in used if one.sha256 not in given)
    configurations = [earlier.models[one] for one in identity.models if one in used]
    seen = replace(
        earlier.identity,
        models=dropped or identity.models,
        configuration=configurations[0] if configurations else identity.configuration,
        options=_comparable(earlier.identity.options, identity.options, has_copies=has_copies),
    )
    if has_copies and INCLUDE not in identity.options:
        raise OutputError(
            f"{output}: holds copies of series that have the target kernel already; run with "
            "--include-target, or choose another OUTPUT"
        )
    check_same_run(output, identity, seen)
    return earlier._replace(identity=seen)


def _comparable(
    earlier: dict[str, Any], options: dict[str, Any], *, has_copies: bool
) -> dict[str, Any]:
    """Return the options of an earlier run, with copying where it may be added or left out."""
    if INCLUDE in options:
        return {**earlier, INCLUDE: earlier.get(INCLUDE, options[INCLUDE])}
    if has_copies:
        return earlier
    return {name: value for name, value in earlier.items() if name != INCLUDE}
