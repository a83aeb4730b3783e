"""What is said between a run and its workers, however they are reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.dicom.read.kernel_guard import Verdict
from rgan_sdk.dicom.write.writer import WrittenFile
from rgan_sdk.engines.base import Deviation, Engine
from rgan_sdk.run.cluster.crew import Manner
from rgan_sdk.run.jobs import SeriesJob


@dataclass(frozen=True)
class Choice:
    """The engine that a worker is to open; see ``create_engine``."""

    engine: str
    device: str
    precision: str


@dataclass(frozen=True)
class Task:
    """What a worker does at a time.

    Attributes
    ----------
    jobs
        The folder of each belongs to this attempt alone.
    batch_size
        Slices per inference.
    seen
        Files and folders that the run sees, and that the worker must see, too.
    """

    jobs: tuple[SeriesJob, ...]
    manner: Manner
    batch_size: int
    seen: tuple[Path, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of a job; the attributes are those of ``SeriesJob``.

    Attributes
    ----------
    problem
        Why it failed or is left aside; empty for any other.
    """

    files: list[WrittenFile]
    kernel: Verdict
    noise: list[float]
    middle: tuple[NDArray[np.float32], NDArray[np.float32]] | None
    problem: str
    is_left_aside: bool

    @classmethod
    def of(cls, job: SeriesJob) -> Self:
        """Return what became of a job that has passed all stages."""
        return cls(job.files, job.kernel, job.noise, job.middle, job.problem, job.is_left_aside)


@dataclass(frozen=True)
class EngineFacts:
    """What a worker says of its engine; the attributes are those of ``Engine``.

    Attributes
    ----------
    software
        Name and version of this project there.
    """

    software: str
    name: str
    version: str
    precision: str
    hardware: str
    batch_invariant: bool
    device: str
    default_batch_size: int
    deviation: Deviation | None
    passed_over: tuple[str, ...]
    node: str

    @classmethod
    def of(cls, engine: Engine, software: str, node: str) -> Self:
        """Return what there is to say of an engine."""
        return cls(
            software=software,
            name=engine.name,
            version=engine.version,
            precision=engine.precision,
            hardware=engine.hardware,
            batch_invariant=engine.batch_invariant,
            device=engine.device,
            default_batch_size=engine.default_batch_size,
            deviation=engine.deviation,
            passed_over=engine.passed_over,
            node=node,
        )

    def difference(self, other: EngineFacts) -> str:
        """Return in what another engine might give other pixels; empty if in nothing."""
        for name in ("software", "name", "version", "precision", "hardware"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                return f"{mine} on {self.node}, {theirs} on {other.node}"
        return ""


class Opened(NamedTuple):
    """A worker has opened the model, and is ready."""

    worker: str
    facts: EngineFacts


class Passed(NamedTuple):
    """Slices of a worker's task have passed the last stage."""

    worker: str
    slices: int


class Done(NamedTuple):
    """A worker has finished its task.

    Attributes
    ----------
    outcomes
        Of its jobs, in their order.
    busy
        Seconds of each stage.
    fitting_batch_size
        See ``Harmonizer``.
    """

    worker: str
    outcomes: tuple[Outcome, ...]
    busy: Mapping[str, float]
    fitting_batch_size: int


class Refused(NamedTuple):
    """A worker cannot work for this run."""

    worker: str
    reason: str


class Lost(NamedTuple):
    """A worker ended, or cannot be reached."""

    worker: str
    reason: str


Event = Opened | Passed | Done | Refused | Lost


class Team(Protocol):
    """Workers, by names that are never used again."""

    def recruit(self) -> None:
        """Start a worker where there is room; an event tells how that went."""

    def give(self, worker: str, task: Task) -> None:
        """Give a task to a worker that has none."""

    def dismiss(self, worker: str) -> None:
        """End a worker, and hear of it no more."""

    def listen(self, seconds: float) -> list[Event]:
        """Wait so long for something to happen, and return what did."""
