"""An engine in the process of a worker, of which this process knows what the worker has said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.engines.base import Engine
from rgan_sdk.errors import InferenceError
from rgan_sdk.model import HarmonizationModel
from rgan_sdk.run.cluster.team import EngineFacts, Team


@dataclass
class Staff:
    """The workers of a run with one model.

    Attributes
    ----------
    size
        How many there is room for.
    opened
        Those that are ready, with what they have said.
    opening
        How many were started, and have said nothing yet.
    """

    team: Team
    size: int
    opened: dict[str, EngineFacts] = field(default_factory=dict)
    opening: int = 0

    def recruit(self) -> None:
        """Start a worker."""
        self.team.recruit()
        self.opening += 1

    def complete(self) -> None:
        """Start as many workers as are missing, such as those that an earlier run has dismissed."""
        for _ in range(self.size - len(self.opened) - self.opening):
            self.recruit()

    @property
    def places(self) -> str:
        """How many they are, and on how many machines."""
        count, nodes = len(self.opened), len({facts.node for facts in self.opened.values()})
        return f"{count} worker{'s'[: count > 1]} on {nodes} machine{'s'[: nodes > 1]}"


class DistantEngine(Engine):
    """Stands for the engine of a worker.

    It says what that says, so that a run decides and reports as with an engine of its own. It
    computes nothing: a worker takes series.
    """

    def __init__(self, model: HarmonizationModel, worker: str, staff: Staff) -> None:
        self.worker, self.staff = worker, staff
        self.facts = facts = staff.opened[worker]
        super().__init__(model, facts.device, facts.precision)
        self.name = facts.name
        self.node = facts.node
        self.default_batch_size = facts.default_batch_size
        self.deviation = facts.deviation
        self.passed_over = facts.passed_over

    @property
    def version(self) -> str:  # noqa: D102 - see Engine
        return self.facts.version

    @property
    def description(self) -> str:  # noqa: D102 - see Engine
        return f"{super().description}, {self.staff.places}"

    @property
    def hardware(self) -> str:  # noqa: D102 - see Engine
        return self.facts.hardware

    @property
    def batch_invariant(self) -> bool:  # noqa: D102 - see Engine
        return self.facts.batch_invariant

    def _infer(self, hu: NDArray[np.float32], pixel_spacing: float | None) -> NoReturn:
        raise InferenceError(
            "workers of a cluster take series, not arrays; open a harmonizer without `ray` for them"
        )
