r"""Compare one and two Ray workers on this machine, with a packaged model on the CPU.

    python benchmarks/scale/ray_workers.py --json benchmarks/results/ray-workers.json

Synthetic series go through `harmonize_directory` in turn with one worker, with two, and without Ray
(one process, as many threads as cores). Ray is started and the model is opened before the clock
runs; how long that takes is a column of its own. CPU seconds are those of all processes, Ray's
own among them, for each slice.

A machine whose cores are shared with others does not give two processes twice of what it gives one.
So a loop that only counts runs once in one process and once in two, right before each round: what
two get there is the most that two workers can get.
Correctness column: whether all files are, byte for byte, those of the run without Ray.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib import metadata
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import ray

import rgan_sdk as rgan
from rgan_sdk.dicom.synthetic.sample import write_sample_series

MODEL = "b40f-to-b70f"
SPIN_SECONDS = 3.0
GATE = 1.5
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=8)
    parser.add_argument("--slices", type=int, default=20, help="of each series")
    parser.add_argument("--size", type=int, default=512, help="rows and columns")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.environ.update(SOURCE_DATE_EPOCH="1700000000", RAY_USAGE_STATS_ENABLED="0")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for number in range(options.series):
            target = root / "in" / str(number)
            write_sample_series(
                target, "B40f", slices=options.slices, size=options.size, seed=number
            )
        result = compare(root, options.series * options.slices, options.rounds)
    for row in result["rows"]:
        print(row)
    print(f"a loop that counts: two processes get {result['spin_ratio']} of what one gets")
    print(f"two workers: {result['ratio']} times the pace of one (gate: {GATE} or more)")
    if options.json:
        settings = ("series", "slices", "size", "rounds")
        result["settings"] = {name: getattr(options, name) for name in settings}
        result["environment"] = environment()
        options.json.write_text(json.dumps(result, indent=1) + "\n")


def compare(root: Path, slices: int, rounds: int) -> dict[str, Any]:
    """Run all ways in turn, and what the machine gives, so many times."""
    ways = {"without Ray": None, "1 worker": 1, "2 workers": 2}
    measured: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
    spins = []
    expected = None
    for number in range(rounds):
        spins.append(spin(2) / spin(1))
        order = list(ways.items())
        for name, workers in order if number % 2 == 0 else reversed(order):
            measured[name].append(measure(root, workers, slices))
        for name in ways:
            files = measured[name][-1].pop("files")
            expected = expected or files
            measured[name][-1]["equal"] = files == expected
    ratios = paces(measured["2 workers"], measured["1 worker"])
    return {
        "rows": [row(name, measured) for name in ways],
        "ratio": round(statistics.median(ratios), 2),
        "ratios": [round(one, 2) for one in ratios],
        "spin_ratio": round(statistics.median(spins), 2),
        "spin_ratios": [round(one, 2) for one in spins],
    }


def paces(mine: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> list[float]:
    """Return how many times faster one way was than another, in each round."""
    return [b["seconds"] / a["seconds"] for a, b in zip(mine, theirs, strict=True)]


def measure(root: Path, workers: int | None, slices: int) -> dict[str, Any]:
    """Run once; return times, CPU seconds and the files that were written."""
    out, begun = root / "out", time.perf_counter()
    with connected(workers), open_model(workers) as (first, *others):
        opened, cpu = time.perf_counter(), cpu_seconds()
        report = rgan.harmonize_directory(root / "in", out, first, others=others)
        seconds, cpu = time.perf_counter() - opened, cpu_seconds() - cpu
    assert report.summary["files"]["done"] == slices, report.summary
    files = {path.relative_to(out): path.read_bytes() for path in out.rglob("*.dcm")}
    shutil.rmtree(out)
    return {
        "start": opened - begun,
        "seconds": seconds,
        "slices_per_s": slices / seconds,
        "cpu_ms_per_slice": 1000 * cpu / slices,
        "files": files,
    }


@contextmanager
def connected(workers: int | None) -> Iterator[None]:
    """Start Ray with as many cores as there are to be workers."""
    if workers is None:
        yield
        return
    ray.init(
        "local",
        num_cpus=workers,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    try:
        yield
    finally:
        ray.shutdown()


def open_model(workers: int | None) -> AbstractContextManager[Sequence[rgan.Harmonizer]]:
    """Open the model here, or on the workers of the cluster that this program is connected to."""
    model = rgan.CohortModel.load(
        MODEL, engine="onnxruntime", devices=("cpu",), ray=None if workers is None else "local"
    )
    return model.open()


def cpu_seconds() -> float:
    """Return the CPU time of this process and of all that it has started, so far."""
    parents, seconds = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        pid = int(path.parent.name)
        parents[pid], seconds[pid] = int(fields[1]), sum(map(int, fields[11:15])) / TICKS

    def is_ours(pid: int) -> bool:
        while pid in parents and pid != os.getpid():
            pid = parents[pid]
        return pid == os.getpid()

    return sum(spent for pid, spent in seconds.items() if is_ours(pid))


def spin(processes: int) -> int:
    """Return how far a loop counts in some seconds, in all processes together."""
    context = multiprocessing.get_context("spawn")
    barrier, counts = context.Barrier(processes), context.SimpleQueue()
    started = [context.Process(target=count, args=(barrier, counts)) for _ in range(processes)]
    for process in started:
        process.start()
    total: int = sum(counts.get() for _ in started)
    for process in started:
        process.join()
    return total


def count(barrier: Barrier, counts: SimpleQueue[int]) -> None:
    barrier.wait()
    counted, end = 0, time.perf_counter() + SPIN_SECONDS
    while time.perf_counter() < end:
        counted += 1
    counts.put(counted)


def row(name: str, measured: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return one line of the table."""

    def median(field: str) -> float:
        return float(statistics.median(one[field] for one in measured[name]))

    ratios = paces(measured[name], measured["1 worker"])
    return {
        "way": name,
        "slices_per_s": round(median("slices_per_s"), 2),
        "times_one_worker": round(statistics.median(ratios), 2),
        "cpu_ms_per_slice": round(median("cpu_ms_per_slice"), 1),
        "start_s": round(median("start"), 1),
        "bytes_equal": all(one["equal"] for one in measured[name]),
    }


def environment() -> dict[str, str]:
    """Return the versions that a figure may depend on."""
    names = ("rgan-sdk", "onnxruntime", "ray", "numpy")
    return {
        **{name: metadata.version(name) for name in names},
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }


if __name__ == "__main__":
    main()
