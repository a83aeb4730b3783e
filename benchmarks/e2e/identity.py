"""Compare the CPU time of whole pipelines that compute nothing: read, convert, convert back, write.

    python benchmarks/e2e/identity.py --scans .data/pair_lungdx_A0002_siemens/B40f \
        --json benchmarks/results/identity-pipeline.json

The scan is copied to memory (/dev/shm): four series of ten times its slices each. `rgan-harmonize
run` with the identity engine, not durable, takes turns with a loop over the files in pydicom
(dcmread, pixel_array, float32 HU, round, clamp, set header and pixels, save_as), and with the same
in SimpleITK, which cannot write back all elements that it reads: those of text are copied. A loop
that only copies the files shows what nothing can go below. Reported is the CPU time of all threads
for each slice, and its ratio to ours in the same round.
Correctness column: whether all stored values that were written are the source's.

Needs SimpleITK: pip install -c constraints.txt --group bench.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK
from copies import multiply
from pydicom.uid import generate_uid

from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.run.directory import harmonize_directory
from rgan_sdk.run.options import RunOptions

SERIES, STACKED, ROUNDS = 4, 10, 5
GATES = {"pydicom loop": 6.0, "SimpleITK loop": 9.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scans", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        root = Path(name)
        slices = multiply(options.scans, root / "in", series=SERIES, stacked=STACKED)
        with Harmonizer.load("b40f-to-b70f", engine="identity", batch_size=8) as harmonizer:
            rows = compare(root, slices, harmonizer)
    for row in rows:
        print(row)
    for row in rows:
        if gate := GATES.get(row["pipeline"]):
            ratio = row["times_ours"]
            print(f"{row['pipeline']}: {ratio} times the CPU time of ours (gate: {gate} or more)")
    if options.json:
        result = {"slices": slices, "rounds": ROUNDS, "rows": rows, "environment": environment()}
        options.json.write_text(json.dumps(result, indent=1) + "\n")


def compare(root: Path, slices: int, harmonizer: Harmonizer) -> list[dict[str, Any]]:
    """Run all pipelines in turn; return a row of each, ours first."""
    source = root / "in"
    expected = fingerprints(source)

    def ours(out: Path) -> None:
        report = harmonize_directory(source, out, harmonizer, RunOptions(durable=False))
        assert report.summary["files"]["done"] == slices

    pipelines: dict[str, Callable[[Path], None]] = {
        "rgan-harmonize, identity": ours,
        "pydicom loop": lambda out: loop(source, out, by_pydicom),
        "SimpleITK loop": lambda out: loop(source, out, by_simpleitk),
        "bytes copied": lambda out: loop(source, out, by_copying),
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in pipelines}
    equal = dict.fromkeys(pipelines, True)
    for _ in range(ROUNDS):
        for name, pipeline in pipelines.items():
            out = root / "out"
            take_memory(root / "taken", slices)
            cpu, wall = time.process_time(), time.perf_counter()
            pipeline(out)
            seconds[name].append((time.process_time() - cpu, time.perf_counter() - wall))
            equal[name] &= fingerprints(out) == expected
            shutil.rmtree(out)
    return [row(name, seconds, slices, equal[name]) for name in pipelines]


def take_memory(path: Path, slices: int) -> None:
    """Write as much as a pipeline will, and remove it.

    A virtual machine gives free memory back to its host, and whoever writes next pays for getting
    it again.
    """
    block = bytes(2**20)
    with path.open("wb") as file:
        for _ in range(slices):
            file.write(block)
    path.unlink()


def row(name: str, seconds: dict[str, Any], slices: int, equal: bool) -> dict[str, Any]:
    """Return one line of the table."""
    base = seconds["rgan-harmonize, identity"]
    ratios = [mine[0] / ours[0] for mine, ours in zip(seconds[name], base, strict=True)]
    return {
        "pipeline": name,
        "cpu_us_per_slice": round(statistics.median(t[0] for t in seconds[name]) / slices * 1e6),
        "wall_us_per_slice": round(statistics.median(t[1] for t in seconds[name]) / slices * 1e6),
        "times_ours": round(statistics.median(ratios), 2),
        "smallest": round(min(ratios), 2),
        "largest": round(max(ratios), 2),
        "stored_values_equal": equal,
    }


def loop(source: Path, out: Path, convert: Callable[[Path, Path], None]) -> None:
    """Convert file by file."""
    out.mkdir()
    for index, path in enumerate(sorted(source.rglob("*.dcm"))):
        convert(path, out / f"{index:05d}.dcm")


def by_copying(path: Path, target: Path) -> None:
    target.write_bytes(path.read_bytes())


def by_pydicom(path: Path, target: Path) -> None:
    dataset = pydicom.dcmread(path)
    slope, intercept = float(dataset.RescaleSlope), float(dataset.RescaleIntercept)
    hu = (dataset.pixel_array * slope + intercept).astype(np.float32)
    stored = np.clip(np.rint((hu - intercept) / slope), 0, 4095).astype(np.uint16)
    dataset.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    dataset.SeriesInstanceUID = "1.2.3"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.SeriesDescription = "harmonized"
    dataset.DerivationDescription = "harmonized"
    dataset.PixelData = stored.tobytes()
    dataset.save_as(target)


def by_simpleitk(path: Path, target: Path) -> None:
    image = SimpleITK.ReadImage(str(path))
    hu = SimpleITK.GetArrayFromImage(image).astype(np.float32)
    stored = np.clip(np.rint(hu), -1024, 3071).astype(np.int16)
    derived = SimpleITK.GetImageFromArray(stored)
    derived.CopyInformation(image)
    for key in image.GetMetaDataKeys():
        if key[:4] in ("0008", "0010", "0018", "0020"):
            derived.SetMetaData(key, image.GetMetaData(key))
    derived.SetMetaData("0008|0008", "DERIVED\\SECONDARY\\AXIAL")
    derived.SetMetaData("0008|103e", "harmonized")
    writer = SimpleITK.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.SetFileName(str(target))
    writer.Execute(derived)


def fingerprints(folder: Path) -> list[bytes]:
    """Return a hash of the HU of each slice of a folder, in order of the hashes."""
    found = []
    for path in folder.rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        hu = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
        found.append(hashlib.sha256(hu.astype(np.float32).tobytes()).digest())
    return sorted(found)


def environment() -> dict[str, str]:
    """Return the versions that a figure may depend on."""
    names = ("rgan-sdk", "numpy", "pydicom", "SimpleITK")
    return {
        **{name: metadata.version(name) for name in names},
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, files in memory",
    }


if __name__ == "__main__":
    main()
