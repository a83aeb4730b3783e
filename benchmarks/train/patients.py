"""Many simulated patients with two kernels each, as files of real size: input of benchmarks.

A few synthetic scans are written once. A patient is one of them, its rows and columns moved on by
numbers of its own, with a patient number, UIDs and a pixel spacing of its own. So all files differ.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pydicom
from numpy.typing import NDArray

from rgan_sdk.dicom.synthetic.sample import write_sample_series

KERNELS = ("B70f", "B40f")
SCANS = 4
ROOT_UID = "1.2.826.0.1.3680043.8.498.2222222222"


class Template(NamedTuple):
    """A slice file with places for numbers in its header, and its pixels at the end."""

    header: bytes
    stored: NDArray[np.uint16]


def make_patients(folder: Path, patients: int, slices: int, size: int = 512) -> None:
    """Write ``patients`` scans of ``slices`` slices with both kernels, each in its own folder."""
    for scan in range(min(SCANS, patients)):
        for number, kernel in enumerate(KERNELS):
            templates = _read_templates(folder / "templates", kernel, slices, size, scan)
            for patient in range(scan, patients, SCANS):
                target = folder / "patients" / f"{patient:04d}" / kernel
                target.mkdir(parents=True)
                for index, template in enumerate(templates):
                    content = _content(template, patient, number, index)
                    (target / f"{index:04d}.dcm").write_bytes(content)


def _read_templates(folder: Path, kernel: str, slices: int, size: int, seed: int) -> list[Template]:
    """Write a synthetic series, and return its slices."""
    paths = write_sample_series(
        folder / f"{seed}-{kernel}", kernel, slices=slices, size=size, seed=seed
    )
    return [_template(path) for path in paths]


def _template(path: Path) -> Template:
    dataset = pydicom.dcmread(path)
    stored = dataset.pixel_array.copy()
    dataset.PatientID = "P0000000"
    dataset.StudyInstanceUID = f"{ROOT_UID}.6000000"
    dataset.FrameOfReferenceUID = f"{ROOT_UID}.7000000"
    dataset.SeriesInstanceUID = f"{ROOT_UID}.8000000.1"
    dataset.SOPInstanceUID = f"{ROOT_UID}.9000000.1.10000"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.PixelSpacing = ["0.0000000", "0.0000000"]
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return Template(buffer.getvalue()[: -stored.nbytes], stored)


def _content(template: Template, patient: int, series: int, index: int) -> bytes:
    """Return the file of a patient."""
    header = template.header
    spacing = b"%.7f" % (0.6 + 0.3 * (patient * 7 % 100) / 100)
    for old, new in (
        (b"P0000000", b"P%07d" % patient),
        (b".6000000", b".6%06d" % patient),
        (b".7000000", b".7%06d" % patient),
        (b".8000000.1", b".8%06d.%d" % (patient, series + 1)),
        (b".9000000.1.10000", b".9%06d.%d.1%04d" % (patient, series + 1, index)),
        (b"0.0000000", spacing),
    ):
        header = header.replace(old, new)
    moved = np.roll(template.stored, (5 * patient, 3 * patient), (0, 1))
    return header + moved.tobytes()
