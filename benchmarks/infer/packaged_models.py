"""Time the packaged models on this CPU, one 512x512 slice at a time.

    python benchmarks/infer/packaged_models.py --scans .data/pair_lungdx_A0002_siemens/B40f \
        --json benchmarks/results/packaged-models.json

The models take turns on the same real slice; a time is from host to host, padding and checks
included. Correctness column: whether all repeats gave the same bits.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from pathlib import Path

import numpy as np

from rgan_sdk.dicom.reader import read_slice
from rgan_sdk.dicom.series import find_series
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.model import packaged_models

REPEATS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scans", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    (series,) = find_series(options.scans).series
    hu = read_slice(series.slices[len(series.slices) // 2].path).hu
    harmonizers = {name: Harmonizer.load(name, device="cpu") for name in packaged_models()}
    seconds: dict[str, list[float]] = {name: [] for name in harmonizers}
    results: dict[str, set[bytes]] = {name: set() for name in harmonizers}
    for _ in range(REPEATS + 1):
        for name, harmonizer in harmonizers.items():
            start = time.perf_counter()
            out = harmonizer(hu)
            seconds[name].append(time.perf_counter() - start)
            results[name].add(out.tobytes())
    rows = {
        name: {
            "median_s": round(statistics.median(times[1:]), 4),
            "min_s": round(min(times[1:]), 4),
            "max_s": round(max(times[1:]), 4),
            "repeats_bit_equal": len(results[name]) == 1,
        }
        for name, times in seconds.items()
    }
    for name, row in rows.items():
        print(name, row)
    environment = {
        "cores": len(os.sched_getaffinity(0)),
        "machine": platform.machine(),
        "engine": next(iter(harmonizers.values())).engine.description,
        "numpy": np.__version__,
        "slice": list(hu.shape),
    }
    if options.json:
        options.json.write_text(json.dumps({"models": rows, "environment": environment}, indent=1))


if __name__ == "__main__":
    main()
