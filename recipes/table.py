"""Put the reports of single patients into one table: table.py REPORTS TABLE.csv.

REPORTS has a list PATIENT.csv beside each report PATIENT/. A report without one is of an earlier
split and does not count.

A row for each patient and method: ``input`` is the source as it is, ``model`` what the model makes
of it. ``reproducible`` is the share of the features, over all groups of regions, whose CCC with the
target is above 0.85. Prints the median of each figure over the patients, the smallest and the
largest.
"""

import csv
import json
import math
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FIGURES = ("psnr_db", "ssim", "mae_hu", "reproducible")


def read(results: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of one patient."""
    report = json.loads(results.read_text(encoding="utf-8"))
    for method in report["methods"]:
        counts = [
            one["reproducible"]["0.85"] for one in report["agreement"] if one["method"] == method
        ]
        defined = sum(one["total"] for one in counts)
        quality = report["quality"][method]
        yield {
            "patient": results.parent.name,
            "method": method,
            "slices": report["slices"],
            **{name: quality[name]["mean"] for name in FIGURES[:3]},
            "reproducible": sum(one["features"] for one in counts) / defined if defined else None,
        }


def main(reports: str, table: str) -> None:
    """Write the table, and print what is typical."""
    listed = {path.stem for path in Path(reports).glob("*.csv")}
    found = sorted(Path(reports).glob("*/results.json"))
    rows = [row for path in found if path.parent.name in listed for row in read(path)]
    with Path(table).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    for method in dict.fromkeys(row["method"] for row in rows):
        for figure in FIGURES:
            found = [row[figure] for row in rows if row["method"] == method]
            values = [value for value in found if value is not None] or [math.nan]
            print(
                f"{method}, {figure}: {statistics.median(values):.4g} "
                f"({min(values):.4g} to {max(values):.4g}), {len(found)} patients"
            )
    print(table)


if __name__ == "__main__":
    main(*sys.argv[1:])
