"""Measure what librgan costs beside bare ONNX Runtime, and Python beside both.

    python benchmarks/cpp/overhead.py --json benchmarks/results/cpp-overhead.json

Calls: a packaged model and the smallest one harmonize a slice of 512x512, in one process and with
one thread: bare ONNX Runtime (``bare_runtime.cpp``), librgan, and Python. They take turns, and each
goes first as often as the others; a time is CPU time, ratios are formed within each round.
Start-up: wall time of a new process that harmonizes one slice. Memory: of this process, after a
tenth of the calls and at the end. Correctness: whether all give the same bits.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.librgan import Engine, Model, library_path, runtime
from support.models import make_domain_card, make_model

from rgan_sdk.engines.base import processor_name
from rgan_sdk.engines.binding import bind_pixel_spacing
from rgan_sdk.engines.onnxruntime import OnnxRuntimeEngine
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.model import INPUT_NAME, OUTPUT_NAME, HarmonizationModel
from rgan_sdk.phantom import synthetic_slices

Image = NDArray[np.float32]
Times = dict[str, float]

PACKAGED, SPACING = "b40f-to-b70f", 0.65
NAMES = ("bare ONNX Runtime", "librgan", "Python")
IN_PYTHON = """
import sys
import numpy as np
import rgan_sdk as rgan
hu = np.frombuffer(sys.stdin.buffer.read(), np.float32).reshape(512, 512)
with rgan.Harmonizer.load(sys.argv[1], engine="onnxruntime", device="cpu") as harmonizer:
    sys.stdout.buffer.write(harmonizer(hu, pixel_spacing=float(sys.argv[2])).tobytes())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--starts", type=int, default=12)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one thread everywhere
    hu = next(iter(synthetic_slices("B40f", 1)))
    packaged = HarmonizationModel.open(PACKAGED)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        smallest = write_smallest(folder)
        library = build(folder, "libbare_runtime.so", "-shared", "-fPIC")
        result = {
            "environment": environment(),
            "calls": [
                measure_calls("smallest", smallest, library, hu, 10 * options.rounds),
                measure_calls(PACKAGED, packaged, library, hu, options.rounds),
            ],
            "start": measure_starts(packaged, folder, hu, options.starts),
            "memory": [
                measure_memory("smallest", smallest, hu[:64, :64], 10_000),
                measure_memory(PACKAGED, packaged, hu, 200),
            ],
        }
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


def write_smallest(folder: Path) -> HarmonizationModel:
    """Write a model with a single operator, which changes nothing."""
    model = make_model(make_domain_card(multiple=1))
    del model.graph.node[:], model.graph.initializer[:]
    zero = helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0])
    model.graph.initializer.append(zero)
    model.graph.node.append(helper.make_node("Add", [INPUT_NAME, "zero"], [OUTPUT_NAME]))
    onnx.checker.check_model(model)
    path = folder / "smallest.onnx"
    path.write_bytes(model.SerializeToString())
    return HarmonizationModel.open(path)


def build(folder: Path, name: str, *flags: str) -> Path:
    source = Path(__file__).with_name("bare_runtime.cpp")
    program = folder / name
    subprocess.run(["g++", "-std=c++20", "-O2", *flags, source, "-o", program, "-ldl"], check=True)
    return program


def measure_calls(
    label: str, model: HarmonizationModel, library: Path, hu: Image, rounds: int
) -> dict[str, Any]:
    # A copy for each model, because the library holds one.
    copy = library.with_name(f"{label}.so")
    copy.write_bytes(library.read_bytes())
    bare = ctypes.CDLL(str(copy))
    content = bind_pixel_spacing(model.content, SPACING)
    bare.bare_open(str(runtime()).encode(), content, ctypes.c_size_t(len(content)))
    out = {name: np.empty_like(hu) for name in NAMES}
    height, width = (ctypes.c_int64(size) for size in hu.shape)
    source, target = (ctypes.c_void_p(array.ctypes.data) for array in (hu, out[NAMES[0]]))
    with (
        Model(model.content) as opened,
        Engine(opened) as engine,
        Harmonizer(OnnxRuntimeEngine(model, "cpu")) as python,
    ):
        calls: dict[str, Callable[[], object]] = {
            NAMES[0]: lambda: bare.bare_run(source, target, height, width),
            NAMES[1]: lambda: engine.harmonize(hu[None], SPACING, out=out[NAMES[1]][None]),
            NAMES[2]: lambda: python(hu, out[NAMES[2]], pixel_spacing=SPACING),
        }
        times = take_turns(calls, rounds, time.process_time)
    equal = all(array.tobytes() == out[NAMES[0]].tobytes() for array in out.values())
    return show({"model": label, "bits_equal": equal, **summary(times)})


