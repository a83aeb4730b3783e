"""Measure what a pixel spacing costs on a CPU: weights that are computed once against stored ones.

    python benchmarks/infer/folded_spacing.py --json benchmarks/results/folded-spacing.json

Two models of the same network (7 layers, 16 channels, random weights) harmonize one 512x512 slice.
In one, of format 2, each weight is a polynomial of second degree in the logarithm of the spacing.
The other, of format 1, stores the values of these polynomials at one spacing. They take turns, and
each goes first as often as the other; a time is CPU time of the process, the median over rounds.
Correctness column: the largest difference between the two in HU.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from rgan_sdk.card import CARD_KEY, ModelCard, SpacingRange
from rgan_sdk.engines.base import Engine, processor_name, thread_count
from rgan_sdk.engines.onnxruntime import OnnxRuntimeEngine
from rgan_sdk.engines.openvino import OpenVINOEngine
from rgan_sdk.model import INPUT_NAME, INPUTS, OPSET, OUTPUT_NAME, SPACING_NAME, HarmonizationModel
from rgan_sdk.phantom import synthetic_slices

LAYERS, CHANNELS = 7, 16
LIMITS = SpacingRange(min=0.45, max=0.9, reference=0.65)
UNIT = math.log(1.4)
SPACING, FIRST_SPACINGS = 0.8, (0.5, 0.55, 0.6)
ENGINES: dict[str, Callable[[HarmonizationModel], Engine]] = {
    "ONNX Runtime fp32": OnnxRuntimeEngine,
    "OpenVINO fp32": OpenVINOEngine,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        plain, aware = (write_model(Path(name), card) for card in cards())
        rows = [measure(name, plain, aware, options.rounds) for name in ENGINES]
    result = {"environment": environment(), "rows": rows}
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


def cards() -> tuple[ModelCard, ModelCard]:
    """Return cards of formats 1 and 2."""
    packaged = HarmonizationModel.open("b40f-to-b70f").card
    card = replace(packaged, name="random-network", multiple=1, error_bounds={}, validity=None)
    plain = replace(
        card, pixel_spacing=None, noise_hu=None, curves=None, thickness_seen=(), reconstruction=()
    )
    return plain, replace(plain, pixel_spacing=LIMITS)


def write_model(folder: Path, card: ModelCard) -> HarmonizationModel:
    path = folder / f"{card.format}.onnx"
    path.write_bytes(make_graph(card).SerializeToString())
    return HarmonizationModel.open(path)


def make_graph(card: ModelCard) -> ModelProto:
    """Return a residual network; its weights are polynomials if the card has pixel spacings."""
    random = np.random.default_rng(0)
    make = helper.make_node
    constants = {"reference": [LIMITS.reference], "unit": [UNIT], "scale": [1000.0]}
    stored = {name: np.array(value, np.float32) for name, value in constants.items()}
    scaling = [
        make("Div", [SPACING_NAME, "reference"], ["ratio"]),
        make("Log", ["ratio"], ["log"]),
        make("Div", ["log", "unit"], ["place"]),
    ]
    layers: list[NodeProto] = [make("Div", [INPUT_NAME, "scale"], ["0.in"])]
    for number in range(LAYERS):
        inputs = CHANNELS if number else 1
        outputs = CHANNELS if number < LAYERS - 1 else 1
        names = [f"{number}.weight", f"{number}.bias"]
        for name, shape in zip(names, ((outputs, inputs, 3, 3), (outputs,)), strict=True):
            terms = random.normal(0, 0.5 / (9 * inputs) ** 0.5, (3, *shape)).astype(np.float32)
            if card.pixel_spacing is None:
                stored[name] = polynomial(terms)
            else:
                stored |= {f"{name}.{power}": term for power, term in enumerate(terms)}
                scaling += polynomial_nodes(name)
        out = f"{number + 1}.in"
        layers.append(make("Conv", [f"{number}.in", *names], [f"{number}.out"], pads=[1] * 4))
        layers.append(
            make("Relu", [f"{number}.out"], [out])
            if number < LAYERS - 1
            else make("Mul", [f"{number}.out", "scale"], [out])
        )
    layers.append(make("Add", [INPUT_NAME, f"{LAYERS}.in"], [OUTPUT_NAME]))
    if card.pixel_spacing is None:
        del stored["reference"], stored["unit"]
    shapes = list(INPUTS.items())[: card.format]
    graph = helper.make_graph(
        [*scaling, *layers] if card.pixel_spacing else layers,
        "network",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes],
        [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, INPUTS[INPUT_NAME])],
        [numpy_helper.from_array(value, name) for name, value in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    helper.set_model_props(model, {CARD_KEY: card.to_json()})
    return model


def polynomial(terms: NDArray[np.float32]) -> NDArray[np.float32]:
    place = np.float32(math.log(SPACING / LIMITS.reference) / UNIT)
    value: NDArray[np.float32] = terms[0] + place * (terms[1] + place * terms[2])
    return value


def polynomial_nodes(name: str) -> list[NodeProto]:
    make = helper.make_node
    return [
        make("Mul", ["place", f"{name}.2"], [f"{name}.bend"]),
        make("Add", [f"{name}.1", f"{name}.bend"], [f"{name}.slope"]),
        make("Mul", ["place", f"{name}.slope"], [f"{name}.change"]),
        make("Add", [f"{name}.0", f"{name}.change"], [name]),
    ]


def measure(
    name: str, plain: HarmonizationModel, aware: HarmonizationModel, rounds: int
) -> dict[str, Any]:
    hu = next(iter(synthetic_slices("B40f", 1)))[np.newaxis, np.newaxis]
    with ENGINES[name](plain) as stored, ENGINES[name](aware) as folded:
        difference = np.abs(stored.infer(hu) - folded.infer(hu, SPACING)).max()
        usual = statistics.median(seconds(folded, hu, SPACING) for _ in range(rounds // 4))
        first = statistics.median(seconds(folded, hu, value) for value in FIRST_SPACINGS)
        folded.infer(hu, SPACING)
        pairs = []
        for number in range(rounds):
            engines = (stored, folded)[:: 1 if number % 2 else -1]
            times = {engine: seconds(engine, hu, SPACING) for engine in engines}
            pairs.append((times[stored], times[folded]))
    plain_s, folded_s = (statistics.median(times) for times in zip(*pairs, strict=True))
    row = {
        "engine": name,
        "stored_s_per_slice": round(plain_s, 4),
        "folded_s_per_slice": round(folded_s, 4),
        "folded_over_stored": round(folded_s / plain_s, 3),
        "extra_s_at_a_new_spacing": round(first - usual, 3),
        "max_difference_hu": float(f"{difference:.2g}"),
    }
    print(row)
    return row


def seconds(engine: Engine, hu: NDArray[np.float32], pixel_spacing: float) -> float:
    start = time.process_time()
    engine.infer(hu, pixel_spacing)
    return time.process_time() - start


def environment() -> dict[str, Any]:
    names = ("rgan-sdk", "onnxruntime", "openvino", "numpy")
    versions = {name: metadata.version(name) for name in names}
    return {"processor": processor_name(), "threads": thread_count(), **versions}


if __name__ == "__main__":
    main()
