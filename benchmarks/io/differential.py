"""Count what the native reader does with files: the same bits as pydicom, or handed back.

    python benchmarks/io/differential.py

All files of the data sets in .data/ (docs/data.md), and 2,000 generated slices in all encodings
(tests/support/variants.py). A slice that is read natively and differs in one bit, or in one
attribute of its header, stops the script; tests/rgan_sdk/dicom/read/test_native.py checks the same.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from support.native import check_file
from support.requirements import data_root
from support.variants import write_variant

VARIANTS = 2000


def main() -> None:
    warnings.filterwarnings("ignore")  # of pydicom, on odd values
    for folder in sorted(path for path in data_root().iterdir() if path.is_dir()):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        print(folder.name, dict(Counter(check_file(path) for path in files)))
    with tempfile.TemporaryDirectory() as name:
        paths = (write_variant(Path(name) / f"{number}.dcm", number) for number in range(VARIANTS))
        print("generated", dict(Counter(check_file(path) for path in paths)))


if __name__ == "__main__":
    main()
