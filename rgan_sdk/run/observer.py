"""Who wants to follow a run: a progress bar, a log, a user interface."""

from __future__ import annotations

from typing import Protocol

from rgan_sdk.run.report import SeriesEntry


class Observer(Protocol):
    """Follows a run. Each method is called from the thread that called the run."""

    def on_found(self, files: int) -> None:
        """Hear how many files were found and looked at so far."""

    def on_planned(self, series: int, slices: int) -> None:
        """Hear how many series and slices will be harmonized."""

    def on_written(self, slices: int) -> None:
        """Hear how many more slices were written."""

    def on_finished(self, entry: SeriesEntry) -> None:
        """Hear the outcome of one series."""


class SilentObserver:
    """An observer that does nothing."""

    def on_found(self, files: int) -> None: ...  # noqa: D102

    def on_planned(self, series: int, slices: int) -> None: ...  # noqa: D102

    def on_written(self, slices: int) -> None: ...  # noqa: D102

    def on_finished(self, entry: SeriesEntry) -> None: ...  # noqa: D102
