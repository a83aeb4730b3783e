"""The work of a run, done by this process."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass

from rgan_sdk.cores import usable_cores
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.run.cluster.crew import Manner
from rgan_sdk.run.jobs import SeriesJob, judged
from rgan_sdk.run.stages import StageClock, Stages, WrittenBatch
from rgan_sdk.run.state.identity import describe_smaller_batches


@dataclass(frozen=True)
class LocalCrew:
    """Threads of this process, with an engine on each of its devices."""

    harmonizers: Sequence[Harmonizer]
    manner: Manner
    clock: StageClock

    def run(self, jobs: Iterable[SeriesJob]) -> Generator[WrittenBatch, None, None]:
        """See ``Crew``."""
        manner = self.manner
        stages = Stages(
            self.harmonizers,
            self.clock,
            threads=int(manner.threads or usable_cores()),
            durable=manner.durable,
            pictures=manner.pictures,
        )
        return stages.run(judged(jobs, manner.card, strict=manner.strict_kernel))

    @property
    def warnings(self) -> list[str]:
        """See ``Crew``."""
        return describe_smaller_batches(self.harmonizers)
