"""Lists of stable features, as ``rgan-train evaluate`` writes them."""

import csv
from pathlib import Path

from rgan_train.evaluation.features.stable import COLUMNS, HASH_DIGITS

GROUPS = ("whole slice", "[-100, 250] HU")


def write_stable_features(
    path: Path, sha256: str, features: dict[str, tuple[str, ...]], **facts: object
) -> Path:
    """Write a list of stable features; ``features`` says in which groups each one is stable."""
    common = {
        "method": "mine",
        "model_sha256": "ab" * 32,
        "ccc": 0.97,
        "ccc_low": 0.9,
        "ccc_high": 0.99,
        "slices": 8,
        "patients": 1,
        "exploratory": "yes",
        "extraction": sha256[:HASH_DIGITS],
        **facts,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for name, groups in features.items():
            everywhere = "yes" if set(groups) == set(GROUPS) else "no"
            for group in groups:
                row = {"feature": name, "group": group, "all_groups": everywhere}
                writer.writerow({**common, **row})
    return path
