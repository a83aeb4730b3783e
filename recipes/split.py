"""Assign each patient to one part: split.py PAIRS.csv SOURCE TARGET WORK.

Writes WORK/split.csv: all pairs of the patients that train, and one pair of each of the others. And
for each patient of the test a list of its own, WORK/test/PATIENT.csv; lists of an earlier split are
removed. split.csv comes last, so that it stands for all of them.
"""

import sys
from dataclasses import replace
from pathlib import Path

from rgan_sdk.errors import RganError
from rgan_train.pairs import read_pairs
from rgan_train.pairs.csv import write_pairs
from rgan_train.pairs.splits import split_patients


def main(listed: str, source: str, target: str, work: str) -> None:
    """Write the lists."""
    wanted = {source.casefold(), target.casefold()}
    pairs = [
        pair
        for pair in read_pairs(Path(listed))
        if {pair.kernel_a.casefold(), pair.kernel_b.casefold()} == wanted
    ]
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
