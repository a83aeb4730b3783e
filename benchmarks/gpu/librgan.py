"""Compare librgan on CUDA with Python on CUDA and on the CPU, with the packaged models.

    python benchmarks/gpu/librgan.py --json benchmarks/results/gpu-librgan.json

Rates are slices of 512x512 per second from host array to host array, the median of repeated calls,
interleaved. Python fills each batch up to its size, 32 on a large card, so that a slice has the
same bits in every batch. Correctness columns: the deviation in HU from the CPU, and whether librgan
gives the bits that Python gives slice by slice.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import rgan_sdk as rgan
from rgan_sdk.engines import cuda
from rgan_sdk.model import HarmonizationModel, packaged_models
from rgan_sdk.phantom import synthetic_slices

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from support.librgan import Engine, Model

SLICES, SPACING, ROUNDS, SECONDS = 16, 0.7, 2, 4.0

Stack = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    rows = [compare(name) for name in packaged_models()]
    found = {"gpu": cuda.devices()[0].name, "rows": rows}
    print(json.dumps(found, indent=1))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


def compare(name: str) -> dict[str, Any]:
    """Return the figures of one model."""
    hu = np.stack(list(synthetic_slices("B40f", SLICES)))
    with (
        Model(HarmonizationModel.open(name).content) as model,
        Engine(model, device=b"cuda") as library,
        rgan.Harmonizer.load(name, engine="onnxruntime", device="cuda") as python,
        rgan.Harmonizer.load(name, engine="onnxruntime", device="cpu") as cpu,
    ):

        def one_by_one() -> Stack:
            return np.concatenate(
                [python(hu[i : i + 1], pixel_spacing=SPACING) for i in range(SLICES)]
            )

        out = library.harmonize(hu, SPACING)
        error = np.abs(out - cpu(hu, pixel_spacing=SPACING))
        ways: dict[str, Callable[[], object]] = {
            "librgan": lambda: library.harmonize(hu, SPACING, out=out),
            "python, slice by slice": one_by_one,
            "python, batches": lambda: python(hu, pixel_spacing=SPACING),
        }
        same_bits = bool(np.array_equal(out, one_by_one()))
        rates = [{way: rate(run) for way, run in ways.items()} for _ in range(ROUNDS)]
        return {
            "model": name,
            "engine": library.description,
            "max_hu": float(error.max()),
            "p999_hu": float(np.percentile(error, 99.9)),
            "bits_of_python": same_bits,
            "slices_per_s": {way: round(max(each[way] for each in rates), 1) for way in ways},
        }


def rate(run: Callable[[], object]) -> float:
    """Return slices per second: the median of calls for some seconds, after one that warms up."""
    run()
    times, start = [], time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        before = time.perf_counter()
        run()
        times.append(time.perf_counter() - before)
    return SLICES / statistics.median(times)


if __name__ == "__main__":
    main()
