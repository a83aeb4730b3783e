"""Draw docs/images/traits.png: `rgan-train traits` on real features and simulated labels.

    python benchmarks/quality/traits_demo.py runs/reproducibility/siemens_B40f-B70f/features.csv.gz

No labelled cohort is at hand. A "case" is a random region of soft tissue of one patient, and its
label says whether noise is stronger or weaker there than in the median region, on the target:
nothing that anybody would diagnose. It shows what the figure looks like, and no more.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

GROUP, LABEL_BY = "[-100, 250] HU", "original_firstorder_Variance"
VARIANTS = ("target", "input", "RadiomicGAN, to 2000 HU")
SHOWN = ("original_", "wavelet-HH_", "log-sigma-1-0-mm-3D_")
CASES = 24
PICTURE = Path("docs/images/traits.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("features", type=Path)
    options = parser.parse_args()
    with gzip.open(options.features, "rt") as file:
        rows = [row for row in csv.DictReader(file) if row["group"] == GROUP]
    by_variant = {name: [r for r in rows if r["variant"] == name][:CASES] for name in VARIANTS}
    noise = [float(row[LABEL_BY]) for row in by_variant["target"]]
    median = statistics.median(noise)
    labels = ["more noise" if value > median else "less noise" for value in noise]
    names = [name for name in rows[0] if name.startswith(SHOWN)]
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "features.csv")
        with table.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["case", "label", "variant", *names])
            for variant, cases in by_variant.items():
                for number, (label, row) in enumerate(zip(labels, cases, strict=True)):
                    writer.writerow([number, label, variant, *(row[name] for name in names)])
        program = Path(sys.executable).parent / "rgan-train"
        subprocess.run([program, "traits", table, "-o", folder], check=True)
        PICTURE.write_bytes(Path(folder, "traits.png").read_bytes())


if __name__ == "__main__":
    main()
