"""Measure every engine and precision on this CPU, one 512x512 slice at a time.

    python benchmarks/infer/cpu_engines.py --scans .data/pair_lungdx_A0002_siemens/B40f \
        --trained runs/cells/siemens_wide_B40f-B70f_RadiomicGAN_seed0.onnx \
        --json benchmarks/results/cpu-engines.json

The full VGG-19 generator has random weights and tells speed only; a trained one with the compact
encoder (``--trained``, its run beside it) and the packaged model of this kernel tell errors too.
Engines take turns; a time is CPU time of the process for one slice, from host to host, the median
over rounds. Correctness columns: the difference in HU from ONNX Runtime in float32 on real slices
(``--slices``), which were neither trained on nor calibrated with (``--calibration``).
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from full_generator import make_graph, write_model
from numpy.typing import NDArray

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.read.pydicom_reader import read_slice
from rgan_sdk.engines.acceptance import accept
from rgan_sdk.engines.base import Deviation, processor_name, thread_count
from rgan_sdk.engines.onnxruntime import OnnxRuntimeEngine
from rgan_sdk.engines.openvino import OpenVINOEngine
from rgan_sdk.errors import AccuracyError, RganError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.model import HarmonizationModel, packaged_models
from rgan_sdk.quantization import quantize
from rgan_train.config import read_toml
from rgan_train.export.export import load_graph
from rgan_train.methods import METHODS
from rgan_train.networks.graph import HarmonizationGraph, harmonize_slice
from rgan_train.training.run_folder import RunFolder

KERNEL = "B40f"
FULL = "full VGG-19, random weights"
REFERENCE = "ONNX Runtime fp32"

Image = NDArray[np.float32]
Run = Callable[[Image], Image]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scans", type=Path, required=True)
    parser.add_argument("--trained", type=Path, help="a RadiomicGAN with the compact encoder")
    parser.add_argument("--calibration", default="18-20", help="numbers of slices")
    parser.add_argument("--slices", default="22-29", help="numbers of slices")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    calibration, images = (
        read(options.scans, numbers) for numbers in (options.calibration, options.slices)
    )
    spacing = pixel_spacing(options.scans)
    torch.set_num_threads(thread_count())
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for label, model, graph in models(options.trained, images[0], Path(name)):
            print(label)
            runs = engines(label, model, graph, calibration, spacing)
            rows += measure(label, runs, images, options.rounds)
    result = {"environment": environment(), "rows": rows}
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


def read(folder: Path, numbers: str) -> list[Image]:
    first, last = map(int, numbers.split("-"))
    (series,) = find_series(folder).series
    return [read_slice(file.path).hu for file in series.slices[first : last + 1]]


def pixel_spacing(folder: Path) -> float:
    (series,) = find_series(folder).series
    return series.mean_pixel_spacing


def models(
    trained: Path | None, hu: Image, folder: Path
) -> list[tuple[str, HarmonizationModel, HarmonizationGraph]]:
    """Return each model with its network in PyTorch."""
    graph = make_graph(hu)
    found = [(FULL, write_model(graph, folder / "full.onnx", KERNEL), graph)]
    if trained is not None:
        run = RunFolder(trained.with_suffix(""))
        graph = load_graph(run, run.config(), "best").eval()
        found.append(("RadiomicGAN, vgg19-compact", HarmonizationModel.open(trained), graph))
    for name in packaged_models():
        model = HarmonizationModel.open(name)
        if not model.card.accepts_kernel(KERNEL):
            continue
        found.append((f"packaged {name}", model, packaged_graph(model)))
    return found


def packaged_graph(model: HarmonizationModel) -> HarmonizationGraph:
    """Build the network of a packaged model, with the weights of its file."""
    config = read_toml(Path("docs/results") / f"{model.card.name}.toml")
    network = METHODS[config.method.name].build_network(config)
    weights = {
        tensor.name.removeprefix("network."): torch.tensor(onnx.numpy_helper.to_array(tensor))
        for tensor in onnx.load_model_from_string(model.content).graph.initializer
    }
    network.load_state_dict({name: weights[name] for name in network.state_dict()})
    return HarmonizationGraph(network, model.card.window).requires_grad_(False).eval()


@dataclass(frozen=True)
class Opened:
    """A harmonizer for slices of one pixel spacing."""

    harmonizer: Harmonizer
    spacing: float

    def __call__(self, hu: Image) -> Image:  # noqa: D102 - see Harmonizer
        return self.harmonizer(hu, pixel_spacing=self.spacing)


def engines(
    label: str,
    model: HarmonizationModel,
    graph: HarmonizationGraph,
    calibration: list[Image],
    spacing: float,
) -> dict[str, Run]:
    """Open each engine; one that cannot is left out, and said."""
    runs: dict[str, Run] = {"PyTorch eager fp32": lambda hu: harmonize_slice(graph, hu, spacing)}
    openers: dict[str, Callable[[], Harmonizer]] = {
        REFERENCE: lambda: Harmonizer(OnnxRuntimeEngine(model, "cpu"), None, ("spacing",)),
        "OpenVINO fp32": lambda: Harmonizer(OpenVINOEngine(model), None, ("spacing",)),
        "OpenVINO bf16": lambda: Harmonizer(
            OpenVINOEngine(model, precision="bf16"), None, ("spacing",)
        ),
    }
    try:
        # Random weights have no accuracy to keep: all layers run in int8.
        limit = 1e4 if label == FULL else 10.0
        spacings = [spacing] * len(calibration)
        made = quantize(model, calibration, pixel_spacings=spacings, limit=limit)
        print(f"  int8: {len(made.in_int8)} layers; fp32: {made.in_float32}; {made.deviation}")
        lowered = replace(model, content=made.content, precision="int8")
        openers["ONNX Runtime int8"] = lambda: Harmonizer(
            OnnxRuntimeEngine(lowered, "cpu"), None, ("spacing",)
        )
        openers["OpenVINO int8"] = lambda: Harmonizer(OpenVINOEngine(lowered), None, ("spacing",))
    except RganError as exc:
        print(f"  no int8: {exc}")
    for name, opener in openers.items():
        try:
            runs[name] = Opened(opener(), spacing)
        except RganError as exc:
            print(f"  no {name}: {exc}")
    return runs


def measure(
    label: str, runs: dict[str, Run], images: list[Image], rounds: int
) -> list[dict[str, Any]]:
    expected = [runs[REFERENCE](hu) for hu in images]
    deviations = {name: deviation(run, images, expected) for name, run in runs.items()}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.process_time()
            run(images[0])
            seconds[name].append(time.process_time() - start)
    base = statistics.median(seconds[REFERENCE])
    rows = []
    for name, times in seconds.items():
        error = deviations[name]
        rows.append(
            {
                "model": label,
                "engine": name,
                "cpu_s_per_slice": round(statistics.median(times), 4),
                "speed": round(base / statistics.median(times), 2),
                "max_hu": round(error.max, 4),
                "p999_hu": round(error.p999, 4),
                "mean_hu": round(error.mean, 5),
                "self_test": self_test(runs[name]),
            }
        )
        print(f"  {name:20}", {key: value for key, value in rows[-1].items() if key != "model"})
    return rows


def self_test(run: Run) -> str:
    """Say whether the engine may be used for the model, and what its self-test gave."""
    if not isinstance(run, Opened):
        return ""
    try:
        found = accept(run.harmonizer.engine)
    except AccuracyError as exc:
        return f"refused: {exc}"
    return f"accepted: {found}" if found else "the reference"


def deviation(run: Run, images: list[Image], expected: list[Image]) -> Deviation:
    error = np.stack(
        [np.abs(run(hu) - wanted) for hu, wanted in zip(images, expected, strict=True)]
    )
    return Deviation.from_errors(error)


def environment() -> dict[str, Any]:
    names = ("rgan-sdk", "onnxruntime", "openvino", "torch", "numpy")
    return {
        "processor": processor_name(),
        "threads": thread_count(),
        **{name: metadata.version(name) for name in names},
    }


if __name__ == "__main__":
    main()
