"""Deal series out to workers that may be lost, so that each is done exactly once.

A task may be done more than once: a worker that cannot be reached may still be writing while
another does its task again. So each attempt writes to a folder of its own. The first that is
complete becomes the folder of the job, and only then does the run hear of it.
"""

from __future__ import annotations

import secrets
import shutil
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Final

from rgan_sdk.errors import EngineError, IneligibleError, OutputError, RganError
from rgan_sdk.files import is_there
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.run.cluster.crew import Manner
from rgan_sdk.run.cluster.distant_engine import DistantEngine
from rgan_sdk.run.cluster.team import Done, Event, Lost, Opened, Outcome, Passed, Refused, Task
from rgan_sdk.run.jobs import SeriesJob
from rgan_sdk.run.stages import StageClock, WrittenBatch
from rgan_sdk.run.state.identity import describe_smaller_batches

BATCHES: Final = 4
"""That a task should have: series of few slices are given together."""

MAX_LOSSES: Final = 3
"""Workers that may be lost over a series."""

LISTEN_SECONDS: Final = 0.5
PATIENCE_SECONDS: Final = 600.0
"""How long to wait for a worker when none is left."""

REMOVE_SECONDS: Final = 10.0


@dataclass(eq=False)
class _Order:
    """A job on its way to a worker, perhaps not for the first time."""

    job: SeriesJob
    losses: int = 0
    is_started: bool = False


@dataclass
class _Assignment:
    """What a worker is doing, and where."""

    orders: tuple[_Order, ...]
    folders: tuple[Path, ...]
    passed: int = 0

    @property
    def slices(self) -> int:
        return sum(order.job.slices for order in self.orders)


