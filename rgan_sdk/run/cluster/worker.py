"""What a worker does, in a process of its own: open the model once, then series after series."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

from rgan_sdk.engines import create_engine
from rgan_sdk.engines.base import Engine
from rgan_sdk.errors import RganError, describe_unexpected
from rgan_sdk.files import is_there
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.model import HarmonizationModel
from rgan_sdk.run.cluster.local_crew import LocalCrew
from rgan_sdk.run.cluster.team import (
    Choice,
    Done,
    EngineFacts,
    Event,
    Opened,
    Outcome,
    Passed,
    Refused,
    Task,
)
from rgan_sdk.run.stages import StageClock
from rgan_sdk.run.state.identity import SOFTWARE

REPORT_SECONDS = 1.0


class Worker:
    """Works for one run, with one model.

    It tells of what happens by events. An error is one of them, because whoever calls it in another
    process might log an exception with more than is good for patients.

    Parameters
    ----------
    name
        By which the run calls it.
    threads
        That read and write, unless the run wants other ones.
    """

    def __init__(self, name: str, threads: int) -> None:
        self._name, self._threads = name, threads
        self._node = socket.gethostname()
        self._engine: Engine | None = None
        self._harmonizer: Harmonizer | None = None

    def open(self, model: HarmonizationModel, choice: Choice) -> Event:
        """Open the model, once."""
        if hashlib.sha256(model.content).hexdigest() != model.sha256:
            return self._refuse("the model was damaged on its way")
        try:
            self._engine = create_engine(model, choice.engine, choice.device, choice.precision)
        except Exception as error:
            return self._refuse(_describe(error))
        return Opened(self._name, EngineFacts.of(self._engine, SOFTWARE, self._node))

    def work(self, task: Task) -> Iterator[Event]:
        """Do a task, and tell now and then how it goes on; the last event is its end."""
        for path in task.seen:
            if not is_there(path):
                yield self._refuse(
                    f"it does not see {path}; INPUT and OUTPUT must have the same paths on all "
                    "machines"
                )
                return
        manner = replace(task.manner, threads=task.manner.threads or self._threads)
        harmonizer, clock = self._harmonizer_for(task.batch_size), StageClock()
        slices, told = 0, time.monotonic()
        try:
            with closing(LocalCrew([harmonizer], manner, clock).run(task.jobs)) as running:
                for batch in running:
                    slices += batch.slices
                    if time.monotonic() - told >= REPORT_SECONDS:
                        yield Passed(self._name, slices)
                        slices, told = 0, time.monotonic()
        except Exception as error:  # such as no more threads
            yield self._refuse(_describe(error))
            return
        outcomes = tuple(Outcome.of(job) for job in task.jobs)
        yield Done(self._name, outcomes, dict(clock.busy), harmonizer.fitting_batch_size)

    def _harmonizer_for(self, batch_size: int) -> Harmonizer:
        assert self._engine is not None
        if self._harmonizer is None or self._harmonizer.batch_size != batch_size:
            self._harmonizer = Harmonizer(self._engine, batch_size)
        return self._harmonizer

    def _refuse(self, reason: str) -> Refused:
        return Refused(self._name, f"worker on {self._node}: {reason}")


def _describe(error: Exception) -> str:
    return str(error) if isinstance(error, RganError) else describe_unexpected(error)
