"""Open a model on the workers of a cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Final

from rgan_sdk.engines import PREFERENCE
from rgan_sdk.errors import ConfigurationError, EngineError, EngineUnavailableError, check_type
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.model import HarmonizationModel
from rgan_sdk.run.cluster.distant_engine import DistantEngine, Staff
from rgan_sdk.run.cluster.team import Choice, Lost, Opened, Refused, Team

INSTALL: Final = "Ray is not installed; pip install 'rgan-sdk[ray]' on every machine of the cluster"
DEVICES: Final = ("auto", "cpu", "cuda")
LISTEN_SECONDS: Final = 0.5
GRACE_SECONDS: Final = 30.0
"""How long to wait for further workers when one is ready; those that come later join the run."""


def check_cluster(address: str, devices: Sequence[str]) -> str:
    """Return the one device that the workers of a cluster are to use.

    Raises
    ------
    ConfigurationError
        If the address is that of a Ray Client, or the device is one of several.
    EngineUnavailableError
        If Ray is not installed.
    """
    check_type("ray", address, str)
    if "://" in address:
        raise ConfigurationError(
            f"Ray at {address}: a run must be started on a machine of the cluster, because it "
            "renames what the workers write; use local, auto or HOST:PORT there"
        )
    if len(devices) > 1 or devices[0] not in DEVICES:
        raise ConfigurationError(
            f"device {','.join(devices)}: Ray gives each worker a GPU of its own; with Ray the "
            f"device is {', '.join(DEVICES)}"
        )
    if find_spec("ray") is None:
        raise EngineUnavailableError(INSTALL)
    return devices[0]


@contextmanager
def open_on_cluster(
    model: HarmonizationModel, address: str, choice: Choice, batch_size: int | None
) -> Iterator[tuple[Harmonizer, ...]]:
    """Open a model on a worker for each GPU of a cluster, or for each core.

    Parameters
    ----------
    address
        See ``CohortModel.load``.

    Yields
    ------
    tuple of Harmonizer
        One for each worker that is ready. Their engines are ``DistantEngine``.

    Raises
    ------
    EngineError
        If a worker cannot open the model.
    ConfigurationError
        If workers might give different pixels.
    """
    from rgan_sdk.run.cluster.ray_team import hire

    with hire(model, address, choice, on_gpus=_wants_gpus(choice)) as (team, count):
        staff = assemble(team, count)
        yield tuple(
            Harmonizer(DistantEngine(model, worker, staff), batch_size) for worker in staff.opened
        )


def _wants_gpus(choice: Choice) -> bool | None:
    """Return whether workers need GPUs; None if they take them where there are any."""
    if choice.device != "auto":
        return choice.device == "cuda"
    runs_on_gpus = choice.engine == "auto" or (choice.engine, "cuda") in PREFERENCE
    return None if runs_on_gpus else False


def assemble(team: Team, count: int) -> Staff:
    """Start workers, and wait until they are ready, or until some have been for a while.

    Raises
    ------
    EngineError
        If one of them cannot open the model.
    ConfigurationError
        If they might give different pixels.
    """
    staff, since = Staff(team, count), time.monotonic()
    staff.complete()
    while staff.opening and not (staff.opened and time.monotonic() - since > GRACE_SECONDS):
        for event in team.listen(LISTEN_SECONDS):
            match event:
                case Opened(worker, facts):
                    staff.opening -= 1
                    staff.opened[worker] = facts
                    since = time.monotonic() if len(staff.opened) == 1 else since
                case Refused(_, reason):
                    raise EngineError(reason)
                case Lost(worker, reason):
                    raise EngineError(f"{worker} ended before it was ready: {reason}")
    first, *others = staff.opened.values()
    for facts in others:
        if difference := first.difference(facts):
            raise ConfigurationError(
                f"workers must give the same pixels: {difference}; start Ray on machines of one "
                "kind, with the same packages"
            )
    return staff
