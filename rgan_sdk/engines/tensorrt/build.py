"""Build a TensorRT plan from an ONNX file.

Networks are strongly typed: the file decides the precision of each layer, and no flag changes it.
Nothing here runs the plan. So parsing and building can be tested without a GPU, with TensorRT for
RTX in the place of TensorRT.
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
"""How many slices of 512x512 a plan computes at once. More take more memory and are no faster."""
SIZE: Final = 512
STEP: Final = 256
"""Sizes above ``SIZE`` are rounded up to multiples of this, so that few plans are needed."""

OUT_OF_MEMORY = re.compile(
    r"out ?of ?memory|bad_alloc|insufficient (device |GPU )?memory|requested size was \d+",
    re.IGNORECASE,
)

Shape = tuple[int, int, int]
BuildProgress = Callable[[str, float], None]
"""Called with TensorRT's name of a build phase, and with the share of it that is done, 0 to 1."""


@dataclass(frozen=True)
class OptimizationProfile:
    """The range of input shapes ``(batch, height, width)`` of a plan.

    Attributes
    ----------
    smallest, largest
        The ends of the range.
    typical
        The shape that kernels are tuned for.
    """

    smallest: Shape
    typical: Shape
    largest: Shape

    def covers(self, height: int, width: int) -> bool:
        """Return whether slices of a size are within the range."""
        return all(
            low <= size <= high
            for low, size, high in zip(
                self.smallest[1:], (height, width), self.largest[1:], strict=True
            )
        )


def make_profile(multiple: int, height: int = SIZE, width: int = SIZE) -> OptimizationProfile:
    """Return the profile for slices of a size. All sizes up to 512x512 share one profile.

    Parameters
    ----------
    multiple
        The model card's ``multiple``.
    height, width
        Of the slices.
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
    """Ignore the progress of a build."""


class BuiltPlan(NamedTuple):
    """A serialized plan, and the kernel timings that TensorRT measured for it."""

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
        The bytes of the ONNX file.
    profile
        The shapes that the plan must support.
    progress
        Called often, from any thread. An exception in it ends the build.
    timings
        ``BuiltPlan.timings`` of an earlier build on the same kind of device. They make this build
        faster.

    Raises
    ------
    EngineUnavailableError
        If TensorRT cannot parse or build the model.
    KeyboardInterrupt
        If Ctrl-C was pressed meanwhile.
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
    """Return a TensorRT logger that collects error messages in ``errors`` and prints nothing."""

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity.value <= trt.ILogger.Severity.ERROR.value:
                self.errors.append(message)

    return Logger()


def create(kind: Any, logger: Any) -> Any:
    """Create a builder or a runtime of TensorRT.

    Parameters
    ----------
    kind
        ``tensorrt.Builder`` or ``tensorrt.Runtime``.
    logger
        From ``make_logger``.

    Raises
    ------
    EngineUnavailableError
        If TensorRT cannot create it with this GPU and driver.
    """
    try:
        return kind(logger)
    except TypeError as exc:  # the bindings raise it where TensorRT returns a null pointer
        reasons = "; ".join(logger.errors[-2:]) or str(exc)
        raise EngineUnavailableError(
            f"TensorRT does not work with this GPU and driver ({reasons}); update the driver, or "
            "use --engine onnxruntime"
        ) from exc


def _parse(trt: Any, content: bytes, network: Any, logger: Any) -> None:
    parser = trt.OnnxParser(network, logger)
    if parser.parse(content):
        return
    errors = [parser.get_error(index) for index in range(parser.num_errors)]
    reasons = [
        f"node {error.node_name() or error.node()} ({error.node_operator() or 'no operator'}): "
        f"{error.desc()}"
        for error in errors
    ]
    raise EngineUnavailableError(
        f"TensorRT {trt.__version__} cannot parse this model: {'; '.join(reasons[:3])}; use "
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
            "the GPU has not enough memory to build a TensorRT plan; end other programs on it, or "
            f"use --engine onnxruntime ({last})"
        )
    return f"TensorRT {trt.__version__} cannot build this model: {last}; use --engine onnxruntime"


@contextmanager
def _hold_interrupts() -> Iterator[threading.Event]:
    """Postpone Ctrl-C to the end of the block, because TensorRT would swallow KeyboardInterrupt.

    Yields
    ------
    threading.Event
        Set when Ctrl-C was pressed.
    """
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


def _round_up(size: int, multiple: int) -> int:
    return size + -size % multiple
