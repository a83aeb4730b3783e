"""Assign each patient to one part: split.py PAIRS.csv SOURCE TARGET WORK.

Writes WORK/split.csv: all pairs of the patients that train, and one pair of each of the others. And
for each patient of the test a list of its own, WORK/test/PATIENT.csv; lists of an earlier split are
removed. split.csv comes last, so that it stands for all of them.
"""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from rgan_sdk.errors import RganError, TrainingError
from rgan_train.pairs import Pair, read_pairs
from rgan_train.pairs.csv import write_pairs
from rgan_train.pairs.splits import MIN_PATIENTS, split_patients

MOST_KERNELS = 5
"""Kernels that a message names, the most frequent ones."""


def choose(listed: str, source: str, target: str) -> list[Pair]:
    """Return the pairs of two kernels.

    Raises
    ------
    TrainingError
        If there are none, or too few patients.
    """
    wanted = {source.casefold(), target.casefold()}
    found = read_pairs(Path(listed))
    pairs = [one for one in found if {one.kernel_a.casefold(), one.kernel_b.casefold()} == wanted]
    if not pairs:
        kernels = Counter(" and ".join(sorted((one.kernel_a, one.kernel_b))) for one in found)
        names = "; ".join(name for name, _ in kernels.most_common(MOST_KERNELS))
        raise TrainingError(
            f"{listed}: no pair has the kernels {source} and {target}; the most frequent kernels "
            f"there are {names}. Give scans with the kernels of the recipe"
        )
    patients = len({one.patient for one in pairs})
    if patients < MIN_PATIENTS:
        raise TrainingError(
            f"{listed}: {patients} patients have pairs of {source} and {target}, and a recipe "
            f"needs {MIN_PATIENTS}: to train on, to validate on and to test. Give scans of more "
            "patients"
        )
    return pairs


def main(listed: str, source: str, target: str, work: str) -> None:
    """Write the lists."""
    pairs = choose(listed, source, target)
    part_of = split_patients([pair.patient for pair in pairs])
    seen: set[str] = set()
    assigned = []
    for pair in pairs:
        part = part_of[pair.patient]
        if part == "train" or pair.patient not in seen:
            assigned.append(replace(pair, split=part))
        seen.add(pair.patient)
    tests = {
        Path(work, "test", f"{pair.patient}.csv"): pair for pair in assigned if pair.split == "test"
    }
    for earlier in set(Path(work, "test").glob("*.csv")) - set(tests):
        earlier.unlink()
    for path, pair in tests.items():
        write_pairs([pair], path)
    write_pairs(assigned, Path(work, "split.csv"))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except RganError as exc:
        sys.exit(f"Error: {exc}")
