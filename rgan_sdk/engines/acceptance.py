"""Whether an engine may be used for a model: its pixels against those of the float32 model.

ONNX Runtime on the CPU in float32 is the reference. Any other engine, device or precision
harmonizes synthetic slices first, and is refused where it is further away than the model's card
allows. The figures are kept, so that this is done once on a machine.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import math
from collections.abc import Iterator
from dataclasses import asdict, astuple
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.cache import cache_folder, read_own, write_own
from rgan_sdk.card import ErrorBound
from rgan_sdk.engines.base import Deviation, Engine
from rgan_sdk.engines.onnxruntime import OnnxRuntimeEngine, import_onnxruntime
from rgan_sdk.engines.reference import float32_model
from rgan_sdk.errors import AccuracyError, ConfigurationError
from rgan_sdk.model import HarmonizationModel
from rgan_sdk.phantom import synthetic_slices

log = logging.getLogger(__name__)

SLICES = 2
SIZE = 512
PADDING_HU, METAL_HU = -3024.0, 3071.0

BOUNDS = {
    "fp32": ErrorBound(max=0.5, p999=0.05),
    "fp16": ErrorBound(max=5.0, p999=1.0),
    "bf16": ErrorBound(max=30.0, p999=2.0),
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
    check_deviation(engine, deviation)
    return deviation


def check_deviation(engine: Engine, deviation: Deviation) -> None:
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
    try:
        path = cache_folder("self-tests") / f"{_key(engine)}.json"
    except ConfigurationError as exc:
        log.warning("the self-test's figures cannot be kept, so it is done each time: %s", exc)
        return measure(engine)
    kept = _parse(read_own(path))
    if kept is not None:
        return kept
    deviation = measure(engine)
    try:
        write_own(path, json.dumps(asdict(deviation)).encode())
    except ConfigurationError as exc:
        log.warning("the self-test's figures cannot be kept, so it is done each time: %s", exc)
    return deviation


def _parse(content: bytes | None) -> Deviation | None:
    """Return the figures of a file; None where it holds anything but three that are possible."""
    try:
        deviation = Deviation(**json.loads(content or b""))
        figures = astuple(deviation)
        possible = all(type(one) is float and 0 <= one < math.inf for one in figures)
    except (ValueError, TypeError):
        return None
    return deviation if possible else None


def _key(engine: Engine) -> str:
    """Return a name for all that the deviation may depend on."""
    parts = [
        *(_code(), import_onnxruntime().__version__, engine.model.sha256),
        *(engine.name, engine.version, engine.precision),
        *(engine.device, engine.hardware, *engine.circumstances),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@functools.cache
def _code() -> str:
    """Return a hash of this package: how an engine is set up decides what it computes."""
    sources = sorted(Path(__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def measure(engine: Engine, slices: int = SLICES) -> Deviation:
    """Compare an engine with ONNX Runtime in float32 on synthetic slices.

    They come in one batch, mixed and as large as the engine's own choice; then a part of the first,
    which has another size.
    """
    hu = np.concatenate(list(self_test_slices(engine.model, slices)))
    multiple = engine.model.card.multiple
    rows, columns = (-(-size // multiple) * multiple for size in (SIZE // 4, SIZE // 2))
    part = np.ascontiguousarray(hu[:1, :, :rows, :columns])
    with OnnxRuntimeEngine(float32_model(engine.model), "cpu") as reference:
        expected, expected_part = reference.infer(hu), reference.infer(part)
    order = np.random.default_rng(0).integers(0, slices, max(slices, engine.default_batch_size))
    order[0], order[-1] = 0, slices - 1  # so that a batch in reverse is another one
    error = np.concatenate(
        [
            np.abs(engine.infer(hu[order]) - expected[order]).ravel(),
            np.abs(engine.infer(part) - expected_part).ravel(),
        ]
    )
    return Deviation.from_errors(error)


def self_test_slices(model: HarmonizationModel, count: int) -> Iterator[NDArray[np.float32]]:
    """Make ``[1, 1, H, W]`` HU: a thorax with the model's source kernel, padding and metal in it.

    The metal is small: it shall be within the bound for the largest deviation, and hardly count
    among the 99.9 %.
    """
    size = SIZE + -SIZE % model.card.multiple
    for hu in synthetic_slices(model.card.source_kernels[0], count, size=size):
        hu[:4, :16] = PADDING_HU
        hu[size // 2 : size // 2 + 4, size // 2 : size // 2 + 4] = METAL_HU
        yield hu[np.newaxis, np.newaxis]
