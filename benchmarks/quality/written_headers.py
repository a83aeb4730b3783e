"""Check the headers of harmonized DICOM files against their sources.

    python benchmarks/quality/written_headers.py --source SCANS/B40f --harmonized FOLDER

Counts `dciodvfy` errors that a written file has and its source has not, and attributes of
geometry, patient and study that differ. Needs dciodvfy (Debian package dicom3tools).
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pydicom

KEPT = [
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "ReferringPhysicianName",
    "FrameOfReferenceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "SliceLocation",
    "InstanceNumber",
    "AcquisitionNumber",
    "PatientPosition",
    "Rows",
    "Columns",
    "ConvolutionKernel",
    "RescaleSlope",
    "RescaleIntercept",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--harmonized", type=Path, required=True)
    options = parser.parse_args()
    sources = {
        pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID: path
        for path in options.source.rglob("*.dcm")
    }
    errors: Counter[str] = Counter()
    differing: Counter[str] = Counter()
    written = sorted(options.harmonized.rglob("*.dcm"))
    for path in written:
        new = pydicom.dcmread(path, stop_before_pixels=True)
        source = sources.pop(new.SourceImageSequence[0].ReferencedSOPInstanceUID)
        errors.update(dciodvfy_errors(path) - dciodvfy_errors(source))
        old = pydicom.dcmread(source, stop_before_pixels=True)
        differing.update(keyword for keyword in KEPT if old.get(keyword) != new.get(keyword))
    print(f"{len(written)} files, {len(sources)} sources without a file")
    print(f"dciodvfy errors that the source has not: {errors.total()} {dict(errors)}")
    print(f"differing of {len(KEPT)} kept attributes: {differing.total()} {dict(differing)}")
    if not written or sources or errors or differing:
        sys.exit(1)


def dciodvfy_errors(path: Path) -> Counter[str]:
    done = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False)
    return Counter(re.findall(r"^Error.*$", done.stdout + done.stderr, re.MULTILINE))


if __name__ == "__main__":
    main()
