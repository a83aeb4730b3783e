"""Build a TensorRT plan from an ONNX file.

Networks are strongly typed: the file decides the precision of each layer, and no flag changes it.
Nothing here runs the plan. So parsing and building can be tested without a GPU, with TensorRT for
RTX instead of TensorRT.
"""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from rgan_sdk.engines.tensorrt.profile import OptimizationProfile
from rgan_sdk.engines.tensorrt.progress import BuildProgress, ignore_progress, make_monitor
from rgan_sdk.errors import EngineUnavailableError
from rgan_sdk.model import INPUT_NAME

OUT_OF_MEMORY = re.compile(
    r"out ?of ?memory|bad_alloc|insufficient (device |GPU )?memory|requested size was \d+",
    re.IGNORECASE,
)


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
        monitor = config.progress_monitor = make_monitor(trt, progress, interrupted)
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
