"""Plan and report a million slices, beside the bare native scan of their headers.

    python benchmarks/scale/planning.py --data .data --work runs/million \
        --json benchmarks/results/planning.json

The slices have the headers of real scans of three makers, with UIDs and positions of their own, and matrices of
4x4 pixels. They lie in a tmpfs that the script mounts on an empty folder (as root) and unmounts at the end, so that
no disk is measured. Each measurement is a process of its own, and they take turns.

- `bare`: list the files, and read each header with the native core, on all cores. Nothing is kept.
- `plan`: scan and plan: each file sorted into its series, and each series given to the model or left aside.
- `report`: the same, the report of each file and the work list of all series, both written to files.
"""  # noqa: E501

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pydicom
from pydicom.uid import ExplicitVRLittleEndian

import rgan_sdk
from rgan_sdk import _core
from rgan_sdk.cores import usable_cores

SCANS = (
    "pair_lungdx_A0002_siemens/B70f",
    "lidc_idri_0001_ge_standard",
    "pair_philips_headphantom_step2/UB",
)
MODEL, KERNEL = "b70f-to-b40f", "B70f"
PER_SERIES, SERIES_PER_PATIENT, CHUNK = 150, 3, 2048
ROOT_UID = "1.2.826.0.1.3680043.8.498.1111111111"
MEASURES = ("bare", "plan", "report")


def template(scan: Path) -> bytes:
    """Return a slice of a scan with a tiny matrix, and places for numbers in its UIDs."""
    found = (path for path in sorted(scan.iterdir()) if pydicom.misc.is_dicom(path))
    dataset = pydicom.dcmread(next(found))
    dataset.Rows = dataset.Columns = 4
    dataset.PixelData = bytes(2 * 4 * 4)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.PatientID = "P0000000"
    dataset.StudyInstanceUID = f"{ROOT_UID}.7000000"
    dataset.SeriesInstanceUID = f"{ROOT_UID}.8000000"
    dataset.SOPInstanceUID = f"{ROOT_UID}.9000000.10000"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.ImagePositionPatient = ["-150", "-150", "99999.5"]
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def build(data: Path, folder: Path, slices: int) -> dict[str, int]:
    """Write the slices; return how many files and series there are, and series of the kernel."""
    templates = [template(data / scan) for scan in SCANS]
    left, series, of_kernel = slices, 0, 0
    while left:
        patient = series // SERIES_PER_PATIENT
        which = series % len(SCANS)
        target = folder / f"site-{patient % 7}" / f"patient-{patient:06d}" / f"series-{series:07d}"
        target.mkdir(parents=True)
        slice_file = templates[which]
        for old, new in (
            (b"P0000000", b"P%07d" % patient),
            (b".7000000", b".7%06d" % patient),
            (b".8000000", b".8%06d" % series),
            (b".9000000", b".9%06d" % series),
        ):
            slice_file = slice_file.replace(old, new)
        count = min(PER_SERIES, left)
        for index in range(count):
            own = slice_file.replace(b".10000", b".1%04d" % index)
            own = own.replace(b"99999.5", b"%07.1f" % (1.25 * index))
            (target / f"IM-0001-{index:04d}.dcm").write_bytes(own)
        left -= count
        series += 1
        of_kernel += SCANS[which].endswith(KERNEL)
    return {"files": slices, "series": series, f"series of {KERNEL}": of_kernel}


