"""From an ONNX file to a TensorRT plan: what TensorRT's builder is told, and what it answers.

Networks are strongly typed: the file says what is computed in which precision, and no flag
changes it. Nothing here runs the plan, so parsing and building can be checked without a GPU, with
TensorRT for RTX in TensorRT's place.
"""

from __future__ import annotations

import math
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from rgan_sdk.errors import EngineUnavailableError
from rgan_sdk.model import INPUT_NAME

SLICES: Final = 8
"""Of 512x512, that are computed at a time. More keep no GPU busier and take more memory."""
SIZE: Final = 512
STEP: Final = 256
"""Sizes above ``SIZE`` are rounded up to multiples of this, so that few plans serve them all."""

OUT_OF_MEMORY = re.compile(
    r"out ?of ?memory|bad_alloc|insufficient (device |GPU )?memory|requested size was \d+",
    re.IGNORECASE,
)

Shape = tuple[int, int, int]
BuildProgress = Callable[[str, float], None]
"""Is told the phase of a build, by TensorRT's name, and the share of it that is done."""


@dataclass(frozen=True)
class OptimizationProfile:
    """The shapes ``(batch, height, width)`` that a plan takes, and the one it is tuned for."""

    smallest: Shape
    typical: Shape
    largest: Shape

    def covers(self, height: int, width: int) -> bool:
        """Whether slices of a size can be computed, in some batch."""
        return all(
            low <= size <= high
            for low, size, high in zip(
                self.smallest[1:], (height, width), self.largest[1:], strict=True
            )
        )


def make_profile(multiple: int, height: int = SIZE, width: int = SIZE) -> OptimizationProfile:
    """Return the profile that serves slices of a size; all up to 512x512 share one.

    Parameters
    ----------
    multiple
        Of the model's card.
    """
    fine, coarse = multiple, math.lcm(STEP, multiple)
    rows, columns = (
        _round_up(SIZE, fine) if size <= SIZE else _round_up(size, coarse)
        for size in (height, width)
    )
    slices = max(1, SLICES * SIZE * SIZE // (rows * columns))
    largest = (slices, rows, columns)
    return OptimizationProfile((1, multiple, multiple), largest, largest)


def ignore_progress(phase: str, share: float) -> None:
    """Report nothing of a build."""


class BuiltPlan(NamedTuple):
    """A serialized plan, and what TensorRT measured while it chose kernels."""

    plan: bytes
    timings: bytes


def build_plan(
    trt: Any,
    content: bytes,
    profile: OptimizationProfile,
    progress: BuildProgress = ignore_progress,
    timings: bytes = b"",
) -> BuiltPlan:
    """Build a plan for the current device.

    Parameters
    ----------
    trt
        The module ``tensorrt``, or one with its interface.
    content
        The ONNX file.
    progress
        Called often, from any thread.
    timings
        Of an earlier build on the same kind of device; spares measuring again.

    Raises
    ------
    EngineUnavailableError
        If TensorRT does not take the model, or fails to build it.
    """
    logger = make_logger(trt)
    builder = create(trt.Builder, logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    _parse(trt, content, network, logger)
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)
    config.add_optimization_profile(_optimization_profile(builder, profile))
    measured = config.create_timing_cache(timings)
    if measured is None or not config.set_timing_cache(measured, False):
        measured = config.create_timing_cache(b"")
        config.set_timing_cache(measured, False)
    with _hold_interrupts() as interrupted:
        monitor = config.progress_monitor = _make_monitor(trt, progress, interrupted)
        plan = builder.build_serialized_network(network, config)
    if monitor.error is not None:
        raise monitor.error
    if plan is None:
        raise EngineUnavailableError(_build_failure(trt, logger.errors))
    return BuiltPlan(bytes(plan), bytes(config.get_timing_cache().serialize()))


def make_logger(trt: Any) -> Any:
    """Return a logger of TensorRT that keeps what went wrong, in ``errors``, and prints nothing."""

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity.value <= trt.ILogger.Severity.ERROR.value:
                self.errors.append(message)

    return Logger()


def create(kind: Any, logger: Any) -> Any:
    """Return a new builder or runtime of TensorRT.

    Raises
    ------
    EngineUnavailableError
        If TensorRT makes none.
    """
    try:
        return kind(logger)
    except TypeError as exc:  # how its bindings say so
        told = "; ".join(logger.errors[-2:]) or str(exc)
        raise EngineUnavailableError(
            f"TensorRT does not work with this GPU and driver ({told}); update the driver, or use "
            "--engine onnxruntime"
        ) from exc


def _parse(trt: Any, content: bytes, network: Any, logger: Any) -> None:
    parser = trt.OnnxParser(network, logger)
    if parser.parse(content):
        return
    errors = [parser.get_error(index) for index in range(parser.num_errors)]
    told = [
        f"node {error.node_name() or error.node()} ({error.node_operator() or 'no operator'}): "
        f"{error.desc()}"
        for error in errors
    ]
    raise EngineUnavailableError(
        f"TensorRT {trt.__version__} does not take this model: {'; '.join(told[:3])}; use "
        "--engine onnxruntime"
    )


def _optimization_profile(builder: Any, profile: OptimizationProfile) -> Any:
    shapes = [
        (batch, 1, height, width)
        for batch, height, width in (profile.smallest, profile.typical, profile.largest)
    ]
    made = builder.create_optimization_profile()
    made.set_shape(INPUT_NAME, *shapes)
    return made


def _build_failure(trt: Any, errors: list[str]) -> str:
    last = "; ".join(errors[-2:]) or "no reason was given"
    if any(OUT_OF_MEMORY.search(error) for error in errors):
        return (
            "the GPU's memory does not suffice to build a TensorRT plan; end what else runs on it, "
            f"or use --engine onnxruntime ({last})"
        )
    return f"TensorRT {trt.__version__} cannot build this model: {last}; use --engine onnxruntime"


@contextmanager
def _hold_interrupts() -> Iterator[threading.Event]:
    """Keep Ctrl-C until the end, and tell of it: TensorRT would swallow KeyboardInterrupt."""
    interrupted = threading.Event()
    held = [
        number
        for number in (signal.SIGINT, signal.SIGTERM)
        if threading.current_thread() is threading.main_thread()
        and signal.getsignal(number) is signal.default_int_handler
    ]
    for number in held:
        signal.signal(number, lambda *_: interrupted.set())
    try:
        yield interrupted
    finally:
        for number in held:
            signal.signal(number, signal.default_int_handler)
    if interrupted.is_set():
        raise KeyboardInterrupt


def _make_monitor(trt: Any, progress: BuildProgress, interrupted: threading.Event) -> Any:
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
            if self._is_ending():  # the phases that are broken off count as finished
                return
            try:
                progress(*where)
            except Exception as exc:  # it must not pass through TensorRT
                self.error = exc

    return Monitor()


class Phases:
    """How far nested phases are; each call returns the outermost one and the share of it done.

    Phases overlap in time, so sums of theirs may fall; what is returned never does.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, _Phase] = {}

    def start(self, name: str, parent: str | None, steps: int) -> tuple[str, float]:
        """Begin a phase of so many steps, within a step of its parent."""
        with self._lock:
            self._running[name] = _Phase(self._running.get(parent or ""), steps, name)
            return self._running[name].outermost()

    def step(self, name: str, step: int) -> tuple[str, float]:
        """End a step; they are counted from 0."""
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


def _round_up(size: int, multiple: int) -> int:
    return size + -size % multiple