class DistantCrew:
    """Workers that each have an engine of a ``DistantEngine``'s staff.

    Parameters
    ----------
    harmonizers
        One for each worker that is ready, with the batch size of the run.
    """

    def __init__(
        self, harmonizers: Sequence[Harmonizer], manner: Manner, clock: StageClock
    ) -> None:
        engines = [one.engine for one in harmonizers]
        self._of_worker = {
            engine.worker: one
            for engine, one in zip(engines, harmonizers, strict=True)
            if isinstance(engine, DistantEngine)
        }
        first = engines[0]
        assert isinstance(first, DistantEngine)
        self._staff, self._team = first.staff, first.staff.team
        self._pattern = first.facts
        self._harmonizers, self._manner, self._clock = harmonizers, manner, clock
        self._idle = deque(self._staff.opened)
        self._busy: dict[str, _Assignment] = {}
        self._again: deque[_Order] = deque()
        self._repeated = 0  # slices that will pass again, and were told
        self._numbers = count(1)
        self._secret = secrets.token_hex(8)
        self._reasons: list[str] = []  # why workers were lost or left aside
        self._reason = "none has started"  # why the last worker went
        self._last_worker = time.monotonic()

    @property
    def warnings(self) -> list[str]:
        """See ``Crew``."""
        return [*describe_smaller_batches(self._harmonizers), *self._reasons]

    def run(self, jobs: Iterable[SeriesJob]) -> Generator[WrittenBatch, None, None]:
        """See ``Crew``."""
        orders = map(_Order, jobs)
        try:
            if is_left := self._hand_out(orders):
                self._staff.complete()
            while is_left:
                for event in self._team.listen(LISTEN_SECONDS):
                    yield from self._hear(event)
                self._check_patience()
                is_left = self._hand_out(orders)
        finally:
            for worker in self._busy:
                self._team.dismiss(worker)
                del self._staff.opened[worker]
            for assignment in self._busy.values():
                for folder in assignment.folders:
                    _remove(folder)

    def _hand_out(self, orders: Iterator[_Order]) -> bool:
        """Give tasks to all who have none; return whether any work is left."""
        while self._idle:
            load = self._load(orders)
            if not load:
                break
            self._give(self._idle.popleft(), load)
        if not (self._busy or self._again):  # there may be work, but nobody to take it yet
            self._again.extend(islice(orders, 1))
        return bool(self._busy or self._again)

    def _load(self, orders: Iterator[_Order]) -> tuple[_Order, ...]:
        """Return what to do next: what was lost, one by one, and then what is new."""
        if self._again:
            return (self._again.popleft(),)
        load: list[_Order] = []
        wanted = BATCHES * self._harmonizers[0].batch_size
        while sum(order.job.slices for order in load) < wanted:
            order = next(orders, None)
            if order is None:
                break
            load.append(order)
        return tuple(load)

    def _give(self, worker: str, load: tuple[_Order, ...]) -> None:
        folders = tuple(self._make_folder(order.job) for order in load)
        jobs = tuple(order.job.attempt(folder) for order, folder in zip(load, folders, strict=True))
        firsts = (job.series.slices[0].path for job in jobs)
        seen = tuple(path for path in (*folders, *firsts) if is_there(path))
        self._busy[worker] = _Assignment(load, folders)
        batch_size = self._harmonizers[0].batch_size
        self._team.give(worker, Task(jobs, self._manner, batch_size, seen))

    def _make_folder(self, job: SeriesJob) -> Path:
        """Make the folder of an attempt. No other run, past or to come, makes it again."""
        folder = job.folder.with_name(f"{self._secret}-{next(self._numbers)}")
        try:
            folder.mkdir(mode=0o700)
        except OSError as error:
            job.fail(_cannot_write(folder, error))
        return folder

    def _hear(self, event: Event) -> Iterator[WrittenBatch]:
        match event:
            case Opened():
                self._welcome(event)
            case Passed(worker, slices):
                yield self._pass(self._busy[worker], slices)
            case Done():
                yield self._finish(event)
            case Refused(worker, reason):
                self._part_with(worker, reason)
            case Lost(worker, reason):
                yield from self._lose(worker, reason)

    def _welcome(self, opened: Opened) -> None:
        """Take a worker that is ready, unless it might give other pixels."""
        difference = opened.facts.difference(self._pattern)
        if difference:
            self._part_with(opened.worker, f"workers must give the same pixels: {difference}")
            return
        self._staff.opening -= 1
        self._staff.opened[opened.worker] = opened.facts
        self._idle.append(opened.worker)

    def _part_with(self, worker: str, reason: str) -> None:
        """Have others do the work of a worker that is of no use; this run starts none instead."""
        self._reason = reason
        self._reasons.append(f"a worker was left aside: {reason}")
        self._team.dismiss(worker)
        if not self._staff.opened.pop(worker, None):
            self._staff.opening -= 1
        self._again.extend(self._take_from(worker))

    def _pass(
        self, assignment: _Assignment, slices: int, finished: tuple[SeriesJob, ...] = ()
    ) -> WrittenBatch:
        """Return what to tell of slices that have passed, but for those told before."""
        assignment.passed += slices
        again = min(slices, self._repeated)
        self._repeated -= again
        started = tuple(order.job for order in assignment.orders if not order.is_started)
        for order in assignment.orders:
            order.is_started = True
        return WrittenBatch(slices - again, started, finished)

    def _finish(self, done: Done) -> WrittenBatch:
        assignment = self._busy.pop(done.worker)
        self._idle.append(done.worker)
        self._clock.add(done.busy, workers=len(self._of_worker))
        if done.worker in self._of_worker:
            self._of_worker[done.worker].fitting_batch_size = done.fitting_batch_size
        jobs = tuple(order.job for order in assignment.orders)
        for job, folder, outcome in zip(jobs, assignment.folders, done.outcomes, strict=True):
            _adopt(job, folder, outcome)
        return self._pass(assignment, assignment.slices - assignment.passed, jobs)

    def _lose(self, worker: str, reason: str) -> Iterator[WrittenBatch]:
        """Have another worker do what one has not finished, and start one in its place."""
        facts = self._staff.opened.pop(worker, None)
        if facts is not None:
            reason = f"{worker} on {facts.node} was lost: {reason}"
            self._reasons.append(f"{reason}; its work went to others")
            self._staff.recruit()
        else:
            self._staff.opening -= 1
        self._reason = reason
        for order in self._take_from(worker):
            order.losses += 1
            if order.losses == MAX_LOSSES:
                order.job.fail(
                    EngineError(f"given up after {MAX_LOSSES} workers were lost; {reason}")
                )
                yield self._pass(_Assignment((order,), ()), order.job.slices, (order.job,))
            else:
                self._again.append(order)

    def _take_from(self, worker: str) -> tuple[_Order, ...]:
        """Return the orders that a worker will not finish."""
        if worker in self._idle:
            self._idle.remove(worker)
        assignment = self._busy.pop(worker, None)
        if assignment is None:
            return ()
        self._repeated += assignment.passed
        for folder in assignment.folders:
            shutil.rmtree(folder, ignore_errors=True)
        return assignment.orders

    def _check_patience(self) -> None:
        now = time.monotonic()
        if self._staff.opened:
            self._last_worker = now
        elif self._staff.opening == 0 or now - self._last_worker > PATIENCE_SECONDS:
            raise EngineError(
                f"no worker is left ({self._reason}); once that is mended, the same command "
                "continues this run"
            )


def _adopt(job: SeriesJob, folder: Path, outcome: Outcome) -> None:
    """Give a job what a worker has made of it."""
    job.files, job.kernel = outcome.files, outcome.kernel
    job.noise, job.middle = outcome.noise, outcome.middle
    if outcome.problem:
        kind = IneligibleError if outcome.is_left_aside else RganError
        job.fail(kind(outcome.problem))
        shutil.rmtree(folder, ignore_errors=True)
        return
    try:
        folder.replace(job.folder)  # which is empty
    except OSError as error:
        job.fail(_cannot_write(folder, error))


def _cannot_write(folder: Path, error: OSError) -> OutputError:
    return OutputError(f"{folder.parent}: cannot be written to ({error.strerror})")


def _remove(folder: Path) -> None:
    """Remove a folder whose worker may go on writing for a moment."""
    deadline = time.monotonic() + REMOVE_SECONDS
    while is_there(folder) and time.monotonic() < deadline:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.01)
