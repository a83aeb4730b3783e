"""The self-test of engines: their output is compared with that of the float32 model.

ONNX Runtime on the CPU in float32 is the reference. Any other engine, device or precision first
harmonizes synthetic slices, and is refused if it deviates more than the model's card allows. The
result is cached, so that the test runs once for each model and machine.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import math
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.cache import cache_folder, read_own, write_own
from rgan_sdk.card import ErrorBound, ModelCard
from rgan_sdk.engines.base import Deviation, Engine
from rgan_sdk.engines.cuda import TF32_SWITCH
from rgan_sdk.engines.onnxruntime import OnnxRuntimeEngine, import_onnxruntime
from rgan_sdk.engines.reference import float32_model
from rgan_sdk.errors import AccuracyError, ConfigurationError, DeviceMemoryError
from rgan_sdk.model import HarmonizationModel
from rgan_sdk.phantom import synthetic_slices

log = logging.getLogger(__name__)

SELF_TEST_SLICES = 2
SIZE = 512
PADDING_HU, METAL_HU = -3024.0, 3071.0

NOT_CACHED = "the result of the self-test cannot be cached, so the test runs each time: %s"

BOUNDS = {
    "fp32": ErrorBound(max=0.5, p999=0.05),
    "fp16": ErrorBound(max=5.0, p999=1.0),
    "bf16": ErrorBound(max=30.0, p999=2.0),
    "int8": ErrorBound(max=60.0, p999=10.0),
}
"""The bounds in HU where the card states none, by precision."""


def is_reference(engine: Engine) -> bool:
    """Return whether an engine needs no self-test: it is the reference, or computes nothing."""
    runtime = engine.name == "onnxruntime" and engine.device == "cpu"
    return engine.name == "identity" or (runtime and engine.precision == "fp32")


def bound_of(engine: Engine) -> ErrorBound:
    """Return how much the engine may deviate from the float32 model."""
    return engine.model.card.error_bounds.get(engine.precision, BOUNDS[engine.precision])


def accept(engine: Engine) -> Deviation | None:
    """Test an engine, or take the result of an earlier test from the cache.

    Returns
    -------
    Deviation or None
        From the float32 model; None for an engine that needs no test.

    Raises
    ------
    AccuracyError
        If the deviation is larger than its bound.
    EngineUnavailableError
        If ONNX Runtime, which computes the reference, is not installed.
    """
    if is_reference(engine):
        return None
    deviation = _load_or_measure(engine)
    check_deviation(engine, deviation)
    return deviation


def check_deviation(engine: Engine, deviation: Deviation) -> None:
    """Raise AccuracyError if a deviation is larger than the bound for the engine."""
    bound = bound_of(engine)
    if not (deviation.max <= bound.max and deviation.p999 <= bound.p999):
        raise AccuracyError(
            f"{engine.description} on {engine.hardware} deviates from {engine.model.card.name} in "
            f"float32 by {deviation}; allowed are max {bound.max}, p99.9 {bound.p999} HU; "
            f"{_remedy(engine)}"
        )


def _remedy(engine: Engine) -> str:
    """Say what to do about an engine that is too far off."""
    if engine.precision == "fp32" and engine.device != "cpu":
        # ONNX Runtime takes TF32 without a word where it finds no other way to compute a layer.
        return f"it may compute in TF32: set {TF32_SWITCH}=0, or use the fp16 file"
    return "use another engine or precision"


def _load_or_measure(engine: Engine) -> Deviation:
    try:
        path = cache_folder("self-tests") / f"{_key(engine)}.json"
    except ConfigurationError as exc:
        log.warning(NOT_CACHED, exc)
        return measure(engine)
    kept = _parse(read_own(path))
    if kept is not None:
        engine.default_batch_size = max(1, engine.default_batch_size >> kept.halvings)
        return kept.deviation
    asked = engine.default_batch_size
    deviation = measure(engine)
    halvings = (asked // engine.default_batch_size).bit_length() - 1
    try:
        write_own(path, json.dumps(asdict(_Result(deviation, halvings))).encode())
    except ConfigurationError as exc:
        log.warning(NOT_CACHED, exc)
    return deviation


@dataclass(frozen=True)
class _Result:
    """What is cached of a test.

    Attributes
    ----------
    halvings
        How often the default batch size was halved until it fitted.
    """

    deviation: Deviation
    halvings: int


def _parse(content: bytes | None) -> _Result | None:
    """Return a cached result; None if the file is absent, damaged or holds impossible values."""
    try:
        kept = json.loads(content or b"")
        result = _Result(Deviation(**kept["deviation"]), kept["halvings"])
        values = astuple(result.deviation)
        is_possible = all(type(value) is float and 0 <= value < math.inf for value in values)
    except (ValueError, TypeError, KeyError):
        return None
    return result if is_possible and type(result.halvings) is int and result.halvings >= 0 else None


def _key(engine: Engine) -> str:
    """Return a hash of all that the deviation may depend on."""
    parts = [
        _code(),
        import_onnxruntime().__version__,
        engine.model.sha256,
        engine.name,
        engine.version,
        engine.precision,
        engine.device,
        engine.hardware,
        *engine.circumstances,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@functools.cache
def _code() -> str:
    """Return a hash of the code that decides the result: engines, reference and test slices."""
    package = Path(__file__).parent
    sources = [
        *sorted(package.rglob("*.py")),
        package.parent / "phantom.py",
        package.parent / "quantized_graph.py",
    ]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def measure(engine: Engine, slices: int = SELF_TEST_SLICES) -> Deviation:
    """Compare an engine with ONNX Runtime in float32 on synthetic slices.

    The engine gets them in one batch, in random order and as large as its default batch size, which
    is halved where the memory does not suffice. Then it gets a part of the first slice, to test
    another image size. A model of format 2 does that at its card's reference spacing, and computes
    the first slice at both ends of the card's range too. The largest of each statistic counts.
    """
    hu = np.concatenate(list(self_test_slices(engine.model, slices)))
    multiple = engine.model.card.multiple
    rows, columns = (-(-size // multiple) * multiple for size in (SIZE // 4, SIZE // 2))
    part = np.ascontiguousarray(hu[:1, :, :rows, :columns])
    middle, *ends = tested_spacings(engine.model.card)
    order, out = _infer_batch(engine, hu, middle)
    with OnnxRuntimeEngine(float32_model(engine.model), "cpu") as reference:

        def error(image: NDArray[np.float32], pixel_spacing: float | None) -> NDArray[np.float32]:
            done, expected = (each.infer(image, pixel_spacing) for each in (engine, reference))
            difference: NDArray[np.float32] = np.abs(done - expected).ravel()
            return difference

        of_batch = np.abs(out - reference.infer(hu, middle)[order]).ravel()
        errors = [np.concatenate([of_batch, error(part, middle)])]
        errors += [error(hu[:1], end) for end in ends]
    deviations = [astuple(Deviation.from_errors(each)) for each in errors]
    return Deviation(*(max(values) for values in zip(*deviations, strict=True)))


def tested_spacings(card: ModelCard) -> list[float | None]:
    """Return the card's reference pixel spacing and its ends in mm; None alone in format 1."""
    limits = card.pixel_spacing
    if limits is None:
        return [None]
    return list(dict.fromkeys((limits.reference, limits.min, limits.max)))


def _infer_batch(
    engine: Engine, hu: NDArray[np.float32], pixel_spacing: float | None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Infer a batch that fits, of the slices in random order; return the order and the output."""
    count = max(len(hu), engine.default_batch_size)
    while True:
        order = np.random.default_rng(0).integers(0, len(hu), count)
        order[0], order[-1] = 0, len(hu) - 1  # so that a reversed batch would be noticed
        try:
            return order, engine.infer(hu[order], pixel_spacing)
        except DeviceMemoryError:
            if count == 1:
                raise
            count //= 2
            engine.default_batch_size = count


def self_test_slices(model: HarmonizationModel, count: int) -> Iterator[NDArray[np.float32]]:
    """Yield slices ``[1, 1, H, W]`` in HU: a thorax with the model's source kernel.

    Each slice also holds padding and a little metal. The metal is too small to affect the 99.9th
    percentile; it tests the largest deviation.
    """
    size = SIZE + -SIZE % model.card.multiple
    for hu in synthetic_slices(model.card.source_kernels[0], count, size=size):
        hu[:4, :16] = PADDING_HU
        hu[size // 2 : size // 2 + 4, size // 2 : size // 2 + 4] = METAL_HU
        yield hu[np.newaxis, np.newaxis]
