"""What a run works with: its models, opened one after the other, and what OUTPUT held before."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Self

from rgan_sdk.engines.identity import IdentityEngine
from rgan_sdk.errors import RganError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.run.choosing.candidates import Candidate
from rgan_sdk.run.cohort.continuing import check_configuration, continued, settle
from rgan_sdk.run.cohort.models import CohortModel
from rgan_sdk.run.options import RunOptions
from rgan_sdk.run.planning import Part, Plan
from rgan_sdk.run.report import Report
from rgan_sdk.run.state.identity import RunIdentity, describe_engine, describe_model
from rgan_sdk.run.state.journal import EarlierRun

OpenPart = tuple[Part, Sequence[Harmonizer] | RganError]
"""A part with its harmonizers, or with the error why its model cannot be run."""


@dataclass(frozen=True)
class Cohort:
    """What a run works with.

    Attributes
    ----------
    models
        Those that may take a series; all have one target kernel.
    opened
        The harmonizers of the only model, where the caller has opened it; else there are none.
    output
        The output folder.
    identity
        What is written into a new journal.
    earlier
        What the journal says already, as a run that this one continues; None without a journal.
    """

    models: tuple[CohortModel, ...]
    opened: tuple[Harmonizer, ...]
    output: Path
    identity: RunIdentity
    earlier: EarlierRun | None

    @classmethod
    def of_open(
        cls,
        harmonizers: Sequence[Harmonizer],
        options: RunOptions,
        output: Path,
        earlier: EarlierRun | None,
    ) -> Self:
        """Return what a run with one model works with, which is open on one or more devices.

        Raises
        ------
        ConfigurationError, OutputError
            If the devices or OUTPUT cannot be used so.
        """
        settled = settle(output, earlier, harmonizers)
        model = settled[0].model
        identity = RunIdentity.of(settled[0], options)
        earlier = continued(output, earlier, identity, [model])
        only = CohortModel(model.source, model, lambda: nullcontext(settled))
        return cls((only,), settled, output, identity, earlier)

    @classmethod
    def of_files(
        cls,
        models: Sequence[CohortModel],
        options: RunOptions,
        output: Path,
        earlier: EarlierRun | None,
    ) -> Self:
        """Return what a run with models works with that are opened when their turn comes.

        Raises
        ------
        OutputError
            If OUTPUT cannot be used so.
        """
        identity = RunIdentity.of_several(options, models[0].target_kernel)
        earlier = continued(output, earlier, identity, [one.model for one in models])
        return cls(tuple(models), (), output, identity, earlier)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """What series are compared with."""
        return tuple(one.candidate for one in self.models)

    @property
    def made(self) -> dict[tuple[str, str], str]:
        """What OUTPUT holds already; see ``Chooser``."""
        if self.earlier is None or not self.earlier.finished_for(self.identity):
            return {}
        there = self.earlier.series_in(self.output)
        return {(one.source, one.sources): one.model for one in there}

    def describe(self, report: Report) -> None:
        """Say in a report what series are harmonized with."""
        if self.opened:
            report.model = describe_model(self.models[0].model)
            report.engine = describe_engine(self.opened)
        else:
            report.models = [{**describe_model(one.model), "engine": {}} for one in self.models]

    @contextmanager
    def open_parts(self, plan: Plan, report: Report) -> Iterator[Iterator[OpenPart]]:
        """Open the model of the first part, and that of each other in its turn.

        Parameters
        ----------
        report
            Is told of the engines; see ``describe``.

        Yields
        ------
        iterator of (part, harmonizers)
            A model is closed before the next is opened.

        Raises
        ------
        RganError
            If the first part's model cannot be run.
        """
        with closing(self._open_each(plan, report)) as parts:
            yield chain(list(islice(parts, 1)), parts)

    def _open_each(self, plan: Plan, report: Report) -> Generator[OpenPart, None, None]:
        for number, part in enumerate(plan.parts):
            with ExitStack() as stack:
                try:
                    harmonizers = self._open(part, stack)
                except RganError as exc:
                    if number == 0:
                        raise
                    yield part, exc
                    continue
                if not (self.opened or part.are_copies):
                    report.models[self._index(part)]["engine"] = describe_engine(harmonizers)
                yield part, harmonizers

    def _open(self, part: Part, stack: ExitStack) -> Sequence[Harmonizer]:
        if part.are_copies:  # what is computed is not used, but files that are read are checked
            return [stack.enter_context(Harmonizer(IdentityEngine(self.models[0].model)))]
        opening: AbstractContextManager[Sequence[Harmonizer]]
        opening = self.models[self._index(part)].open()
        settled = settle(self.output, self.earlier, stack.enter_context(opening))
        check_configuration(self.output, self.earlier, settled[0])
        return settled

    def _index(self, part: Part) -> int:
        assert part.candidate is not None
        return [one.model.sha256 for one in self.models].index(part.candidate.sha256)


def cannot_run(part: Part, error: RganError) -> str:
    """Return why the series of a part fail whose model cannot be opened."""
    assert part.candidate is not None
    return f"{part.candidate.name} cannot be run: {error}"
