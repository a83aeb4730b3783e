"""What losses are judged by: noise power, features and lesions, on slices with both kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from measured import Measured, Record, difference, read_all
from processes import Named, run_all
from result_page import difference_table, present_lines, spread_table
from stacks import Images, Stack

from noise_losses.lesions import Slices, summarize
from rgan_train.evaluation.cohorts.lesions.render import MTF
from rgan_train.evaluation.results import INPUT, TARGET
from rgan_train.networks.graph import HarmonizationGraph, harmonize_slice


class Training(Named, Protocol):
    """One training with one loss."""

    @property
    def loss(self) -> str:
        """The line of the table."""

    @property
    def record(self) -> Record:
        """Where its figures are kept."""

    @property
    def tested(self) -> Mapping[str, Any]:
        """All that the tested slices depend on, as JSON holds it."""


@dataclass(frozen=True)
class Judge:
    """Tested slices with both kernels, and where lesions are put into them.

    Attributes
    ----------
    mtfs, kernels
        Of the source and of the target.
    """

    stack: Stack
    mtfs: tuple[MTF, MTF]
    kernels: tuple[str, str]

    def measure(self, graph: HarmonizationGraph) -> Measured:
        """Measure what a model makes of the slices, and of lesions in them."""
        return self._measure(
            lambda hu: np.stack([harmonize_slice(graph, one, self.stack.spacing) for one in hu])
        )

    def measure_ends(self, training: Training) -> None:
        """Measure the source and the target themselves, if that was not done."""
        before, after = end_records(training)
        before.fill(lambda: self._measure(lambda hu: hu))
        after.fill(lambda: Measured(self._see(1, lambda hu: hu), {}))

    def _measure(self, method: Callable[[Images], Images]) -> Measured:
        measured = self.stack.measure(method(self.stack.source_hu))
        return measured.with_figures(self._see(0, lambda hu: self.stack.as_written(method(hu))))

    def _see(self, side: int, method: Callable[[Images], Images]) -> dict[str, float]:
        hu = (self.stack.source_hu, self.stack.target_hu)[side]
        slices = Slices(hu, self.mtfs[side], self.kernels[side], self.stack.spacing)
        return summarize(slices.see(method))


def end_records(training: Training) -> list[Record]:
    """Return where the figures of the source and of the target themselves are kept."""
    return [Record(training.record.table, name, training.tested) for name in (INPUT, TARGET)]


def compute_missing(
    trainings: Iterable[Training],
    compute: Callable[[Any, int], str],
    open_judge: Callable[[], Judge],
    jobs: int,
) -> bool:
    """Train and measure what is missing; return whether all went well.

    Parameters
    ----------
    compute
        Trains, measures and writes the record of one training, with a number of threads; returns
        what to say.
    """
    missing = [training for training in trainings if training.record.read() is None]
    if not missing:
        return True
    open_judge().measure_ends(missing[0])
    return run_all(compute, missing, jobs)


def make_tables(trainings: Sequence[Training]) -> str:
    """Return the table of all losses, and that of their differences from the first."""
    ends = end_records(trainings[0])
    found = read_all([*ends, *(training.record for training in trainings)])
    names: dict[str, list[str]] = {}
    for training in trainings:
        names.setdefault(training.loss, []).append(training.record.name)
    lines = present_lines({TARGET: [TARGET], INPUT: [INPUT], **names}, found)
    if not lines:
        return "Not computed yet."
    tables = [spread_table("loss", lines, {name: one.figures for name, one in found.items()})]
    if differences := compare(names, found):
        tables.append(difference_table(f"against {next(iter(names))}", differences))
    return "\n\n".join(tables)


def compare(
    names: Mapping[str, Sequence[str]], found: Mapping[str, Measured]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Compare each loss with the first, where all trainings of both are there."""
    first, *others = (
        [found[name] for name in runs] if all(name in found for name in runs) else []
        for runs in names.values()
    )
    _, *titles = names
    return {
        title: difference(other, first)
        for title, other in zip(titles, others, strict=True)
        if first and other
    }
