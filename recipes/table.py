"""Put the reports of single patients together: table.py REPORTS PATIENTS.csv FEATURES.csv.

REPORTS has a list PATIENT.csv beside each report PATIENT/. A report without one is of an earlier
split and does not count.

PATIENTS.csv has a row for each patient and method: ``input`` is the source as it is, ``model`` what
the model makes of it. ``reproducible`` is the share of the features, over all groups of regions,
whose CCC with the target is above 0.85.

FEATURES.csv has a row for each group of regions, method and feature: in how many patients its CCC
is above 0.85, and how many patients have such regions.

Prints the median of each figure over the patients, the smallest and the largest, and how many
features have a CCC above 0.85 in at least 90 % of the patients. It is an error if a listed patient
has no report; the tables are of the others then.
"""

import csv
import json
import math
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

FIGURES = ("psnr_db", "ssim", "mae_hu", "reproducible")
THRESHOLD, SHARE = 0.85, 0.9
PATIENT_COLUMNS = ("patient", "method", "slices", *FIGURES)
FEATURE_COLUMNS = ("group", "method", "feature", "reproducible_in", "patients")


def read_patient(report: Path) -> Iterator[dict[str, Any]]:
    """Yield the row of each method of one patient."""
    results = json.loads((report / "results.json").read_text(encoding="utf-8"))
    for method in results["methods"]:
        counts = [
            one["reproducible"][str(THRESHOLD)]
            for one in results["agreement"]
            if one["method"] == method
        ]
        defined = sum(one["total"] for one in counts)
        quality = results["quality"][method]
        yield {
            "patient": report.name,
            "method": method,
            "slices": results["slices"],
            **{name: quality[name]["mean"] for name in FIGURES[:3]},
            "reproducible": sum(one["features"] for one in counts) / defined if defined else None,
        }


def count_features(reports: Iterable[Path], methods: Collection[str]) -> list[dict[str, Any]]:
    """Return how often each feature is reproducible; where it has no CCC, it is not."""
    patients: Counter[tuple[str, str, str]] = Counter()
    reproducible: Counter[tuple[str, str, str]] = Counter()
    for report in reports:
        with (report / "agreement.csv").open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                key = row["group"], row["method"], row["feature"]
                if row["method"] in methods:
                    patients[key] += 1
                    reproducible[key] += float(row["ccc"] or 0) > THRESHOLD
    return [
        dict(zip(FEATURE_COLUMNS, (*key, reproducible[key], count), strict=True))
        for key, count in patients.items()
    ]


def write(rows: Iterable[dict[str, Any]], columns: Sequence[str], path: str) -> None:
    """Write a table, and print where it is."""
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    print(path)


def print_figures(rows: Sequence[dict[str, Any]], listed: int) -> None:
    """Print what is typical of the patients."""
    for method in dict.fromkeys(row["method"] for row in rows):
        for figure in FIGURES:
            found = [row[figure] for row in rows if row["method"] == method]
            values = [value for value in found if value is not None]
            middle, *ends = (f(values or [math.nan]) for f in (statistics.median, min, max))
            print(
                f"{method}, {figure}: {middle:.4g} ({ends[0]:.4g} to {ends[1]:.4g}), "
                f"{len(values)} of {listed} patients"
            )


def print_features(rows: Sequence[dict[str, Any]], listed: int) -> None:
    """Print how many features are reproducible in nearly all patients."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["group"], row["method"]].append(row)
    for (group, method), found in groups.items():
        often = sum(row["reproducible_in"] >= SHARE * row["patients"] for row in found)
        print(
            f"{method}, {group}: {often:,} of {len(found):,} features have a CCC above {THRESHOLD} "
            f"in at least {SHARE:.0%} of the patients ({found[0]['patients']} of {listed} patients)"
        )


def main(folder: str, patients: str, features: str) -> None:
    """Write the tables, and print what they say."""
    listed = sorted(path.with_suffix("") for path in Path(folder).glob("*.csv"))
    reports = [path for path in listed if (path / "report.html").exists()]
    rows = [row for path in reports for row in read_patient(path)]
    counts = count_features(reports, {row["method"] for row in rows})
    print_figures(rows, len(listed))
    print_features(counts, len(listed))
    write(rows, PATIENT_COLUMNS, patients)
    write(counts, FEATURE_COLUMNS, features)
    if missing := [path.name for path in listed if path not in reports]:
        sys.exit(
            f"Error: {len(missing)} of {len(listed)} patients have no report: "
            f"{', '.join(missing)}. The messages above say why; the same command tries them again"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