def take_turns(
    calls: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], float]
) -> list[Times]:
    for call in calls.values():
        call()
    times = []
    for number in range(rounds):
        first = number % len(NAMES)
        taken: Times = {}
        for name in NAMES[first:] + NAMES[:first]:
            start = clock()
            calls[name]()
            taken[name] = clock() - start
        times.append(taken)
    return times


def summary(times: list[Times]) -> dict[str, Any]:
    """Return medians in ms, and what each takes more than bare ONNX Runtime in the same round."""
    bare = NAMES[0]
    return {
        "rounds": len(times),
        "ms": {name: median(1e3 * each[name] for each in times) for name in NAMES},
        "over_bare": {name: median(each[name] / each[bare] for each in times) for name in NAMES},
        "ms_more": {
            name: median(1e3 * (each[name] - each[bare]) for each in times) for name in NAMES
        },
    }


def median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 4)


def measure_starts(
    model: HarmonizationModel, folder: Path, hu: Image, rounds: int
) -> dict[str, Any]:
    path, bound = folder / "model.onnx", folder / "bound.onnx"
    path.write_bytes(model.content)
    bound.write_bytes(bind_pixel_spacing(model.content, SPACING))
    bare = build(folder, "bare_runtime")
    program, library = folder / "raw_slices", library_path()
    include = f"-I{library.parents[1] / 'include'}"
    source = ROOT / "examples/c/raw_slices.c"
    linked: list[str | Path] = [library, f"-Wl,-rpath,{library.parent}"]
    subprocess.run(["gcc", "-O2", include, source, "-o", program, *linked], check=True)
    size = [str(length) for length in hu.shape]
    commands: dict[str, list[Any]] = {
        NAMES[0]: [bare, runtime(), bound, *size],
        NAMES[1]: [program, path, *size, str(SPACING)],
        NAMES[2]: [sys.executable, "-c", IN_PYTHON, path, str(SPACING)],
    }
    environ = os.environ | {"RGAN_ONNXRUNTIME": str(runtime())}
    written = {}

    def start(name: str) -> None:
        done = subprocess.run(
            commands[name], input=hu.tobytes(), env=environ, capture_output=True, check=True
        )
        written[name] = done.stdout

    times = take_turns({name: partial(start, name) for name in NAMES}, rounds, time.time)
    equal = len(set(written.values())) == 1
    return show({"bits_equal": equal, **summary(times)})


def measure_memory(label: str, model: HarmonizationModel, hu: Image, calls: int) -> dict[str, Any]:
    hu = np.ascontiguousarray(hu)[None]
    out = np.empty_like(hu)
    found = {}
    with Model(model.content) as opened, Engine(opened) as engine:
        for number in range(1, calls + 1):
            engine.harmonize(hu, SPACING, out=out)
            if number in (calls // 10, calls):
                found[number] = resident_mib()
    return show({"model": label, "slice": list(hu.shape[1:]), "resident_mib_after_calls": found})


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGESIZE") / 2**20, 2)


def show(row: dict[str, Any]) -> dict[str, Any]:
    print(json.dumps(row, indent=1), flush=True)
    return row


def environment() -> dict[str, Any]:
    names = ("rgan-sdk", "onnxruntime", "numpy")
    return {
        "processor": processor_name(),
        "threads": 1,
        **{name: metadata.version(name) for name in names},
    }


if __name__ == "__main__":
    main()
