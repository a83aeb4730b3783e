"""Check the headers of harmonized DICOM files against their sources.

    PYTHONPATH=tests python benchmarks/quality/written_headers.py \
        --source SCANS/B40f --harmonized FOLDER

Counts `dciodvfy` errors that a written file has and its source has not, and attributes of
geometry, patient, study and pixel format that differ. Needs dciodvfy (Debian: dicom3tools).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from pydicom import dcmread
from support.conformance import UNCHANGED, dciodvfy_errors

from rgan_sdk.dicom.inventory import find_series


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--harmonized", type=Path, required=True)
    options = parser.parse_args()
    sources = {
        file.sop_instance_uid: file.path
        for series in find_series(options.source).series
        for file in series.slices
    }
    errors: Counter[str] = Counter()
    differing: Counter[str] = Counter()
    written = sorted(options.harmonized.rglob("*.dcm"))
    for path in written:
        new = dcmread(path, stop_before_pixels=True)
        source = sources.pop(new.SourceImageSequence[0].ReferencedSOPInstanceUID)
        errors.update(dciodvfy_errors(path) - dciodvfy_errors(source))
        old = dcmread(source, stop_before_pixels=True)
        differing.update(keyword for keyword in UNCHANGED if old.get(keyword) != new.get(keyword))
    print(f"{len(written)} files, {len(sources)} sources without a file")
    print(f"dciodvfy errors that the source has not: {errors.total()} {dict(errors)}")
    print(f"differing of {len(UNCHANGED)} kept attributes: {differing.total()} {dict(differing)}")
    if not written or sources or errors or differing:
        sys.exit(1)


if __name__ == "__main__":
    main()
