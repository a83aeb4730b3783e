"""The interface for those who follow a run, such as a progress bar or a log."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from rgan_sdk.run.report import SeriesEntry


@runtime_checkable
class Observer(Protocol):
    """Follows a run. Each method is called from the thread that called the run."""

    def on_found(self, files: int) -> None:
        """Receive, after each file, the number of files that were examined so far."""

    def on_planned(self, series: int, slices: int) -> None:
        """Receive, once, how many series and slices will be harmonized."""

    def on_verified(self, files: int, total: int) -> None:
        """Receive how many files of finished series were read again, and how many there are.

        Only where ``RunOptions.verify_outputs`` is set.
        """

    def on_written(self, slices: int) -> None:
        """Receive, after each batch, how many slices it had.

        Slices of series that an earlier run has finished count too.
        """

    def on_finished(self, entry: SeriesEntry) -> None:
        """Receive the outcome of a series."""


class SilentObserver:
    """An observer that does nothing."""

    def on_found(self, files: int) -> None: ...  # noqa: D102

    def on_planned(self, series: int, slices: int) -> None: ...  # noqa: D102

    def on_verified(self, files: int, total: int) -> None: ...  # noqa: D102

    def on_written(self, slices: int) -> None: ...  # noqa: D102

    def on_finished(self, entry: SeriesEntry) -> None: ...  # noqa: D102
