"""What ONNX Runtime's settings for CUDA do to speed, memory and HU of the full VGG-19 generator.

    python benchmarks/gpu/ort_probe.py

fp16 and fp32, each with TF32 on and off, channels first and last, and two ways to choose a
convolution algorithm; batches of 8 and 32. Slices per second are the best of several runs with
input and output on the device. HU are compared with PyTorch in float32 on the CPU.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from engines import Bench

from rgan_sdk.engines import cuda
from rgan_sdk.engines.cuda_libraries import preload_libraries
from rgan_sdk.engines.onnxruntime import FATAL, import_onnxruntime

BATCHES, RUNS, COMPARED = (8, 32), 6, 4


class Settings(NamedTuple):
    """One combination to measure."""

    precision: str
    tf32: str
    nhwc: str
    search: str


COMBINATIONS = (
    *(Settings("fp16", tf32, nhwc, "EXHAUSTIVE") for tf32, nhwc in product("01", "10")),
    Settings("fp16", "1", "1", "HEURISTIC"),
    *(Settings("fp32", tf32, nhwc, "EXHAUSTIVE") for tf32, nhwc in product("01", "01")),
    Settings("fp32", "0", "0", "HEURISTIC"),
)


def main() -> int:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    if missing := cuda.why_no_device():
        print(f"missing: {missing}", file=sys.stderr)
        return 1
    ort = import_onnxruntime()
    ort.set_default_logger_severity(FATAL)
    preload_libraries()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), float("inf"))
        for settings in COMBINATIONS:
            try:
                measure(ort, bench, settings)
            except Exception as exc:  # whatever is wrong with one, the others are measured
                print(*settings, "FAILED", str(exc)[:300], flush=True)
    return 0


def measure(ort: Any, bench: Bench, settings: Settings) -> None:
    start = time.perf_counter()
    session = open_session(ort, bench.models[settings.precision].content, settings)
    opened = time.perf_counter() - start
    for count in BATCHES:
        first, best, out = run(ort, session, bench.hu[:count])
        error = np.abs(out[:COMPARED] - bench.expected)
        print(
            f"{' '.join(settings)} batch {count}: {count / best:.0f}/s, first {first:.1f} s, "
            f"open {opened:.1f} s, max {error.max():.3f} p99.9 "
            f"{np.percentile(error, 99.9):.4f} HU, free {torch.cuda.mem_get_info()[0] >> 20} MiB",
            flush=True,
        )


def open_session(ort: Any, content: bytes, settings: Settings) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = FATAL
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    provider = {
        "device_id": "0",
        "use_tf32": settings.tf32,
        "prefer_nhwc": settings.nhwc,
        "cudnn_conv_algo_search": settings.search,
        "arena_extend_strategy": "kSameAsRequested",
    }
    providers = [("CUDAExecutionProvider", provider)]
    return ort.InferenceSession(content, options, providers=providers, enable_fallback=0)


def run(ort: Any, session: Any, hu: np.ndarray[Any, Any]) -> tuple[float, float, Any]:
    """Return the seconds of the first run and of the best of the others, and the output."""
    source = ort.OrtValue.ortvalue_from_numpy(hu, "cuda", 0)
    target = ort.OrtValue.ortvalue_from_shape_and_type(list(hu.shape), np.float32, "cuda", 0)
    binding = session.io_binding()
    binding.bind_ortvalue_input(session.get_inputs()[0].name, source)
    spacing = ort.OrtValue.ortvalue_from_numpy(np.array([0.65], np.float32), "cuda", 0)
    binding.bind_ortvalue_input(session.get_inputs()[1].name, spacing)
    binding.bind_ortvalue_output(session.get_outputs()[0].name, target)
    times = []
    for _ in range(1 + RUNS):
        start = time.perf_counter()
        session.run_with_iobinding(binding)
        times.append(time.perf_counter() - start)
    return times[0], min(times[1:]), target.numpy()


if __name__ == "__main__":
    sys.exit(main())
