"""The table of inference engines.

An engine is one module with three names: ``REQUIREMENTS`` (what must be installed),
``is_available()`` (both for ``doctor``) and one subclass of ``Engine``. A new engine is
one more row here.
"""

from __future__ import annotations

from importlib import import_module

from rgan_sdk.engines.base import Engine
from rgan_sdk.errors import UnknownEngineError
from rgan_sdk.model import HarmonizationModel

ENGINES = {
    "onnxruntime": ("rgan_sdk.engines.onnxruntime", "OnnxRuntimeEngine"),
    "identity": ("rgan_sdk.engines.identity", "IdentityEngine"),
}
"""Name on the command line to module and class. ``auto`` takes the first."""


def create_engine(model: HarmonizationModel, engine: str = "auto", device: str = "auto") -> Engine:
    """Open a model with an engine.

    Parameters
    ----------
    model
        A verified model.
    engine
        A key of ``ENGINES``, or ``auto`` for ONNX Runtime.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    UnknownEngineError
        If there is no engine of that name.
    EngineUnavailableError
        If what was asked for is not there. A named engine or device never falls back.
    """
    if engine != "auto" and engine not in ENGINES:
        raise UnknownEngineError(f"no engine {engine!r}; valid are auto, {', '.join(ENGINES)}")
    module, name = ENGINES["onnxruntime" if engine == "auto" else engine]
    opened: Engine = getattr(import_module(module), name)(model, device)
    return opened
