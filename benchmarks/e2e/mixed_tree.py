"""A mixed folder of 600 files to one kernel, with kills, a model added on resume, and a check of each series.

    rgan-train match --source .data/lidc_idri_0001_ge_standard \
        --target .data/pair_lungdx_A0002_siemens/B40f -o runs/standard-to-b40f.onnx
    python benchmarks/e2e/mixed_tree.py --data .data --model runs/standard-to-b40f.onnx \
        --work runs/mixed-tree --json benchmarks/results/mixed-tree.json

The scans of docs/data.md lie in one tree, those with one series cut into shorter series with UIDs of their
own, beside documents, label maps and damaged files. It is scanned; run with the packaged model alone, and
killed; resumed with a matched model beside it, and killed; and resumed to the end. Another run takes the list
that the scan wrote, undisturbed. Then each series is compared with what its files say, read with pydicom.
"""  # noqa: E501

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.uid import generate_uid

import rgan_sdk as rgan

PROGRAM = Path(sys.executable).with_name("rgan-harmonize")
ENVIRONMENT = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000", "COLUMNS": "120"}
PACKAGED, TARGET, FILES = "b70f-to-b40f", "B40f", 600
CUT = {
    "pair_lungdx_A0002_siemens/B70f": 10,
    "pair_lungdx_A0002_siemens/B40f": 10,
    "lidc_idri_0001_ge_standard": 15,
    "pair_philips_headphantom_step2/UB": 14,
    "pair_philips_headphantom_step2/YA": 14,
}
"""Folders whose series is cut, and into how many slices."""
WHOLE = ("4d_lung_113_HM10395", "totalsegmentator_example", "ibsi_1_digital_phantom")
EXPECTED = {"B70f": PACKAGED, "STANDARD": "the matched model", "B40f": "copied"}
"""What is to become of the cut series, by kernel; all others are to be left aside."""

Sources = dict[str, list[pydicom.FileDataset]]
"""Data sets by SeriesInstanceUID."""


def build(data: Path, tree: Path) -> set[str]:
    """Write the tree; return the SeriesInstanceUIDs of the cut series."""
    uids: set[str] = set()
    for name, count in CUT.items():
        paths = [path for path in (data / name).rglob("*") if path.is_file()]
        slices = [pydicom.dcmread(path) for path in paths if pydicom.misc.is_dicom(path)]
        slices.sort(key=lambda one: float(one.ImagePositionPatient[2]))
        for index, dataset in enumerate(slices):
            part = index // count
            uid = generate_uid(entropy_srcs=[name, str(part)])
            dataset.SeriesInstanceUID = uid
            sop_uid = generate_uid(entropy_srcs=[uid, dataset.SOPInstanceUID])
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = sop_uid
            path = tree / name / f"part-{part}" / f"{index:03d}.dcm"
            path.parent.mkdir(parents=True, exist_ok=True)
            dataset.save_as(path)
            uids.add(uid)
        for path in paths:
            if not pydicom.misc.is_dicom(path):
                copy(path, data, tree)
    for name in (*WHOLE, *{Path(one).parts[0] for one in CUT}):
        for path in (data / name).rglob("*"):
            if not any(path.is_relative_to(data / one) for one in CUT):
                copy(path, data, tree)
    others = sorted(path for path in (data / "odd_and_malformed").rglob("*") if path.is_file())
    for path in others[: FILES - count_files(tree)]:
        copy(path, data, tree)
    return uids


def copy(path: Path, data: Path, tree: Path) -> None:
    """Copy a file to the same place in the tree."""
    if path.is_file():
        target = tree / path.relative_to(data)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def count_files(folder: Path) -> int:
    """Return how many files lie below a folder."""
    return sum(path.is_file() for path in folder.rglob("*"))


def series_in(out: Path) -> list[str]:
    """Return the folders of series in OUTPUT."""
    return [path.name for path in out.iterdir() if path.name[0].isdigit()] if out.exists() else []


def start(*arguments: object) -> subprocess.Popen[bytes]:
    """Start ``rgan-harmonize``."""
    return subprocess.Popen([PROGRAM, *map(str, arguments)], env=ENVIRONMENT)


