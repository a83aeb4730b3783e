"""The seam between a run, which holds lock, journal and renames, and those who do its work."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Protocol

from rgan_sdk.card import ModelCard
from rgan_sdk.run.jobs import SeriesJob
from rgan_sdk.run.stages import WrittenBatch


@dataclass(frozen=True)
class Manner:
    """How series are to be done, whoever does them.

    Attributes
    ----------
    card
        Of the model that takes them; None for copies.
    strict_kernel, durable
        As in ``RunOptions``.
    threads
        That read and write; None takes one per core that the process may use.
    pictures
        Whether to keep the middle slice of each series, before and after.
    """

    card: ModelCard | None
    strict_kernel: bool
    threads: int | None
    durable: bool
    pictures: bool


class Crew(Protocol):
    """Does the work of a run."""

    def run(self, jobs: Iterable[SeriesJob]) -> Generator[WrittenBatch, None, None]:
        """Take series through all stages.

        Parameters
        ----------
        jobs
            Taken one by one, when there is room for them. The folder of each is there.

        Yields
        ------
        WrittenBatch
            Each job is finished in exactly one of them. Its files are then in its folder, unless it
            has an error.

        Raises
        ------
        RganError
            If nobody is left to do the work.
        """

    @property
    def warnings(self) -> list[str]:
        """What the user should know of those who did the work."""
