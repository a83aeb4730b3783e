"""Measure the VGG-19 generator at 512x512 on a GPU with every engine that is installed.

    python benchmarks/gpu/engines.py --json benchmarks/results/gpu-engines.json

The generator of `radiomicgan.toml` with random weights, whose output changes a slice by some tens
of HU. A rate is slices per second from host array to host array, the median of repeated calls. Its
share of the peak is what the convolutions alone would take at the rate of a large float16 matrix
product, measured in the same run. Correctness column: the deviation in HU from PyTorch in float32
on the CPU. End to end is `run` over files in memory, over the rate of its engine.

What is missing is said in its row. Exit code 1, and no file, where no row could be measured.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from rgan_sdk.engines import create_engine, cuda
from rgan_sdk.engines.onnxruntime import import_onnxruntime
from rgan_sdk.errors import RganError
from rgan_sdk.harmonizer import DOMAINS, Harmonizer
from rgan_sdk.model import HarmonizationModel
from rgan_sdk.phantom import synthetic_slices
from rgan_train.networks.graph import HarmonizationGraph, harmonize_slice

BENCHMARKS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(BENCHMARKS / "e2e"), str(BENCHMARKS / "infer")]
from copies import multiply
from full_generator import SPACING, make_graph, write_model

Batch = NDArray[np.float32]
Run = Callable[[Batch], Batch]

SIZE = 512
BATCHES = (1, 2, 4, 8, 16, 32)
COMPILED_BATCHES = (8, 32)
"""Each shape is compiled anew, for most of a minute."""
SECONDS_PER_ROW = 1.5
PARITY_SLICES = 4
KERNEL = "B40f"
SERIES, SLICES, STACKED = 4, 16, 16


class Bench:
    """The network, its files, the slices, and what is measured once for all rows."""

    def __init__(self, folder: Path, deadline: float) -> None:
        self.folder, self.deadline = folder, deadline
        slices = list(synthetic_slices(KERNEL, PARITY_SLICES, size=SIZE))
        self.hu = np.stack([slices[n % PARITY_SLICES] for n in range(max(BATCHES))])[:, None]
        self.graph = make_graph(self.hu[0, 0])
        self.flops = SIZE * SIZE * flops_per_pixel(self.graph)
        self.expected = np.stack([harmonize_slice(self.graph, hu, SPACING) for hu in slices])[
            :, None
        ]
        self.models = self._write_models()
        self.matmul = matmul_rate()

    def _write_models(self) -> dict[str, HarmonizationModel]:
        half = HarmonizationGraph(self.graph.network, self.graph.window).use_float16()
        return {
            precision: write_model(graph, self.folder / f"{precision}.onnx", KERNEL)
            for precision, graph in (("fp32", self.graph), ("fp16", half))
        }

    def row(self, run: Run, batch: int) -> dict[str, Any]:
        """Measure one engine with one batch size."""
        hu = self.hu[:batch]
        for _ in range(3):  # burn-in; a kernel is chosen
            out = run(hu)
        error = np.abs(out[:PARITY_SLICES].astype(np.float64) - self.expected[: len(out)])
        times: list[float] = []
        while sum(times) < SECONDS_PER_ROW or len(times) < 5:
            start = time.perf_counter()
            run(hu)
            times.append(time.perf_counter() - start)
        rate = batch / statistics.median(times)
        return {
            "slices_per_s": round(rate, 2),
            "ms_per_call": round(1000 * statistics.median(times), 2),
            "calls": len(times),
            "share_of_matmul": round(rate * self.flops / self.matmul, 3),
            "max_hu": round(float(error.max()), 4),
            "p999_hu": round(float(np.percentile(error, 99.9)), 4),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seconds", type=float, default=330, help="no row starts after these")
    options = parser.parse_args()
    missing = "" if torch.cuda.is_available() else "this PyTorch finds no CUDA device"
    missing = cuda.why_no_device() or missing
    result: dict[str, Any] = {"environment": environment()}
    if missing:
        result["rows"] = [row_of(name, {"missing": f"no GPU: {missing}"}) for name in OPENERS]
        result["end_to_end"] = {"missing": f"no GPU: {missing}"}
    else:
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(Path(folder), time.monotonic() + options.seconds)
            result["gflop_per_slice"] = round(bench.flops / 1e9, 1)
            result["matmul_tflops"] = round(bench.matmul / 1e12, 1)
            result["rows"] = []
            for row in (row for name in OPENERS for row in rows_of(bench, name)):
                result["rows"].append(row)
                write(result, options.json)  # whatever becomes of the rest
            result["end_to_end"] = end_to_end(bench)
    print("end to end", result["end_to_end"])
    return 0 if write(result, options.json) else 1


def write(result: dict[str, Any], target: Path | None) -> bool:
    """Write what was measured, if anything was."""
    measured = any("slices_per_s" in row for row in result["rows"])
    if measured and target:
        target.write_text(json.dumps(result, indent=1) + "\n")
    return measured


def rows_of(bench: Bench, name: str) -> Iterator[dict[str, Any]]:
    """Measure an engine with every batch size; say why where it can't be."""
    batches = COMPILED_BATCHES if "compile" in name else BATCHES
    try:
        if time.monotonic() > bench.deadline:
            raise TimeoutError("out of time")
        with OPENERS[name](bench) as run:
            for batch in batches:
                if time.monotonic() > bench.deadline:
                    raise TimeoutError("out of time")
                yield row_of(name, {"batch": batch, **bench.row(run, batch)})
    except Exception as exc:  # whatever is wrong with one engine, the others are measured
        yield row_of(name, {"missing": str(exc) or type(exc).__name__})


