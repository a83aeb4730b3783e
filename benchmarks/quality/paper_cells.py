"""Cells of docs/results/paper.md: trained once, and measured by features too."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cells import Cell
from measured import Measured, Record
from methods import WORK, compute_missing, list_pairs
from processes import run_all
from stacks import Stack

from rgan_sdk.files import file_sha256
from rgan_train.evaluation.results import INPUT
from rgan_train.pairs.csv import read_pairs
from rgan_train.pairs.dataset import load_dataset
from rgan_train.pairs.samples import SliceReader

CELLS: Final = Path("docs/results/paper/cells")
FEATURES: Final = WORK / "features"


def read_cell(cell: Cell) -> dict[str, Any] | None:
    """Read a cell that is there and up to date."""
    if not cell.is_computed(CELLS):
        return None
    result: dict[str, Any] = json.loads((CELLS / f"{cell.name}.json").read_text())
    return result


def has_model(cell: Cell) -> bool:
    """Whether the model of a cell that is there is on this machine."""
    path, result = WORK / f"{cell.name}.onnx", read_cell(cell)
    if result is None or not path.exists():
        return False
    return bool(file_sha256(path) == result["model_sha256"])


def train_cells(cells: Sequence[Cell], plan: dict[str, Any], jobs: int) -> bool:
    """Train the cells that are missing, and those whose models are not on this machine.

    Returns whether all went well.
    """
    for cell in cells:
        if not has_model(cell):
            (CELLS / f"{cell.name}.json").unlink(missing_ok=True)
    return compute_missing(list(cells), plan, jobs, CELLS)


def record_of(cell: Cell, table: str) -> Record | None:
    """Return where the figures of a trained cell are kept."""
    result = read_cell(cell)
    if result is None:
        return None
    return Record(table, cell.name, {"model_sha256": result["model_sha256"]})


def is_measured(cell: Cell, table: str) -> bool:
    """Whether a cell is trained and measured."""
    record = record_of(cell, table)
    return record is not None and record.read() is not None


def compute_cells(cells: Sequence[Cell], table: str, plan: dict[str, Any], jobs: int) -> bool:
    """Train and measure the cells that are not measured yet; return whether all went well."""
    missing = [cell for cell in cells if not is_measured(cell, table)]
    ok = train_cells(missing, plan, jobs)
    lists = {name: list_pairs(name, pair["folder"]) for name, pair in plan["pairs"].items()}
    trained = [cell for cell in missing if has_model(cell)]
    return run_all(measure_cell, trained, jobs, table, lists) and ok


def measure_input(cells: Iterable[Cell], table: str, pairs_csv: Path) -> None:
    """Measure the source's slices that cells are tested on as they are, if that was not done."""

    def measure() -> Measured:
        stack = open_stack(cells, pairs_csv)
        return stack.measure(stack.source_hu)

    Record(table, INPUT, {}).fill(measure)


def measure_cell(cell: Cell, table: str, lists: Mapping[str, Path], threads: int) -> str:
    """Measure the model of a cell on the test slices; return what to say."""
    stack, record = open_stack([cell], lists[cell.pair]), record_of(cell, table)
    assert record is not None
    measured = stack.measure(stack.apply_model(WORK / f"{cell.name}.onnx"))
    record.write(measured)
    return measured.summary


def open_stack(cells: Iterable[Cell], pairs_csv: Path) -> Stack:
    """Read the slices that cells of one pair and direction are tested on, in order."""
    pairs, reader = read_pairs(pairs_csv), SliceReader(4096)
    tested = {
        item.position: item
        for cell in cells
        for item in load_dataset(pairs, cell.config().data).test
    }
    items = [tested[position] for position in sorted(tested)]
    return Stack([reader.read(item) for item in items], items[0].spacing, FEATURES)
