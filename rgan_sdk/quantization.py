"""Make an int8 model from a float32 model, calibrated on slices. It takes arrays, not DICOM files.

The range of each tensor is measured on the given slices and on those of the engines' self-test. If
the int8 model then deviates too much from the float32 model, the layers with the largest errors
stay in float32, one after the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

from rgan_sdk.card import CARD_KEY, ErrorBound
from rgan_sdk.engines.acceptance import SELF_TEST_SLICES, self_test_slices, tested_spacings
from rgan_sdk.engines.base import Deviation
from rgan_sdk.engines.binding import bind_pixel_spacing
from rgan_sdk.engines.onnxruntime import OnnxRuntimeEngine, run_graph
from rgan_sdk.errors import AccuracyError, ConfigurationError, ModelError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.model import HarmonizationModel
from rgan_sdk.quantized_graph import (
    Range,
    computed_weights,
    insert_quantization,
    largest_magnitudes,
    quantizable_layers,
    quantized_tensors,
)
from rgan_sdk.slices import pad_to_multiple, spread_indices

LIMIT_HU: Final = 10.0
"""How much 99.9 % of the pixels may deviate from the float32 model; no card allows more."""

RANKING_SLICES: Final = 4
WEIGHT_STEPS: Final = 17
"""Pixel spacings of the card at which the range of computed weights is measured."""
LOWEST, HIGHEST = "ReduceMin", "ReduceMax"

Slices = Sequence[NDArray[np.float32]]
"""Slices ``[H, W]`` in HU, possibly of several sizes."""

OnStep = Callable[[str, int, int], None]
"""Called with the name of a task, how many of its steps are done, and how many there are."""


@dataclass(frozen=True)
class QuantizedModel:
    """An int8 model, and how much it deviates from the float32 model.

    Attributes
    ----------
    content
        The bytes of the ONNX file. Its card states ``error_bounds["int8"]``.
    deviation
        Measured on the calibration slices and on those of the self-test, with ONNX Runtime on this
        CPU.
    bound
        The bound that the card states.
    in_int8
        The layers that run in int8, by the names of their weights.
    in_float32
        The other layers, each with the reason.
    """

    content: bytes
    deviation: Deviation
    bound: ErrorBound
    in_int8: tuple[str, ...]
    in_float32: dict[str, str]


def quantize(
    model: HarmonizationModel,
    slices: Slices,
    *,
    pixel_spacings: Sequence[float] = (),
    limit: float = LIMIT_HU,
    on_step: OnStep = lambda what, done, total: None,
) -> QuantizedModel:
    """Make an int8 model.

    Parameters
    ----------
    model
        A float32 model.
    slices
        ``[H, W]`` float32 HU, similar to those that the model will be used on. The file will hold
        nothing of them but the ranges of tensors.
    pixel_spacings
        Of each slice, in mm. Only a model of format 2 needs them. Its int8 model is also calibrated
        and measured at the ends of the card's range.
    limit
        How much 99.9 % of the pixels may deviate from the float32 model, in HU.
    on_step
        Called after each step.

    Raises
    ------
    ConfigurationError
        If the model is not in float32, there are no slices, or there is not one pixel spacing for
        each slice where the model needs it.
    ModelError
        If no layer of the model can run in int8.
    AccuracyError
        If the limit is exceeded even with one layer in int8.
    EngineUnavailableError
        If ONNX Runtime is not installed.
    """
    if model.precision != "fp32":
        raise ConfigurationError(
            f"{model.source} is {model.precision}; int8 models are made from the float32 file"
        )
    if not slices:
        raise ConfigurationError("no slices to calibrate on; give at least one")
    spacings: Sequence[float | None] = pixel_spacings
    if model.card.pixel_spacing is None:
        spacings = [None] * len(slices)
    elif len(spacings) != len(slices):
        raise ConfigurationError(
            f"{model.source} needs a pixel spacing in mm for each of the {len(slices)} slices, got "
            f"{len(spacings)}"
        )
    layers = quantizable_layers(onnx.load_model_from_string(model.content))
    candidates = [name for name, reason in layers.items() if not reason]
    if not candidates:
        raise ModelError(f"{model.source}: no layer that int8 would make faster; use it as it is")
    images = [_Image(*each) for each in zip(slices, spacings, strict=True)]
    trial = _Trial(model, images, candidates, on_step)
    chosen, deviation, harm = _choose(trial, candidates, limit)
    reasons = {name: f"alone in int8 p99.9 {error:.2f} HU" for name, error in harm.items()}
    measured = ErrorBound.from_measured(deviation.max, deviation.p999)
    bound = ErrorBound(measured.max, min(measured.p999, LIMIT_HU))
    return QuantizedModel(
        content=_state_bound(trial.graph(chosen), model, bound).SerializeToString(),
        deviation=deviation,
        bound=bound,
        in_int8=tuple(chosen),
        in_float32={name: layers[name] or reasons[name] for name in layers if name not in chosen},
    )


def _choose(
    trial: _Trial, candidates: Collection[str], limit: float
) -> tuple[list[str], Deviation, dict[str, float]]:
    """Leave out the worst layers until the limit is kept; also return the error of each layer."""
    chosen = list(candidates)
    harm: dict[str, float] = {}
    while True:
        # A few slices can show that the limit is exceeded. Only all slices show that it is kept.
        if not harm or trial.deviation(chosen, RANKING_SLICES).p999 <= limit:
            deviation = trial.deviation(chosen)
            if deviation.p999 <= limit:
                return chosen, deviation, harm
        harm = harm or trial.rank(candidates)
        worst = max(chosen, key=lambda name: harm[name])
        if chosen == [worst]:
            raise AccuracyError(
                f"int8 cannot keep 99.9 % of the pixels within {limit:g} HU: even {worst} alone "
                f"gives {harm[worst]:.2f} HU; use the float32 model"
            )
        chosen.remove(worst)


class _Image(NamedTuple):
    """A slice ``[H, W]`` in HU, and its pixel spacing in mm; None in format 1."""

    hu: NDArray[np.float32]
    pixel_spacing: float | None


class _Trial:
    """Measures models with various layers in int8 on the same slices."""

    def __init__(
        self,
        model: HarmonizationModel,
        images: list[_Image],
        candidates: Collection[str],
        on_step: OnStep,
    ) -> None:
        self._model = model
        self._float32 = onnx.load_model_from_string(model.content)
        # These hold metal and padding, so the ranges suit metal that is in no other slice.
        self._images = images + [
            _Image(hu[0, 0], spacing)
            for spacing in tested_spacings(model.card)
            for hu in self_test_slices(model, SELF_TEST_SLICES)
        ]
        self._on_step = on_step
        self._expected = self._run(model, self._images, "float32")
        self._ranges = self._calibrate(candidates)
        self._largest = largest_weights(model, candidates, self._weight_spacings())

    def graph(self, layers: Collection[str]) -> onnx.ModelProto:
        """Return the graph with the given layers in int8."""
        return insert_quantization(self._float32, layers, self._ranges, self._largest)

    def deviation(
        self, layers: Collection[str], count: int | None = None, what: str = ""
    ) -> Deviation:
        """Measure the deviation on ``count`` slices spread over all, or on all of them."""
        images = self._images
        numbers = spread_indices(len(images), count or len(images))
        what = what or f"int8 in {len(layers)} layers"
        content = self.graph(layers).SerializeToString()
        digest = hashlib.sha256(content).hexdigest()
        lowered = replace(self._model, content=content, sha256=digest, precision="int8")
        outputs = self._run(lowered, [images[number] for number in numbers], what)
        error = np.concatenate(
            [
                np.abs(out - self._expected[number]).ravel()
                for number, out in zip(numbers, outputs, strict=True)
            ]
        )
        return Deviation.from_errors(error)

    def rank(self, candidates: Collection[str]) -> dict[str, float]:
        """Return the error with each layer alone in int8: the 99.9th percentile in HU."""
        errors = {}
        for number, name in enumerate(candidates, start=1):
            what = f"layer {number} of {len(candidates)} alone"
            errors[name] = self.deviation([name], RANKING_SLICES, what).p999
        return errors

    def _run(
        self, model: HarmonizationModel, images: list[_Image], what: str
    ) -> list[NDArray[np.float32]]:
        outputs = []
        with Harmonizer(OnnxRuntimeEngine(model, "cpu"), None, ("spacing",)) as harmonizer:
            for number, (hu, spacing) in enumerate(images, start=1):
                outputs.append(harmonizer(hu, pixel_spacing=spacing))
                self._on_step(what, number, len(images))
        return outputs

    def _calibrate(self, candidates: Collection[str]) -> dict[str, Range]:
        """Return the lowest and the highest value of each tensor on the slices."""
        tensors = list(quantized_tensors(self._float32, candidates))
        graph = _extremes_graph(self._float32, tensors).SerializeToString()
        extremes: list[dict[str, NDArray[np.float32]]] = []
        for spacing, images in self._by_spacing().items():
            bound = bind_pixel_spacing(graph, spacing)
            extremes += run_graph(bound, self._padded(images, len(extremes)))
        return {
            name: (
                float(np.min([outputs[f"{name}.{LOWEST}"] for outputs in extremes])),
                float(np.max([outputs[f"{name}.{HIGHEST}"] for outputs in extremes])),
            )
            for name in tensors
        }

    def _weight_spacings(self) -> set[float]:
        """Return spacings all over the card's range, and those of the slices, also outside it."""
        limits = self._model.card.pixel_spacing
        if limits is None:
            return set()
        steps = np.geomspace(limits.min, limits.max, WEIGHT_STEPS).tolist()
        own = (image.pixel_spacing for image in self._images)
        return {*steps, *(spacing for spacing in own if spacing is not None)}

    def _by_spacing(self) -> dict[float | None, list[NDArray[np.float32]]]:
        found: dict[float | None, list[NDArray[np.float32]]] = {}
        for hu, spacing in self._images:
            found.setdefault(spacing, []).append(hu)
        return found

    def _padded(self, images: Slices, done: int) -> Iterator[NDArray[np.float32]]:
        multiple = self._model.card.multiple
        for number, hu in enumerate(images, start=done + 1):
            yield pad_to_multiple(hu, multiple)[np.newaxis, np.newaxis]
            self._on_step("ranges", number, len(self._images))