def list_files(folder: Path) -> Iterator[bytes]:
    """Yield the files below a folder in any order."""
    folders = [os.fsencode(folder)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    yield entry.path


def scan_bare(folder: Path) -> dict[str, int]:
    """Read each header and forget it."""
    pool, files = _core.ThreadPool(usable_cores()), 0
    paths = list(list_files(folder))
    for start in range(0, len(paths), CHUNK):
        heads = _core.scan(paths[start : start + CHUNK], pool)
        files += sum(head.problem is None for head in heads)
    return {"files": files}


def plan(folder: Path, *, reported: bool) -> dict[str, int]:
    """Plan a run, and perhaps write its report and its work list to temporary files."""
    from rgan_sdk.model import HarmonizationModel
    from rgan_sdk.run.choosing.candidates import Candidate
    from rgan_sdk.run.ledger import Ledger
    from rgan_sdk.run.planning import make_plan
    from rgan_sdk.run.state.identity import run_timestamp
    from rgan_sdk.run.worklist import ListedSeries, WorkList

    made = make_plan(folder, [Candidate(MODEL, HarmonizationModel.open(MODEL).card)])
    if not reported:
        return {
            "files": sum(len(one.slices) for one in made.inventory.series),
            "series": len(made.inventory.series),
            f"series of {KERNEL}": len(made.chosen),
        }
    ledger = Ledger(made)
    for series in made.chosen:
        ledger.record(series, "planned")
    with tempfile.TemporaryDirectory() as name:
        ledger.report.write(Path(name, "report.json"))
        rows = tuple(ListedSeries.of(one, folder, [MODEL]) for one in made.inventory.series)
        WorkList(Path(name, "list.csv"), folder, run_timestamp(), rows).write()
    return {
        "files": len(ledger.report.files),
        "series": len(ledger.report.series),
        f"series of {KERNEL}": len(made.chosen),
    }


def measure(what: str, folder: Path) -> None:
    """Print what one measurement took."""
    import rgan_sdk.run.directory  # noqa: F401 (loading the program is no part of it)

    start, begun = time.perf_counter(), time.process_time()
    found = scan_bare(folder) if what == "bare" else plan(folder, reported=what == "report")
    result = {
        "seconds": round(time.perf_counter() - start, 2),
        "cpu_seconds": round(time.process_time() - begun, 2),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        **found,
    }
    print(json.dumps(result))


def measure_in_turns(folder: Path, repeats: int) -> dict[str, list[dict[str, float]]]:
    """Return the measurements of each kind, one of each after the other."""
    results: dict[str, list[dict[str, float]]] = {what: [] for what in MEASURES}
    for _ in range(repeats):
        for what in MEASURES:
            command = [sys.executable, __file__, "--measure", what, "--work", str(folder)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            results[what].append(json.loads(done.stdout))
            print(what, results[what][-1], flush=True)
    return results


def summarize(
    results: dict[str, list[dict[str, float]]], expected: dict[str, int]
) -> dict[str, Any]:
    """Return medians, ratios to the bare scan of the same turn, and whether counts are right."""
    summary = {}
    for what, rows in results.items():
        ratios = [
            row["seconds"] / bare["seconds"]
            for row, bare in zip(rows, results["bare"], strict=True)
        ]
        counts = [{name: row[name] for name in expected if name in row} for row in rows]
        summary[what] = {
            "seconds": median(row["seconds"] for row in rows),
            "cpu_seconds": median(row["cpu_seconds"] for row in rows),
            "peak_mib": max(row["peak_mib"] for row in rows),
            "times_bare": [round(ratio, 2) for ratio in ratios],
            "all_found": all(row.items() <= expected.items() for row in counts),
        }
    return summary


def main() -> None:
    """Build the files, measure, and remove them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="an empty folder")
    parser.add_argument("--slices", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--measure", choices=MEASURES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure, options.work)
        return
    options.work.mkdir(parents=True, exist_ok=True)
    room = f"size={12 * options.slices // 1000}m,nr_inodes={2 * options.slices}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", room, "tmpfs", options.work], check=True)
    try:
        expected = build(options.data, options.work, options.slices)
        results = measure_in_turns(options.work, options.repeats)
    finally:
        subprocess.run(["umount", options.work], check=True)
    summary = {
        "slices": options.slices,
        **summarize(results, expected),
        "environment": {
            "rgan-sdk": rgan_sdk.__version__,
            "python": platform.python_version(),
            "cores": usable_cores(),
            "processor": platform.processor(),
        },
    }
    print(json.dumps(summary, indent=1))
    if options.json:
        options.json.write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
