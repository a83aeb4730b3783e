"""Whether an engine may be used for a model: its pixels against those of the float32 model.

ONNX Runtime on the CPU in float32 is the reference. Any other engine, device or precision
harmonizes synthetic slices first, and is refused where it is further away than the model's card
allows. The figures are kept, so that this is done once on a machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.cache import cache_folder, write_atomically
from rgan_sdk.card import ErrorBound
from rgan_sdk.engines.base import Deviation, Engine
from rgan_sdk.engines.onnxruntime import OnnxRuntimeEngine
from rgan_sdk.engines.reference import float32_model
from rgan_sdk.errors import AccuracyError
from rgan_sdk.model import HarmonizationModel
from rgan_sdk.phantom import synthetic_slices

VERSION = 1
"""Of the slices and of how the deviation is measured."""

SLICES = 2
SIZE = 512
EXTREMES_HU = (-3024.0, 3071.0)

BOUNDS = {
    "fp32": ErrorBound(max=0.5, p999=0.05),
    "fp16": ErrorBound(max=5.0, p999=1.0),
    "bf16": ErrorBound(max=10.0, p999=2.0),
    "int8": ErrorBound(max=60.0, p999=10.0),
}
"""In HU, where the card states none."""


def is_reference(engine: Engine) -> bool:
    """Whether an engine is what others are compared with, or computes nothing."""
    runtime = engine.name == "onnxruntime" and engine.device == "cpu"
    return engine.name == "identity" or (runtime and engine.precision == "fp32")


def bound_of(engine: Engine) -> ErrorBound:
    """Return how far the engine may be from the float32 model."""
    return engine.model.card.error_bounds.get(engine.precision, BOUNDS[engine.precision])


def accept(engine: Engine) -> Deviation | None:
    """Measure how far an engine is from the float32 model, or take the figures of last time.

    Returns
    -------
    Deviation or None
        None for the reference itself.

    Raises
    ------
    AccuracyError
        If it is further than the bound.
    EngineUnavailableError
        If ONNX Runtime, which is compared with, is not there.
    """
    if is_reference(engine):
        return None
    deviation = _deviation(engine)
    check(engine, deviation)
    return deviation


def check(engine: Engine, deviation: Deviation) -> None:
    """Compare a deviation with the bound.

    Raises
    ------
    AccuracyError
        If it is larger.
    """
    bound = bound_of(engine)
    if not (deviation.max <= bound.max and deviation.p999 <= bound.p999):
        raise AccuracyError(
            f"{engine.description} on {engine.hardware} deviates from {engine.model.card.name} in "
            f"float32 by {deviation}; allowed are max {bound.max}, p99.9 {bound.p999} HU; use "
            "another engine or precision"
        )


def _deviation(engine: Engine) -> Deviation:
    path = cache_folder("self-tests") / f"{_key(engine)}.json"
    try:
        return Deviation(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        deviation = measure(engine)
    write_atomically(path, json.dumps(asdict(deviation)).encode())
    return deviation


def _key(engine: Engine) -> str:
    """Return a name for all that the deviation may depend on."""
    parts = (VERSION, engine.model.sha256, engine.name, engine.version, engine.precision)
    text = json.dumps([*parts, engine.hardware, engine.device])
    return hashlib.sha256(text.encode()).hexdigest()


def measure(engine: Engine, slices: int = SLICES) -> Deviation:
    """Compare an engine with ONNX Runtime in float32 on synthetic slices."""
    errors = []
    with OnnxRuntimeEngine(float32_model(engine.model), "cpu") as reference:
        for hu in self_test_slices(engine.model, slices):
            expected = reference.infer(hu).astype(np.float64)
            errors.append(np.abs(engine.infer(hu) - expected).ravel())
    error = np.concatenate(errors)
    return Deviation(float(error.max()), float(np.percentile(error, 99.9)), float(error.mean()))


def self_test_slices(model: HarmonizationModel, count: int) -> Iterator[NDArray[np.float32]]:
    """Make ``[1, 1, H, W]`` HU: a thorax with the model's source kernel, and extremes in it."""
    size = SIZE + -SIZE % model.card.multiple
    for hu in synthetic_slices(model.card.source_kernels[0], count, size=size):
        for index, value in enumerate(EXTREMES_HU):
            hu[8 * index : 8 * index + 4, :16] = value
            hu[5 * index :: 37, 7::41] = value
        yield hu[np.newaxis, np.newaxis]
