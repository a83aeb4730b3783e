"""What `bench` says that a run takes, beside what it takes; and what larger archives would take.

    python benchmarks/scale/deployment.py --scans .data/pair_lungdx_A0002_siemens/B40f \
        --json benchmarks/results/deployment.json

`bench` measures one series, as docs/deploy.md tells its readers to. Then a folder of many copies
of that series, each with UIDs of its own, is harmonized by `run`, and each file that it writes is
compared with what a harmonizer computes of the source.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

import rgan_sdk as rgan
from rgan_sdk.cores import usable_cores

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
from copies import multiply

PROGRAM = Path(sys.executable).with_name("rgan-harmonize")
MODEL = "b40f-to-b70f"
ARCHIVES = (1_000, 100_000, 270_000)
SLICES_PER_SERIES = 150


def bench(scans: Path, folder: Path) -> dict[str, Any]:
    """Return what `bench` measures on a scan."""
    result = folder / "bench.json"
    execute("bench", scans, "--model", MODEL, "--json", result)
    measured: dict[str, Any] = json.loads(result.read_text())
    return measured


def execute(*arguments: str | Path) -> None:
    """Run ``rgan-harmonize``."""
    subprocess.run([PROGRAM, *arguments], check=True, stdout=subprocess.DEVNULL)


def count_equal(source: Path, out: Path) -> int:
    """Return how many of the written slices hold what a harmonizer computes of their source."""
    sources = {}
    for path in source.rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        sources[str(dataset.SOPInstanceUID)] = dataset
    equal = 0
    with rgan.Harmonizer.load(MODEL) as harmonizer:
        for path in out.glob("[0-9]*/*.dcm"):
            written = pydicom.dcmread(path)
            uid = str(written.SourceImageSequence[0].ReferencedSOPInstanceUID)
            before = sources.pop(uid)
            slope, intercept = float(before.RescaleSlope), float(before.RescaleIntercept)
            hu = (before.pixel_array.astype(np.float64) * slope + intercept).astype(np.float32)
            spacing = sum(map(float, before.PixelSpacing)) / 2
            after = harmonizer(hu, pixel_spacing=spacing).astype(np.float64)
            low = -(1 << (before.BitsStored - 1)) if before.PixelRepresentation else 0
            high = low + (1 << before.BitsStored) - 1
            wanted = np.clip(np.rint((after - intercept) / slope), low, high)
            equal += bool(np.array_equal(written.pixel_array, wanted))
    return equal


def main() -> None:
    """Measure, run, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scans", type=Path, required=True)
    parser.add_argument("--series", type=int, default=40)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        slices = multiply(options.scans, folder / "in", series=options.series)
        measured = bench(options.scans, folder)
        start = time.perf_counter()
        execute("run", folder / "in", folder / "out", "--model", MODEL)
        seconds = time.perf_counter() - start
        equal = count_equal(folder / "in", folder / "out")
    rate = measured["slices_per_second"]["end_to_end"]
    summary = {
        "slices": slices,
        "bench_slices_per_second": rate,
        "predicted_seconds": round(slices / rate, 1),
        "run_seconds": round(seconds, 1),
        "run_over_predicted": round(seconds * rate / slices, 2),
        "slices_equal": equal,
        "hours_by_series": {
            str(count): round(count * SLICES_PER_SERIES * seconds / slices / 3600, 1)
            for count in ARCHIVES
        },
        "environment": {
            "rgan-sdk": rgan.__version__,
            "python": platform.python_version(),
            "cores": usable_cores(),
            "engine": measured["engine"],
        },
    }
    print(json.dumps(summary, indent=1))
    if options.json:
        options.json.write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
