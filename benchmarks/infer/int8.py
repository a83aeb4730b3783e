"""Why `quantize` takes the extremes for the range of each tensor, and what that costs at metal.

    python benchmarks/infer/int8.py --scans .data/pair_lungdx_A0002_siemens/B40f \
        --model b40f-to-b70f --model runs/cells/siemens_wide_B40f-B70f_RadiomicGAN_seed0.onnx \
        --json benchmarks/results/int8-ranges.json

Ranges: from validation slices 18 and 19, all inner layers in int8, compared with float32 on
validation slice 20. Metal: a disc of 3071 HU with soft edges in slices 18 and 20; `quantize` is
calibrated on 18 to 20 without it. ONNX Runtime on the CPU; HU, p99.9 and largest.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from cpu_engines import Opened, deviation, environment, pixel_spacing, read
from numpy.typing import NDArray

from rgan_sdk.engines.binding import bind_pixel_spacing
from rgan_sdk.engines.onnxruntime import OnnxRuntimeEngine, run_graph
from rgan_sdk.errors import AccuracyError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.model import HarmonizationModel
from rgan_sdk.quantization import largest_weights, quantize
from rgan_sdk.quantized_graph import insert_quantization, quantizable_layers, quantized_tensors

Image = NDArray[np.float32]
Range = tuple[float, float]
BINS = 4096
METAL_HU, METAL_RADIUS, METAL_SIGMA = 3071.0, 6.0, 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scans", type=Path, required=True)
    parser.add_argument("--model", action="append", required=True)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    images, spacing = read(options.scans, "18-20"), pixel_spacing(options.scans)
    result: dict[str, Any] = {"environment": environment(), "ranges": {}, "metal": {}}
    for name in options.model:
        model = HarmonizationModel.open(name)
        label = Path(name).stem
        result["ranges"][label] = compare_ranges(model, images, spacing)
        result["metal"][label] = at_metal(model, images, spacing)
        print(label, json.dumps({key: result[key][label] for key in ("ranges", "metal")}, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


def compare_ranges(
    model: HarmonizationModel, images: list[Image], spacing: float
) -> dict[str, dict[str, float]]:
    graph = onnx.load_model_from_string(model.content)
    layers = [name for name, reason in quantizable_layers(graph).items() if not reason]
    values = activations(model, layers, images[:2], spacing)
    largest = largest_weights(model, layers, [spacing])
    found = {}
    for rule, choose in RULES.items():
        ranges = {name: choose(array) for name, array in values.items()}
        content = insert_quantization(graph, layers, ranges, largest).SerializeToString()
        found[rule] = difference(model, content, images[2:], spacing)
    return found


def activations(
    model: HarmonizationModel, layers: list[str], images: list[Image], spacing: float
) -> dict[str, NDArray[np.float32]]:
    """Return all values of each tensor that is quantized."""
    graph = onnx.load_model_from_string(model.content)
    names = list(dict.fromkeys(quantized_tensors(graph, layers)))
    del graph.graph.output[:]
    for name in names:
        graph.graph.output.append(onnx.helper.make_tensor_value_info(name, 1, None))
    content = bind_pixel_spacing(graph.SerializeToString(), known_spacing(model, spacing))
    each = list(run_graph(content, [hu[None, None] for hu in images]))
    return {name: np.concatenate([out[name].ravel() for out in each]) for name in names}


def known_spacing(model: HarmonizationModel, spacing: float) -> float | None:
    """Return the pixel spacing; None for a model of format 1, which has no such input."""
    return None if model.card.pixel_spacing is None else spacing


def extremes(values: NDArray[np.float32]) -> Range:
    return float(values.min()), float(values.max())


def quantile(share: float) -> Callable[[NDArray[np.float32]], Range]:
    def choose(values: NDArray[np.float32]) -> Range:
        low, high = np.quantile(values, [1 - share, share])
        return float(min(low, 0)), float(high)

    return choose


def least_squares(values: NDArray[np.float32]) -> Range:
    """Return the share of the extremes whose 256 steps are closest to the values."""
    low, high = extremes(values)
    counts, edges = np.histogram(values, BINS)
    centres = (edges[1:] + edges[:-1]) / 2

    def error(share: float) -> float:
        step = share * (high - low) / 255
        zero = np.rint(-share * low / step)
        rounded = (np.clip(np.rint(centres / step) + zero, 0, 255) - zero) * step
        return float((counts * (rounded - centres) ** 2).sum())

    best = min(np.linspace(0.3, 1, 71), key=error)
    return best * low, best * high


RULES: dict[str, Callable[[NDArray[np.float32]], Range]] = {
    "extremes": extremes,
    "99.9999 %": quantile(1 - 1e-6),
    "99.999 %": quantile(1 - 1e-5),
    "99.99 %": quantile(1 - 1e-4),
    "least squared error": least_squares,
}


def at_metal(model: HarmonizationModel, images: list[Image], spacing: float) -> dict[str, object]:
    try:
        made = quantize(model, images, pixel_spacings=[spacing] * len(images))
    except AccuracyError as exc:
        return {"refused": str(exc)}
    with_metal = [add_metal(images[0]), add_metal(images[2])]
    return {
        "int8_layers": len(made.in_int8),
        "layers": len(made.in_int8) + len(made.in_float32),
        "card": {"max": made.bound.max, "p999": made.bound.p999},
        "without": difference(model, made.content, [images[0], images[2]], spacing),
        "with": difference(model, made.content, with_metal, spacing),
    }


def add_metal(hu: Image) -> Image:
    """Set a disc of metal beside the middle."""
    rows, columns = np.indices(hu.shape)
    distance = np.hypot(rows - hu.shape[0] / 2, columns - 0.4 * hu.shape[1])
    share = 1 / (1 + np.exp((distance - METAL_RADIUS) / (METAL_SIGMA / 1.7)))
    mixed: Image = (hu * (1 - share) + METAL_HU * share).astype(np.float32)
    return mixed


def difference(
    model: HarmonizationModel, content: bytes, images: list[Image], spacing: float
) -> dict[str, float]:
    lowered = replace(model, content=content, precision="int8")
    with (
        Harmonizer(OnnxRuntimeEngine(model, "cpu"), None, ("spacing",)) as reference,
        Harmonizer(OnnxRuntimeEngine(lowered, "cpu"), None, ("spacing",)) as int8,
    ):
        expected = [reference(hu, pixel_spacing=spacing) for hu in images]
        found = deviation(Opened(int8, spacing), images, expected)
    return {"p999_hu": round(found.p999, 2), "max_hu": round(found.max, 2)}


if __name__ == "__main__":
    main()
