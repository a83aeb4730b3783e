"""The progress of a TensorRT build."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

BuildProgress = Callable[[str, float], None]
"""Called with TensorRT's name of a build phase, and with the share of it that is done, 0 to 1."""


def ignore_progress(phase: str, share: float) -> None:
    """Ignore the progress of a build."""


def make_monitor(trt: Any, progress: BuildProgress, interrupted: threading.Event) -> Any:
    """Return a progress monitor for a build, a subclass of ``tensorrt.IProgressMonitor``.

    Its ``error`` is the exception that ``progress`` has raised, or None.

    Parameters
    ----------
    trt
        The module ``tensorrt``, or one with its interface.
    progress
        Called often, from any thread. An exception in it ends the build.
    interrupted
        Ends the build once it is set.
    """

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.error: Exception | None = None
            self._phases = Phases()

        def phase_start(self, phase: str, parent: str | None, steps: int) -> None:
            self._report(self._phases.start, phase, parent, steps)

        def step_complete(self, phase: str, step: int) -> bool:
            self._report(self._phases.step, phase, step)
            return not self._is_ending()

        def phase_finish(self, phase: str) -> None:
            self._report(self._phases.finish, phase)

        def _is_ending(self) -> bool:
            return self.error is not None or interrupted.is_set()

        def _report(self, change: Callable[..., tuple[str, float]], *arguments: Any) -> None:
            where = change(*arguments)
            if self._is_ending():  # TensorRT also finishes phases that it breaks off
                return
            try:
                progress(*where)
            except Exception as exc:  # must not propagate through TensorRT
                self.error = exc

    return Monitor()


class Phases:
    """The progress of nested phases.

    Each method returns the name of the outermost phase and the share of it that is done. That share
    never falls, although phases overlap in time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, _Phase] = {}

    def start(self, name: str, parent: str | None, steps: int) -> tuple[str, float]:
        """Begin a phase with a number of steps, inside one step of its parent."""
        with self._lock:
            self._running[name] = _Phase(self._running.get(parent or ""), steps, name)
            return self._running[name].outermost()

    def step(self, name: str, step: int) -> tuple[str, float]:
        """End a step. Steps are counted from 0."""
        with self._lock:
            phase = self._running[name]
            phase.reach((step + 1) / phase.steps)
            return phase.outermost()

    def finish(self, name: str) -> tuple[str, float]:
        """End a phase."""
        with self._lock:
            phase = self._running.pop(name)
            phase.reach(1.0)
            return phase.outermost()


@dataclass
class _Phase:
    parent: _Phase | None
    steps: int
    name: str
    done: float = 0.0
    shown: float = 0.0

    def reach(self, share: float) -> None:
        self.done = max(self.done, share)
        self.shown = max(self.shown, share)

    def outermost(self) -> tuple[str, float]:
        if self.parent is None:
            return self.name, self.shown
        parent = self.parent
        parent.shown = max(parent.shown, min(1.0, parent.done + self.shown / parent.steps))
        return parent.outermost()
