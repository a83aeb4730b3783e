"""Pack trained models into a few tar files that are small enough to carry.

    python benchmarks/gpu/pack.py runs/spacing OUT

Models and their records come first, in the order in which they were finished; then the logs of all
runs; then the best weights of runs that were trained but not exported.
"""

from __future__ import annotations

import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

LARGEST, FILES = 15 << 20, 6
"""Bytes of a tar file, and how many of them."""

HEADER = 1024
"""Bytes of a tar file for each file in it, with its padding."""


def main() -> None:
    work, out = map(Path, sys.argv[1:])
    out.mkdir(parents=True, exist_ok=True)
    boxes: list[list[Path]] = [[] for _ in range(FILES)]
    room = [LARGEST] * FILES
    for path in wanted(work):
        size = path.stat().st_size + HEADER
        place = next((number for number, left in enumerate(room) if left >= size), None)
        if place is None:
            print(f"no room left for {path}")
            continue
        boxes[place].append(path)
        room[place] -= size
    for number, paths in enumerate(boxes, 1):
        if paths:
            with tarfile.open(out / f"models-{number}.tar", "w") as tar:
                for path in paths:
                    tar.add(path)


def wanted(work: Path) -> Iterator[Path]:
    """Yield what is to be packed, the most important first."""
    models = sorted((work / "models").glob("[!.]*"), key=lambda path: path.stat().st_mtime)
    yield from models
    yield from sorted(work.glob("runs/*/metrics.jsonl"))
    exported = {path.name.removesuffix(".onnx") for path in models if path.suffix == ".onnx"}
    for path in models:
        name = path.name.removesuffix(".json")
        if path.suffix == ".json" and name not in exported:
            best = json.loads(path.read_text())["best_checkpoint"]
            run = work / "runs" / name
            yield from (file for file in sorted(run.iterdir()) if file.is_file())
            yield from sorted((run / "checkpoints" / best).glob("generator*"))
            yield from sorted((run / "checkpoints" / best).glob("state.json"))


if __name__ == "__main__":
    main()
