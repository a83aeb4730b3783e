"""Folders as mercure hands them to a processing module, and what it would do with what comes back.

What is known of mercure here was read in its documentation and code: docs/containers.md says it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from pydicom import dcmread

from rgan_sdk.dicom.synthetic.sample import write_sample_series

PATIENT = "Doe^Jane"
SETTINGS = {"model": "b40f-to-b70f", "engine": "onnxruntime", "device": "cpu"}


def write_input(folder: Path, settings: object = SETTINGS) -> None:
    """Write ``task.json``; the folder may hold images already, or get them later."""
    folder.mkdir(parents=True, exist_ok=True)
    process = {"module_name": "rgan", "settings": settings, "retain_input_images": False}
    task = {"id": "task", "info": {"action": "both", "patient_name": PATIENT}, "process": process}
    (folder / "task.json").write_text(json.dumps(task))


def add_sample(folder: Path, kernel: str, seed: int, slices: int = 2) -> list[Path]:
    """Add a sample series to INPUT, in files that are named as mercure names them."""
    files = write_sample_series(folder / "new", kernel, slices=slices, size=64, seed=seed)
    added = [add_file(folder, path) for path in files]
    shutil.rmtree(folder / "new")
    return added


def add_file(folder: Path, path: Path) -> Path:
    """Add a file to INPUT, with the tags that mercure writes beside it."""
    header = dcmread(path, stop_before_pixels=True)
    target = folder / f"{header.SeriesInstanceUID}#{header.SOPInstanceUID}.dcm"
    shutil.copy(path, target)
    target.with_suffix(".tags").write_text(json.dumps({"PatientName": PATIENT}))
    return target


def images(folder: Path) -> dict[str, bytes]:
    """Return the images in OUTPUT by name, and check that nothing else is there to be sent."""
    found = {path.name: path for path in folder.iterdir()}
    assert found.pop("result.json").is_file()
    assert all(path.is_file() for path in found.values())
    for name, path in found.items():
        header = dcmread(path)
        assert name == f"{header.SeriesInstanceUID}#{header.SOPInstanceUID}.dcm"
        assert header.pixel_array.shape == (header.Rows, header.Columns)
    return {name: path.read_bytes() for name, path in found.items()}


def read_result(folder: Path) -> dict[str, Any]:
    """Return ``result.json``, in which mercure takes an object and nothing else."""
    text = (folder / "result.json").read_text()
    assert PATIENT not in text
    result = json.loads(text)
    assert isinstance(result, dict)
    return result
