"""Harmonize many slices, and watch the memory: it must not grow with the number of series.

    python benchmarks/e2e/long_run.py --scans .data/pair_lungdx_A0002_siemens/B40f \
        --series 400 --json benchmarks/results/long-run.json --plot docs/images/memory.png

The scan is copied into many series with UIDs of their own, in memory (/dev/shm), and run with the
identity engine in batches of 8, not durable. Memory is what the process holds (RSS), ten times a
second.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import threading
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from copies import multiply

from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.run.directory import harmonize_directory
from rgan_sdk.run.observer import SilentObserver
from rgan_sdk.run.options import RunOptions

INTERVAL = 0.1


class Watch(SilentObserver):
    """Notes the process's memory and the slices that were written, ten times a second."""

    def __init__(self) -> None:
        self.slices = 0
        self.points: list[tuple[float, int, float]] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def on_written(self, slices: int) -> None:
        """Count."""
        self.slices += slices

    def stop(self) -> None:
        """End the watch."""
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        start = time.monotonic()
        while not self._done.wait(INTERVAL):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            memory = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
            self.points.append((time.monotonic() - start, self.slices, memory))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scans", type=Path, required=True)
    parser.add_argument("--series", type=int, default=400)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        root = Path(name)
        slices = multiply(options.scans, root / "in", series=options.series)
        with Harmonizer.load("b40f-to-b70f", engine="identity", batch_size=8) as harmonizer:
            watch, start = Watch(), time.monotonic()
            report = harmonize_directory(
                root / "in", root / "out", harmonizer, RunOptions(durable=False), observer=watch
            )
            seconds = time.monotonic() - start
            watch.stop()
        assert report.summary["files"]["done"] == slices
    result = summary(watch, options.series, slices, seconds, report.stages)
    print(json.dumps(result, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    if options.plot:
        plot(watch, options.plot)


def summary(
    watch: Watch, series: int, slices: int, seconds: float, stages: dict[str, Any]
) -> dict[str, Any]:
    """Return what the run took; memory at a tenth, at half and at the end of the slices."""
    during = [(done, memory) for _, done, memory in watch.points if done > 0]
    at = {
        f"memory_mib_at_{share}_percent": round(
            next(memory for done, memory in during if done >= slices * share / 100)
        )
        for share in (10, 50, 90)
    }
    return {
        "series": series,
        "slices": slices,
        "seconds": round(seconds, 1),
        "slices_per_second": round(slices / seconds),
        **at,
        "memory_mib_peak": round(max(memory for _, _, memory in watch.points)),
        "busy_seconds": stages,
        "environment": {
            **{name: metadata.version(name) for name in ("rgan-sdk", "numpy", "pydicom")},
            "python": platform.python_version(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, files in memory",
        },
    }


def plot(watch: Watch, path: Path) -> None:
    """Draw memory against slices."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots()
    _, slices, memory = zip(*watch.points, strict=True)
    axes.plot(slices, memory, color="#2b6cb0")
    axes.set(xlabel="slices written", ylabel="memory of the process, MiB", ylim=(0, None))
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