def kill_at(process: subprocess.Popen[bytes], series: int, out: Path) -> int:
    """Kill a run as soon as so many series are in OUTPUT; return its exit status."""
    while process.poll() is None and len(series_in(out)) < series:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    return process.wait()


def contents(out: Path) -> dict[str, bytes]:
    """Return the files of all series in OUTPUT."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for name in series_in(out)
        for path in (out / name).iterdir()
    }


def read_sources(tree: Path, report: dict[str, Any]) -> Sources:
    """Return the data sets of the files with an outcome in a series, by SeriesInstanceUID."""
    wanted = {one["series_instance_uid"] for one in report["series"]}
    found: Sources = defaultdict(list)
    for file in report["files"]:
        try:
            dataset = pydicom.dcmread(tree / file["path"])
        except (pydicom.errors.InvalidDicomError, OSError):
            continue
        uid = str(dataset.get("SeriesInstanceUID"))
        if uid in wanted:
            dataset.outcome = file["status"]
            found[uid].append(dataset)
    return found


def check_files(tree: Path, report: dict[str, Any]) -> None:
    """Each file of the tree has one outcome."""
    paths = [one["path"] for one in report["files"]]
    found = {path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()}
    assert len(paths) == len(set(paths)) == len(found) == FILES
    assert set(paths) == found
    assert Counter(one["status"] for one in report["files"]) == Counter(report["summary"]["files"])


def check_series(
    entry: dict[str, Any],
    sources: list[pydicom.FileDataset],
    out: Path,
    harmonizers: dict[str, rgan.Harmonizer],
) -> str:
    """Compare a series in the report with its files; return what became of it."""
    if entry["status"] != "done":
        assert entry["reason"]
        assert entry["output"] is None
        return str(entry["status"])
    kernels = {str(source.ConvolutionKernel) for source in sources}
    assert kernels == {entry["convolution_kernel"]}
    assert len(sources) == entry["slices"]
    assert {source.outcome for source in sources} == {"done"}
    written = [pydicom.dcmread(path) for path in (out / entry["output"]).iterdir()]
    assert len(written) == len(sources)
    by_uid = {str(source.SOPInstanceUID): source for source in sources}
    if entry["processed"] is False:
        for path in (out / entry["output"]).iterdir():
            assert path.read_bytes() == Path(str(by_uid[path.stem].filename)).read_bytes()
        return "copied"
    for position, dataset in enumerate(written):
        source = by_uid.pop(str(dataset.SourceImageSequence[0].ReferencedSOPInstanceUID))
        told = dataset.DerivationDescription
        assert told.startswith(f"Harmonized from convolution kernel {source.ConvolutionKernel} ")
        assert f"to {TARGET} by" in told
        assert f"model {entry['model']} " in told
        for keyword in ("PatientID", "StudyInstanceUID", "FrameOfReferenceUID", "PixelSpacing"):
            assert dataset[keyword].value == source[keyword].value
        if position % 5 == 0:
            compare_pixels(source, dataset, harmonizers[entry["model"]])
    assert not by_uid
    return str(entry["model"])


def compare_pixels(
    source: pydicom.Dataset, written: pydicom.Dataset, harmonizer: rgan.Harmonizer
) -> None:
    """Compare a written slice, bit for bit, with what the arithmetic of docs says."""
    slope, intercept = float(source.RescaleSlope), float(source.RescaleIntercept)
    stored = source.pixel_array
    hu = (stored.astype(np.float64) * slope + intercept).astype(np.float32)
    harmonized = harmonizer(hu, pixel_spacing=sum(map(float, source.PixelSpacing)) / 2)
    padding = source.get("PixelPaddingValue")
    low = -(1 << (source.BitsStored - 1)) if source.PixelRepresentation else 0
    values = np.rint((harmonized.astype(np.float64) - intercept) / slope)
    wanted = np.clip(values, low, low + (1 << source.BitsStored) - 1).astype(stored.dtype)
    counts = np.ones(stored.shape, bool) if padding is None else stored != padding
    assert np.array_equal(written.pixel_array[counts & (wanted != padding)],
                          wanted[counts & (wanted != padding)])  # fmt: skip
    assert np.array_equal(written.pixel_array[~counts], stored[~counts])


def check_mapping(tree: Path, out: Path, entries: list[dict[str, Any]], sources: Sources) -> None:
    """``mapping.csv`` has one row for each series, with what became of it and where it lay."""
    columns = (
        *("source_series", "group", "output_series", "output_folder"),
        *("model", "outcome", "processed"),
    )
    with (out / "mapping.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    wanted = []
    for entry in entries:
        uid, output = entry["series_instance_uid"], entry["output"] or ""
        new = uid if entry["processed"] is False else output
        fate = (entry["model"] or "", entry["status"], str(bool(entry["processed"])).lower())
        wanted.append((uid, str(entry["group"]), new, output, *fate))
    assert sorted(tuple(row[name] for name in columns) for row in rows) == sorted(wanted)
    for row in rows:
        found = [Path(str(one.filename)) for one in sources[row["source_series"]]]
        assert found
        assert all(path.is_relative_to(tree / row["source_folder"]) for path in found), row


def check(
    tree: Path, out: Path, result: dict[str, Any], model: Path, cut: set[str]
) -> dict[str, Any]:
    """Compare each file and each series of a report with what is there; return counts."""
    check_files(tree, result)
    sources = read_sources(tree, result)
    check_mapping(tree, out, result["series"], sources)
    fates: Counter[tuple[str, str]] = Counter()
    with (
        rgan.Harmonizer.load(PACKAGED, engine="onnxruntime", device="cpu") as packaged,
        rgan.Harmonizer.load(model, engine="onnxruntime", device="cpu") as matched,
    ):
        harmonizers = {one.model.card.name: one for one in (packaged, matched)}
        names = {PACKAGED: PACKAGED, matched.model.card.name: "the matched model"}
        for entry in result["series"]:
            uid = entry["series_instance_uid"]
            fate = check_series(entry, sources[uid], out, harmonizers)
            fate, kernel = names.get(fate, fate), entry["convolution_kernel"]
            if uid in cut:
                assert fate == EXPECTED.get(kernel, "skipped"), (uid, kernel, fate)
            else:
                assert fate not in names.values() or kernel in EXPECTED, (uid, kernel, fate)
            fates[kernel or "none", fate] += 1
    lines = [json.loads(line) for line in (out / ".rgan" / "journal.jsonl").open()]
    assert [one["name"] for one in lines if one["kind"] == "model"] == [matched.model.card.name]
    assert len([one for one in lines if one["kind"] == "series"]) == len(series_in(out))

    return {
        "files": result["summary"]["files"],
        "series": result["summary"]["series"],
        "outcomes": [[*key, count] for key, count in sorted(fates.items())],
        "files in OUTPUT": len(contents(out)),
        "environment": result["environment"],
    }


def main() -> None:
    """Build, scan, run, kill, resume, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True, help="STANDARD to B40f")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    tree, out, whole = (options.work / name for name in ("tree", "out", "whole"))
    shutil.rmtree(options.work, ignore_errors=True)
    tree.mkdir(parents=True)
    cut = build(options.data, tree)
    listed, report = options.work / "worklist.csv", options.work / "report.json"
    both = ("--model", PACKAGED, "--model", options.model)
    cpu = ("--device", "cpu", "--engine", "onnxruntime")
    begun = time.monotonic()

    listing = ("--list", listed, "--report", options.work / "scan.json")
    assert start("scan", tree, *both, *listing).wait() == 0
    alone = (*both[:2], *cpu, "--include-target")
    killed = []
    for models, more in ((alone, 2), ((*both, *cpu, "--include-target"), 6)):
        position = len(series_in(out)) + more
        code = kill_at(start("run", tree, out, *models), position, out)
        assert code == -signal.SIGKILL
        killed.append(len(series_in(out)))
    code = start("run", tree, out, *both, *cpu, "--include-target", "--report", report).wait()
    assert code == 3, code  # the damaged files of the tree
    assert start("run", "--from", listed, whole, *cpu, "--include-target").wait() == 0
    assert contents(out) == contents(whole)

    summary = {
        "series in OUTPUT when killed": killed,
        **check(tree, out, json.loads(report.read_text()), options.model, cut),
        "seconds": round(time.monotonic() - begun),
        "processor": platform.processor(),
    }
    print(json.dumps(summary, indent=1))
    if options.json:
        options.json.write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
