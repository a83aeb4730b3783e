"""Pack trained models into a few tar files that are small enough to carry.

    python benchmarks/gpu/pack.py runs/spacing OUT

Models and their records come first, in the order in which they were finished; then the logs of all
runs; then runs without a model, with their checkpoints: they can be continued elsewhere.
"""

from __future__ import annotations

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
    for paths in wanted(work):
        size = sum(path.stat().st_size + HEADER for path in paths)
        place = next((number for number, left in enumerate(room) if left >= size), None)
        if place is None:
            print(f"no room left for {paths[0]} and {len(paths) - 1} more")
            continue
        boxes[place] += paths
        room[place] -= size
    for number, paths in enumerate(boxes, 1):
        if paths:
            with tarfile.open(out / f"models-{number}.tar", "w") as tar:
                for path in paths:
                    tar.add(path)


def wanted(work: Path) -> Iterator[list[Path]]:
    """Yield what is to be packed, the most important first; what belongs together in one list."""
    models = sorted((work / "models").glob("[!.]*"), key=lambda path: path.stat().st_mtime)
    yield from ([path] for path in models if path.stat().st_size > 0)  # empty: kept elsewhere
    yield from ([path] for path in sorted(work.glob("runs/*/metrics.jsonl")))
    exported = {path.name.removesuffix(".onnx") for path in models if path.suffix == ".onnx"}
    for run in sorted((work / "runs").glob("*")):
        if run.name not in exported:
            files = sorted(path for path in run.rglob("*") if path.is_file())
            yield [path for path in files if "tensorboard" not in path.parts]


if __name__ == "__main__":
    main()
