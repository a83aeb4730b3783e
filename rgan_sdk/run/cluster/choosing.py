"""Who does the work of a run."""

from __future__ import annotations

from collections.abc import Sequence

from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.run.cluster.crew import Crew, Manner
from rgan_sdk.run.cluster.distant_crew import DistantCrew
from rgan_sdk.run.cluster.distant_engine import DistantEngine
from rgan_sdk.run.cluster.local_crew import LocalCrew
from rgan_sdk.run.stages import StageClock


def crew_of(harmonizers: Sequence[Harmonizer], manner: Manner, clock: StageClock) -> Crew:
    """Return those who work with harmonizers: work is done where the engines are.

    Parameters
    ----------
    clock
        Gets the time that each stage was busy.
    """
    is_distant = isinstance(harmonizers[0].engine, DistantEngine)
    return (DistantCrew if is_distant else LocalCrew)(harmonizers, manner, clock)
