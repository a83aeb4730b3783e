"""Compare ways from DICOM files to Hounsfield units, and to headers.

    python benchmarks/io/read.py --scans .data/pair_lungdx_A0002_siemens/B40f \
        --json benchmarks/results/dicom-read.json

All take turns on the same files, in rounds of random order, from a warm cache. Reported is the
time of each divided by that of the native reader in the same round: the median of the rounds,
smallest and largest. CPU time, but for two threads, which save wall time only. The gates are those
that the project has set itself. Correctness column: whether all HU are bit-equal to
float32(double(stored) * slope + intercept) of pydicom's stored values.

Needs SimpleITK and dicomsdl: pip install -c constraints.txt --group bench.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import dicomsdl
import numpy as np
import pydicom
import SimpleITK

from rgan_sdk import _core
from rgan_sdk.dicom.inventory import find_series

ROUNDS = 25
BATCH = 16
Reader = Callable[[Sequence[Path]], list[np.ndarray]]

# How many times the native reader's time each takes at least.
AT_LEAST = {"pydicom": 8.0, "SimpleITK": 15.0, "dicomsdl": 1.3, "pydicom, headers": 20.0}


def read_natively(threads: int, rows: int, columns: int, keep: bool = False) -> Reader:
    """Read in batches into a buffer that is used again, as the pipeline does."""
    pool = _core.ThreadPool(threads)
    buffer = np.empty((BATCH, rows, columns), np.float32)

    def read(paths: Sequence[Path]) -> list[np.ndarray]:
        images: list[np.ndarray] = []
        for start in range(0, len(paths), BATCH):
            files = [(os.fsencode(path), None) for path in paths[start : start + BATCH]]
            slices = _core.read_batch(files, buffer, pool)
            assert all(one.problem is None for one in slices)
            if keep:
                images += list(buffer[: len(files)].copy())
        return images

    return read


def spin(threads: int) -> float:
    """Return how many times as much two threads of this machine do at their best."""
    stored = np.zeros((512, 512), np.int16)

    def work() -> None:
        out = np.empty(stored.shape, np.float32)
        for _ in range(2000):
            _core.stored_to_hu(stored, 0.5, 1.0, out)

    def run(count: int) -> float:
        workers = [threading.Thread(target=work) for _ in range(count)]
        start = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return time.perf_counter() - start

    return threads * run(1) / run(threads)


def read_raw(paths: Sequence[Path]) -> list[np.ndarray]:
    buffer = bytearray(1 << 20)
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.readv(descriptor, [buffer])
        os.close(descriptor)
    return []


def to_hu(stored: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    """Convert in single precision and in place: exact for the whole numbers of this scan."""
    hu = stored.astype(np.float32)
    hu *= np.float32(slope)
    hu += np.float32(intercept)
    return hu


def read_pydicom(paths: Sequence[Path]) -> list[np.ndarray]:
    images = []
    for path in paths:
        dataset = pydicom.dcmread(path)
        images.append(to_hu(dataset.pixel_array, dataset.RescaleSlope, dataset.RescaleIntercept))
    return images


def read_simpleitk(paths: Sequence[Path]) -> list[np.ndarray]:
    images = [SimpleITK.ReadImage(str(path), SimpleITK.sitkFloat32) for path in paths]
    return [SimpleITK.GetArrayFromImage(image)[0] for image in images]


def read_dicomsdl(paths: Sequence[Path]) -> list[np.ndarray]:
    images = []
    for path in paths:
        dataset = dicomsdl.open(str(path))
        stored = dataset.pixelData(storedvalue=True)
        images.append(to_hu(stored, dataset.RescaleSlope, dataset.RescaleIntercept))
    return images


def scan_native(pool: _core.ThreadPool) -> Reader:
    def scan(paths: Sequence[Path]) -> list[np.ndarray]:
        heads = _core.scan([os.fsencode(path) for path in paths], pool)
        assert all(head.problem is None for head in heads)
        return []

    return scan


def scan_pydicom(paths: Sequence[Path]) -> list[np.ndarray]:
    for path in paths:
        pydicom.dcmread(path, stop_before_pixels=True)
    return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scans", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    (series,) = find_series(options.scans).series
    paths = [file.path for file in series.slices]
    size = series.rows, series.columns
    readers: dict[str, Reader] = {
        "native": read_natively(1, *size),
        "native, 2 threads": read_natively(2, *size),
        "raw read": read_raw,
        "dicomsdl": read_dicomsdl,
        "pydicom": read_pydicom,
        "SimpleITK": read_simpleitk,
        "native, headers": scan_native(_core.ThreadPool(1)),
        "pydicom, headers": scan_pydicom,
    }
    wanted = read_pydicom(paths)
    kept = {"native": read_natively(1, *size, keep=True)}
    kept["native, 2 threads"] = read_natively(2, *size, keep=True)
    equal = {name: check(read(paths), wanted) for name, read in (readers | kept).items()}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in readers}
    order, shuffled = list(readers), random.Random(0)  # noqa: S311
    for _ in range(ROUNDS):
        shuffled.shuffle(order)  # who comes first finds the files in no processor's cache
        for name in order:
            times[name].append(measure(readers[name], paths))
    rows = [row(name, times, len(paths), equal[name]) for name in readers]
    possible = spin(2)
    show(rows, possible)
    if options.json:
        result = {"slices": [len(paths), *size], "rounds": ROUNDS, "rows": rows}
        result |= {"two_threads_at_best": round(possible, 2), "environment": environment()}
        options.json.write_text(json.dumps(result, indent=1) + "\n")


def check(images: list[np.ndarray], wanted: list[np.ndarray]) -> bool | None:
    """Whether the images are bit-equal; None where there are none."""
    return all(map(np.array_equal, images, wanted)) if images else None


def measure(read: Reader, paths: Sequence[Path]) -> tuple[float, float]:
    """Return CPU and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    read(paths)
    return time.process_time() - cpu, time.perf_counter() - wall


