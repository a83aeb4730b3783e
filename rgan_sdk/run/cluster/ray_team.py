"""Workers as actors of Ray. No other module imports it."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Final, NamedTuple

from rgan_sdk.cores import usable_cores
from rgan_sdk.errors import EngineUnavailableError
from rgan_sdk.model import HarmonizationModel
from rgan_sdk.run.cluster.team import Choice, Event, Lost, Task
from rgan_sdk.run.cluster.worker import Worker

LOCAL: Final = "local"
CONNECT_SECONDS: Final = 10.0
OBJECT_STORE: Final = 256 << 20
"""Bytes for what is sent: the model, paths, and two slices of a series where it has a picture."""
RAY_SETS: Final = ("RAY_AUTH_MODE", "RAY_USAGE_STATS_ENABLED", "PYTHONBREAKPOINT")


def import_ray() -> Any:
    """Import Ray, which changes the environment and the signals of a process, when it is needed."""
    import ray

    return ray


class Share(NamedTuple):
    """How many workers a cluster has room for, and what each gets."""

    workers: int
    cpus: int
    gpus: int


class _Actor(Worker):
    """A worker in a process of its own."""

    def __init__(self, name: str, threads: int) -> None:
        os.umask(0o077)  # patients' images: readable by their owner only
        os.environ["OMP_NUM_THREADS"] = str(threads)
        super().__init__(name, threads)


class RayTeam:
    """A ``Team`` of actors, each with its share of the cluster."""

    def __init__(self, model: HarmonizationModel, choice: Choice, share: Share) -> None:
        self._ray = import_ray()
        self._model, self._choice = self._ray.put(model), choice
        self._threads = max(1, share.cpus)
        self._actor = self._ray.remote(num_cpus=share.cpus, num_gpus=share.gpus, max_restarts=0)(
            _Actor
        )
        self._numbers = count(1)
        self._actors: dict[str, Any] = {}
        self._pending: dict[Any, str] = {}

    def recruit(self) -> None:  # noqa: D102 - see Team
        name = f"worker {next(self._numbers)}"
        actor = self._actor.remote(name, self._threads)
        self._actors[name] = actor
        self._pending[actor.open.remote(self._model, self._choice)] = name

    def give(self, worker: str, task: Task) -> None:  # noqa: D102 - see Team
        work = self._actors[worker].work.options(num_returns="streaming")
        self._pending[work.remote(task)] = worker

    def dismiss(self, worker: str) -> None:  # noqa: D102 - see Team
        self._ray.kill(self._actors.pop(worker))
        self._pending = {one: name for one, name in self._pending.items() if name != worker}

    def listen(self, seconds: float) -> list[Event]:  # noqa: D102 - see Team
        ready, _ = self._ray.wait(
            list(self._pending), num_returns=1, timeout=seconds, fetch_local=False
        )
        return [event for one in ready for event in self._hear(one)]

    def end(self) -> None:
        """End all workers."""
        for worker in list(self._actors):
            self.dismiss(worker)

    def _hear(self, source: Any) -> Iterator[Event]:
        """Yield the next event of a task, if there is one more."""
        worker = self._pending[source]
        is_stream = isinstance(source, self._ray.ObjectRefGenerator)
        try:
            event: Event = self._ray.get(next(source) if is_stream else source)
        except StopIteration:
            del self._pending[source]
            return
        except self._ray.exceptions.RayError as error:
            self.dismiss(worker)
            yield Lost(worker, self._cause(error))
            return
        if not is_stream:
            del self._pending[source]
        yield event

    def _cause(self, error: Exception) -> str:
        """Return why a worker was lost; not what its code has said, which may be of patients."""
        if isinstance(error, self._ray.exceptions.ActorUnavailableError):
            return "it cannot be reached"
        if isinstance(error, self._ray.exceptions.ActorDiedError):
            return str(error).strip().splitlines()[-1].partition(". ")[0]
        return type(error).__name__


@contextmanager
def hire(
    model: HarmonizationModel, address: str, choice: Choice, *, on_gpus: bool | None
) -> Iterator[tuple[RayTeam, int]]:
    """Be connected to a cluster.

    Parameters
    ----------
    address
        ``local`` starts a cluster on this machine, and ends it. A program that is connected to one
        already uses that.
    on_gpus
        Whether workers need a GPU each; None if they take one where there is any.

    Yields
    ------
    team, count
        A team without workers, and how many there is room for.

    Raises
    ------
    EngineUnavailableError
        If there is no such cluster, or no room in it.
    """
    with _connected(address):
        nodes = [node["Resources"] for node in import_ray().nodes() if node["Alive"]]
        share = _share(nodes, on_gpus=on_gpus)
        if not share.workers:
            raise EngineUnavailableError(
                f"Ray at {address}: the cluster has no {'GPU' if share.gpus else 'core'} for a "
                "worker; `ray status` shows what it has"
            )
        team = RayTeam(model, choice, share)
        try:
            yield team, share.workers
        finally:
            team.end()


def _share(nodes: list[dict[str, float]], *, on_gpus: bool | None) -> Share:
    """Share the machines of a cluster among workers: one for each GPU, or for each core."""
    gpus = [(int(one.get("CPU", 0)), int(one["GPU"])) for one in nodes if one.get("GPU", 0) >= 1]
    if on_gpus or (on_gpus is None and gpus):
        cpus = min((cores // devices for cores, devices in gpus), default=0)
        return Share(sum(devices for _, devices in gpus), cpus, 1)
    return Share(sum(int(one.get("CPU", 0)) for one in nodes), 1, 0)


@contextmanager
def _connected(address: str) -> Iterator[None]:
    ray = import_ray()
    if ray.is_initialized():
        yield
        return
    with _own_environment():
        with _own_signals():
            _connect(address)
        try:
            yield
        finally:
            with _own_signals():
                ray.shutdown()


def _connect(address: str) -> None:
    ray = import_ray()
    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == LOCAL:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        settings |= {
            "num_cpus": usable_cores(),
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE,
        }
    try:
        _check_answer(address)
        ray.init(address, **settings)
    except (ray.exceptions.RayError, OSError, RuntimeError, ValueError) as error:
        said = str(error).splitlines()[0].partition(". ")[0]
        raise EngineUnavailableError(
            f"Ray at {address}: no cluster that can be used ({said}); "
            "`ray status` on this machine shows whether there is one"
        ) from error


def _check_answer(address: str) -> None:
    """Raise OSError where nobody listens; Ray would try for minutes."""
    host, colon, port = address.rpartition(":")
    if colon:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()


@contextmanager
def _own_environment() -> Iterator[None]:
    """Take back what Ray sets in the environment: programs started later would ask for a token."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in RAY_SETS:
            os.environ.pop(name, None)
            if name in before:
                os.environ[name] = before[name]


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep Ray from taking SIGTERM over, which ends a run as Ctrl-C does."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)
