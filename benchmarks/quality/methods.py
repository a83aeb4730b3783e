"""Make docs/results/methods.md: each method beside each other, on real pairs.

    python benchmarks/quality/methods.py                  # compute what is missing, then the tables
    python benchmarks/quality/methods.py --tables         # the tables from the cells that are there
    python benchmarks/quality/methods.py --only siemens   # cells whose name holds a word

Needs the scans of docs/data.md in .data/. Cells are files in docs/results/cells/; one that was
made with another configuration is computed anew. Runs are kept in runs/cells/.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from cells import MAIN, Cell, compute
from rich.progress import Progress
from tables import write_tables

HERE = Path(__file__).parent
PLAN = HERE / "methods.toml"
CONFIGURATIONS = Path("rgan_train/methods")
CELLS = Path("docs/results/cells")
PAGE = Path("docs/results/methods.md")
WORK = Path("runs/cells")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2, help="cells at a time, one thread each")
    parser.add_argument("--only", default="", help="only cells whose name holds this")
    parser.add_argument("--tables", action="store_true", help="compute nothing")
    options = parser.parse_args()
    plan = tomllib.loads(PLAN.read_text())
    cells, ok = plan_cells(plan), True
    if not options.tables:
        chosen = [cell for cell in cells if options.only in cell.name]
        ok = compute_missing(chosen, plan, options.jobs)
    write_tables(PAGE, CELLS, cells, plan)
    return 0 if ok else 1


def plan_cells(plan: dict[str, Any]) -> list[Cell]:
    """Return all cells of the plan, the first seed of each first."""
    cells = []
    for group in plan["group"].values():
        for pair, source, target in group["directions"]:
            split = plan["pairs"][pair].get("set", ())
            for row in group["rows"]:
                entry = plan["row"][row]
                base = plan["base"].get(entry.get("config"), ())
                seeds = group["seeds"] if entry.get("random", True) else [0]
                cells += [
                    Cell(
                        pair=pair,
                        source=source,
                        target=target,
                        row=row,
                        seed=seed,
                        base=CONFIGURATIONS / entry["config"] if "config" in entry else None,
                        settings=(*plan["set"], *base, *split, *entry.get("set", ())),
                        vgg_weights=Path(plan["vgg"]) if entry.get("vgg") else None,
                    )
                    for seed in seeds
                ]
    return sorted(dict.fromkeys(cells), key=lambda cell: cell.seed)


def compute_missing(
    cells: list[Cell], plan: dict[str, Any], jobs: int, folder: Path = CELLS
) -> bool:
    """Compute the cells that are not in the folder; return whether all went well.

    A failure is told, and the others go on.
    """
    WORK.mkdir(parents=True, exist_ok=True)
    missing, ok = [cell for cell in cells if not cell.is_computed(folder)], True
    lists = {name: list_pairs(name, pair["folder"]) for name, pair in plan["pairs"].items()}
    with Progress() as progress, ThreadPoolExecutor(jobs) as pool:
        task = progress.add_task(f"{len(missing)} of {len(cells)} cells", total=len(missing))
        pending = {pool.submit(compute, c, lists[c.pair], WORK, folder): c for c in missing}
        for done in as_completed(pending):
            progress.advance(task)
            error = done.exception()
            ok &= error is None
            progress.console.print(pending[done].name, f"failed: {error}" if error else "done")
    return ok


def list_pairs(name: str, folder: str) -> Path:
    """Write the list of pairs of a data set."""
    path = WORK / f"{name}.csv"
    subprocess.run([MAIN, "pair", folder, "-o", path], check=True, capture_output=True)
    return path


if __name__ == "__main__":
    sys.exit(main())