def row(name: str, times: dict[str, Any], slices: int, equal: bool | None) -> dict[str, Any]:
    """Return one line of the table: ratios to the native way of the same kind, by CPU time."""
    base = "native, headers" if "headers" in name else "native"
    index = 1 if "threads" in name else 0  # threads save wall time, not CPU time
    ratios = [mine[index] / its[index] for mine, its in zip(times[name], times[base], strict=True)]
    return {
        "reader": name,
        "cpu_us_per_slice": round(statistics.median(t[0] for t in times[name]) / slices * 1e6, 1),
        "wall_us_per_slice": round(statistics.median(t[1] for t in times[name]) / slices * 1e6, 1),
        "times_the_native_reader": round(statistics.median(ratios), 2),
        "smallest": round(min(ratios), 2),
        "largest": round(max(ratios), 2),
        "bit_equal": equal,
    }


def show(rows: list[dict[str, Any]], possible: float) -> None:
    """Print the table, and how each gate stands."""
    for line in rows:
        print(line)
    ratio = {line["reader"]: line["times_the_native_reader"] for line in rows}
    for name, least in AT_LEAST.items():
        print(f"{name}: {ratio[name]} times the native reader (gate: {least} or more)")
    raw, two = 1 / ratio["raw read"], 1 / ratio["native, 2 threads"]
    print(f"native: {raw:.2f} times a raw read (gate: 1.6 or less)")
    print(f"two threads: {two:.2f} times as fast (gate: 1.6); {possible:.2f} at best here")


def environment() -> dict[str, str]:
    """Return the versions that a figure may depend on."""
    names = ("rgan-sdk", "numpy", "pydicom", "SimpleITK", "dicomsdl")
    return {
        **{name: metadata.version(name) for name in names},
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }


if __name__ == "__main__":
    main()