def _extremes_graph(model: onnx.ModelProto, tensors: list[str]) -> onnx.ModelProto:
    """Return a graph whose only outputs are the lowest and the highest value of each tensor."""
    extremes = onnx.ModelProto()
    extremes.CopyFrom(model)
    graph = extremes.graph
    del graph.output[:]
    for reduce in (LOWEST, HIGHEST):
        for name in tensors:
            output = f"{name}.{reduce}"
            graph.node.append(onnx.helper.make_node(reduce, [name], [output], keepdims=0))
            graph.output.append(
                onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, [])
            )
    return extremes


def largest_weights(
    model: HarmonizationModel, layers: Collection[str], spacings: Iterable[float]
) -> dict[str, NDArray[np.float32]]:
    """Return the largest magnitudes of weights that a model of format 2 computes, by name.

    Parameters
    ----------
    layers
        As ``quantizable_layers`` names them. Those with stored weights are left out.
    spacings
        Pixel spacings in mm over which the largest are taken.
    """
    graph = onnx.load_model_from_string(model.content)
    names = computed_weights(graph, layers)
    if not names:
        return {}
    del graph.graph.output[:]
    graph.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    content = graph.SerializeToString()
    unused = np.zeros((1, 1, model.card.multiple, model.card.multiple), np.float32)
    found: dict[str, NDArray[np.float32]] = {}
    for spacing in spacings:
        (weights,) = run_graph(bind_pixel_spacing(content, spacing), [unused])
        for name, values in weights.items():
            found[name] = np.maximum(found.get(name, 0), largest_magnitudes(values))
    return found


def _state_bound(
    graph: onnx.ModelProto, model: HarmonizationModel, bound: ErrorBound
) -> onnx.ModelProto:
    card = replace(model.card, error_bounds={**model.card.error_bounds, "int8": bound})
    onnx.helper.set_model_props(graph, {CARD_KEY: card.to_json()})
    return graph
