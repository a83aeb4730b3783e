"""The table of inference engines, and the choice among them.

An engine is one module with two names: ``why_not(device)``, which says why it cannot run here, and
one subclass of ``Engine``. A new engine is one more row of ``ENGINES``.
"""

from __future__ import annotations

import re
from importlib import import_module
from types import ModuleType
from typing import Final

from rgan_sdk.engines.acceptance import accept
from rgan_sdk.engines.base import Engine
from rgan_sdk.errors import EngineError, EngineUnavailableError, UnknownEngineError, check_type
from rgan_sdk.model import HarmonizationModel

ENGINES: Final[dict[str, tuple[str, str]]] = {
    "tensorrt": ("rgan_sdk.engines.tensorrt.engine", "TensorRTEngine"),
    "onnxruntime": ("rgan_sdk.engines.onnxruntime", "OnnxRuntimeEngine"),
    "openvino": ("rgan_sdk.engines.openvino", "OpenVINOEngine"),
    "identity": ("rgan_sdk.engines.identity", "IdentityEngine"),
}
"""The module and the class of each engine, by its name on the command line."""

PREFERENCE: Final = (
    ("onnxruntime", "cuda"),
    ("tensorrt", "cuda"),
    ("openvino", "cpu"),
    ("onnxruntime", "cpu"),
)
"""The engines and devices that ``auto`` tries, in this order."""


def create_engine(
    model: HarmonizationModel, engine: str = "auto", device: str = "auto", precision: str = "auto"
) -> Engine:
    """Open a model with an engine that has passed the self-test.

    Threads: any may call; each gets an engine of its own.

    Parameters
    ----------
    model
        A verified model.
    engine
        A key of ``ENGINES``, or ``auto`` for the first of ``PREFERENCE`` that can run here and
        passes the self-test. ``Engine.passed_over`` then says why the earlier ones were not taken.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    precision
        ``auto`` for the precision of the file, or ``bf16`` for an engine that can run a float32
        model in it.

    Returns
    -------
    Engine
        The caller closes it.

    Raises
    ------
    ConfigurationError
        If an argument is of another type.
    UnknownEngineError
        If there is no engine of that name.
    EngineUnavailableError
        If the engine, the device or the precision is not available. A named engine or device never
        falls back to another.
    AccuracyError
        If the output of a named engine is too far from the float32 model; see ``acceptance``.
    """
    check_type("model", model, HarmonizationModel)
    for name, value in (("engine", engine), ("device", device), ("precision", precision)):
        check_type(name, value, str)
    if engine != "auto":
        return _open_engine(model, engine, device, precision)
    passed_over: list[str] = []
    for name, kind in PREFERENCE:
        chosen = kind if device == "auto" else device
        if not re.fullmatch(r"cuda(:\d+)?" if kind == "cuda" else kind, chosen):
            continue
        try:
            reason = engine_module(name).why_not(chosen)
            if not reason:
                opened = _open_engine(model, name, chosen, precision)
                opened.passed_over = tuple(passed_over)
                return opened
        except EngineError as exc:
            reason = str(exc)
        passed_over.append(f"{name} on {chosen}: {reason}")
    if not passed_over:
        raise EngineUnavailableError(
            f"unknown device {device!r}; valid are auto, cpu, cuda and cuda:N"
        )
    raise EngineUnavailableError(
        "no engine can run this model here:\n" + "\n".join(f"  {line}" for line in passed_over)
    )


def engine_module(name: str) -> ModuleType:
    """Import the module of an engine. Its runtime is imported only when the engine is opened.

    Raises
    ------
    UnknownEngineError
        If there is no engine of that name.
    """
    if name not in ENGINES:
        raise UnknownEngineError(f"no engine {name!r}; valid are auto, {', '.join(ENGINES)}")
    return import_module(ENGINES[name][0])


def _open_engine(model: HarmonizationModel, name: str, device: str, precision: str) -> Engine:
    kind: type[Engine] = getattr(engine_module(name), ENGINES[name][1])
    if precision == "auto":
        opened = kind(model, device)
    elif precision in kind.lowers_to:
        opened = kind(model, device, precision)
    else:
        raise EngineUnavailableError(
            f"{name} cannot run this model in {precision}; leave --precision out (bf16 is for "
            "--engine openvino)"
        )
    try:
        opened.deviation = accept(opened)
    except BaseException:
        opened.close()
        raise
    return opened
