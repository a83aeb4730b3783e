"""Compare the CPU time of two versions of this project: reading, and the identity pipeline.

    python benchmarks/e2e/versions.py OTHER --scans .data/pair_lungdx_A0002_siemens/B40f \
        --json benchmarks/results/versions.json

OTHER is a second checkout, such as one of an earlier commit, in which `make demo` has installed
that version. Its own copy of this script measures it: names may differ between versions. The scan
is copied to memory (/dev/shm) as four series, each with ten times its slices. In each of 15 rounds
both versions read all slices to HU with one thread, and harmonize them with the identity engine,
not durable. Each task runs in a process of its own, after a first run that is not measured.
Reported are the CPU time of all threads per slice, and in each round the ratio of the other
version's time to this one's: above 1, this version is faster.
Correctness column: whether both have read the same HU, or written the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from copies import multiply

ROUNDS, REPEATS, BATCH = 15, 3, 8
SERIES, STACKED = 4, 10
TASKS = ("read", "pipeline")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("other", type=Path, help="checkout of the other version")
    parser.add_argument("--scans", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    script = Path(__file__).resolve()
    other = options.other.resolve()
    commands = {
        "this": [sys.executable, script],
        "other": [other / ".venv/bin/python", other / script.relative_to(script.parents[2])],
    }
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        root = Path(name)
        slices = multiply(options.scans, root / "in", series=SERIES, stacked=STACKED)
        found: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for number in range(ROUNDS):
            turn = list(commands) if number % 2 else list(reversed(commands))
            for task in TASKS:
                for which in turn:
                    one = measure(commands[which], task, root)
                    found.setdefault((task, which), []).append(one)
    rows = [row(task, found, slices) for task in TASKS]
    for each in rows:
        print(each)
    if options.json:
        result = {"slices": slices, "rounds": ROUNDS, "rows": rows, "environment": environment()}
        options.json.write_text(json.dumps(result, indent=1) + "\n")


def measure(script: list[str | Path], task: str, root: Path) -> dict[str, Any]:
    """Run one task in a process of its own."""
    command = [*script, "--task", task, root]
    fixed = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=fixed)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def row(
    task: str, found: dict[tuple[str, str], list[dict[str, Any]]], slices: int
) -> dict[str, Any]:
    this, other = (found[task, which] for which in ("this", "other"))
    ratios = [b["cpu"] / a["cpu"] for a, b in zip(this, other, strict=True)]
    return {
        "task": task,
        "this_cpu_us_per_slice": round(statistics.median(a["cpu"] for a in this) / slices * 1e6, 1),
        "other_cpu_us_per_slice": round(
            statistics.median(b["cpu"] for b in other) / slices * 1e6, 1
        ),
        "other_over_this": round(statistics.median(ratios), 3),
        "smallest": round(min(ratios), 3),
        "largest": round(max(ratios), 3),
        "equal": len({one["digest"] for one in (*this, *other)}) == 1,
    }


def environment() -> dict[str, str]:
    return {
        "rgan-sdk": metadata.version("rgan-sdk"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": str(os.cpu_count()),
    }


def perform(task: str, root: Path) -> dict[str, Any]:
    """Do a task some times over; return its mean CPU time and a digest of what it gave."""
    run = read if task == "read" else harmonize
    run(root)
    cpu, digest = 0.0, ""
    for _ in range(REPEATS):
        seconds, digest = run(root)
        cpu += seconds / REPEATS
    return {"cpu": cpu, "digest": digest}


def read(root: Path) -> tuple[float, str]:
    from rgan_sdk.dicom.inventory import find_series
    from rgan_sdk.dicom.read.batches import BatchReader

    digest, hu, cpu = hashlib.sha256(), np.empty((BATCH, 512, 512), np.float32), 0.0
    reader = BatchReader(1)
    for series in find_series(root / "in").series:
        for start in range(0, len(series.slices), BATCH):
            files = series.slices[start : start + BATCH]
            begun = time.process_time()
            reader.read(files, hu[: len(files)])
            cpu += time.process_time() - begun
            digest.update(hu[: len(files)].tobytes())
    return cpu, digest.hexdigest()


def harmonize(root: Path) -> tuple[float, str]:
    from rgan_sdk.harmonizer import Harmonizer
    from rgan_sdk.run.directory import harmonize_directory
    from rgan_sdk.run.options import RunOptions

    out = root / "out"
    with Harmonizer.load("b40f-to-b70f", engine="identity", batch_size=BATCH) as harmonizer:
        begun = time.process_time()
        harmonize_directory(root / "in", out, harmonizer, RunOptions(durable=False))
        cpu = time.process_time() - begun
    digest = hashlib.sha256()
    for path in sorted(out.rglob("*.dcm")):
        digest.update(path.read_bytes())
    shutil.rmtree(out)
    return cpu, digest.hexdigest()


if __name__ == "__main__":
    if sys.argv[1] == "--task":
        print(json.dumps(perform(sys.argv[2], Path(sys.argv[3]))))
    else:
        main()