def row_of(name: str, figures: dict[str, Any]) -> dict[str, Any]:
    row = {"engine": name, **figures}
    print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    return row


@contextmanager
def eager(bench: Bench) -> Iterator[Run]:
    network = bench.graph.to("cuda")
    try:
        yield lambda hu: on_gpu(network, hu)
    finally:
        bench.graph.to("cpu")


@contextmanager
def mixed(bench: Bench, *, compiled: bool = False) -> Iterator[Run]:
    graph = bench.graph.to("cuda", memory_format=torch.channels_last)  # type: ignore[call-overload]
    network = torch.compile(graph, dynamic=False) if compiled else graph

    def run(hu: Batch) -> Batch:
        with torch.autocast("cuda", torch.bfloat16):
            return on_gpu(network, hu)

    try:
        yield run
    finally:
        bench.graph.to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]


@contextmanager
def engine(bench: Bench, name: str, precision: str) -> Iterator[Run]:
    with create_engine(bench.models[precision], name, "cuda") as opened:
        yield lambda hu: opened.infer(hu, SPACING)


OPENERS: dict[str, Callable[[Bench], Any]] = {
    "tensorrt fp16": lambda bench: engine(bench, "tensorrt", "fp16"),
    "onnxruntime fp16": lambda bench: engine(bench, "onnxruntime", "fp16"),
    "torch eager bf16": mixed,
    "torch.compile bf16": lambda bench: mixed(bench, compiled=True),
    "torch eager fp32": eager,
    "onnxruntime fp32": lambda bench: engine(bench, "onnxruntime", "fp32"),
    "tensorrt fp32": lambda bench: engine(bench, "tensorrt", "fp32"),
}


@torch.inference_mode()
def on_gpu(network: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], hu: Batch) -> Batch:
    spacing = torch.tensor([SPACING], device="cuda")
    return network(torch.from_numpy(hu).to("cuda"), spacing).float().cpu().numpy()


def end_to_end(bench: Bench) -> dict[str, Any]:
    """Run over files in memory with the engine that `auto` takes on the GPU."""
    from rgan_sdk.dicom.synthetic.sample import write_sample_series
    from rgan_sdk.run.directory import harmonize_directory
    from rgan_sdk.run.options import RunOptions

    with ExitStack() as stack:
        try:
            opened = create_engine(bench.models["fp16"], "auto", "cuda")
        except RganError as exc:
            return {"missing": str(exc)}
        harmonizer = stack.enter_context(Harmonizer(opened, None, ("spacing",)))
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm")))
        write_sample_series(root / "scan", KERNEL, slices=SLICES)
        count = multiply(root / "scan", root / "in", series=SERIES, stacked=STACKED)
        hu = bench.hu[: harmonizer.batch_size, 0]
        inference = bench.row(
            lambda batch: harmonizer(batch[:, 0], pixel_spacing=SPACING)[:, None], len(hu)
        )
        start = time.perf_counter()
        report = harmonize_directory(
            root / "in", root / "out", harmonizer, RunOptions(durable=False, outside_domain=DOMAINS)
        )
        seconds = time.perf_counter() - start
        done = report.summary["files"]["done"]
        return {
            "engine": opened.description,
            "batch": harmonizer.batch_size,
            "slices": count,
            "done": done,
            "slices_per_s": round(done / seconds, 2),
            "inference_slices_per_s": inference["slices_per_s"],
            "share_of_inference": round(done / seconds / inference["slices_per_s"], 3),
            "stages_s": {stage: round(busy, 2) for stage, busy in report.stages.items()},
            "passed_over": opened.passed_over,
        }


def flops_per_pixel(graph: HarmonizationGraph) -> float:
    """Count multiplications and additions of the convolutions, of a slice that is computed once."""
    size = 8 * graph.multiple
    with FlopCounterMode(display=False) as counter:
        graph(torch.zeros(1, 1, size, size), torch.tensor([SPACING]))
    return float(counter.get_total_flops() / size**2)


def matmul_rate(size: int = 8192) -> float:
    """Return the operations per second of a float16 matrix product of random data."""
    a, b = (torch.randn(size, size, device="cuda", dtype=torch.float16) for _ in range(2))
    times = []
    for _ in range(23):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(5):
            a @ b
        torch.cuda.synchronize()
        times.append((time.perf_counter() - start) / 5)
    return 2 * size**3 / statistics.median(times[3:])


def environment() -> dict[str, Any]:
    versions = {}
    for name in ("torch", "tensorrt", "cuda-bindings", "numpy"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "absent"
    return {
        "gpus": [device.name for device in cuda.devices()],
        "python": platform.python_version(),
        "onnxruntime": import_onnxruntime().__version__,  # another distribution may be there too
        **versions,
    }


if __name__ == "__main__":
    sys.exit(main())
