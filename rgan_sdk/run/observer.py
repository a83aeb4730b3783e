"""Following a run, as a progress bar or a log does, and stopping it."""

from __future__ import annotations

from types import NoneType
from typing import Protocol, runtime_checkable

from rgan_sdk.errors import CancelledError, check_type
from rgan_sdk.run.report import SeriesEntry


@runtime_checkable
class Observer(Protocol):
    """Follows a run.

    What a method raises stops the run as ``cancel`` does, and reaches the caller.

    Threads: each method is called from the thread that called the run. An observer of several runs
    at once must be ready for several threads.
    """

    def on_found(self, files: int) -> None:
        """Receive, now and then, the number of files that were examined so far."""

    def on_planned(self, series: int, slices: int) -> None:
        """Receive, once, how many series and slices will be harmonized."""

    def on_verified(self, files: int, total: int) -> None:
        """Receive how many files of finished series were read again, and how many there are.

        Only where ``RunOptions.verify_outputs`` is set.
        """

    def on_started(self, series_instance_uid: str, slices: int) -> None:
        """Receive, when its first slices are through, a series and how many slices it has.

        Not for series that an earlier run has finished.
        """

    def on_written(self, slices: int) -> None:
        """Receive, after each batch, how many slices it had.

        Slices of series that an earlier run has finished count too.
        """

    def on_finished(self, entry: SeriesEntry) -> None:
        """Receive the outcome of a series."""


class SilentObserver:
    """An observer that does nothing: to inherit from, where not all is of interest.

    Threads: any number may share one.
    """

    def on_found(self, files: int) -> None: ...  # noqa: D102

    def on_planned(self, series: int, slices: int) -> None: ...  # noqa: D102

    def on_verified(self, files: int, total: int) -> None: ...  # noqa: D102

    def on_started(self, series_instance_uid: str, slices: int) -> None: ...  # noqa: D102

    def on_written(self, slices: int) -> None: ...  # noqa: D102

    def on_finished(self, entry: SeriesEntry) -> None: ...  # noqa: D102


@runtime_checkable
class Cancellation(Protocol):
    """What tells that a run is to stop: ``threading.Event``, or another with this method."""

    def is_set(self) -> bool:
        """Return whether to stop."""


def watch(observer: Observer | None, cancel: Cancellation | None) -> Observer:
    """Return an observer that passes all on, and stops the run once ``cancel`` is set.

    Raises
    ------
    ConfigurationError
        If an argument is of another type.
    """
    check_type("observer", observer, Observer, NoneType)
    check_type("cancel", cancel, Cancellation, NoneType)
    observer = observer or SilentObserver()
    return observer if cancel is None else _Stopping(observer, cancel)


class _Stopping:
    """Raises CancelledError wherever the run tells how it goes on."""

    def __init__(self, observer: Observer, cancel: Cancellation) -> None:
        self._observer, self._cancel = observer, cancel

    def _check(self) -> None:
        if self._cancel.is_set():
            raise CancelledError("stopped, as the caller has asked")

    def on_found(self, files: int) -> None:
        self._check()
        self._observer.on_found(files)

    def on_planned(self, series: int, slices: int) -> None:
        self._check()
        self._observer.on_planned(series, slices)

    def on_verified(self, files: int, total: int) -> None:
        self._check()
        self._observer.on_verified(files, total)

    def on_started(self, series_instance_uid: str, slices: int) -> None:
        self._check()
        self._observer.on_started(series_instance_uid, slices)

    def on_written(self, slices: int) -> None:
        self._check()
        self._observer.on_written(slices)

    def on_finished(self, entry: SeriesEntry) -> None:
        self._observer.on_finished(entry)
        self._check()
