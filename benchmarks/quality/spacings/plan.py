"""Which models there are, on which data, and where they are kept."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from cells import Cell
from resampled_pairs import write_resampled_pair

from rgan_sdk.errors import ConfigurationError
from rgan_train.config import config_from_tables
from rgan_train.pairs.csv import PairList, read_pairs, write_pairs
from rgan_train.pairs.find import find_pairs

PLAN = Path(__file__).parents[1] / "spacing.toml"
CONFIGURATIONS = Path("rgan_train/methods")
WORK = Path("runs/spacing")
RESULTS = Path("docs/results/spacing")

Plan = dict[str, Any]


def read_plan(settings: tuple[str, ...] = ()) -> Plan:
    """Return the plan; ``settings`` are ``table.key=value`` on top of each configuration."""
    return {**tomllib.loads(PLAN.read_text()), "last": settings}


def plan_cells(plan: Plan) -> list[Cell]:
    """Return all cells that are trained, in the order of the plan."""
    cells = []
    for group in plan["train"]:
        for kind in group["kinds"]:
            for row in group["rows"]:
                for source, target in directions(plan, group["pair"]):
                    cells += make_cells(plan, group["pair"], source, target, row, kind)
    return cells


def make_cells(plan: Plan, pair: str, source: str, target: str, row: str, kind: str) -> list[Cell]:
    """Return the cells of one row: one, or one for each spacing if they are ``alone``."""
    entry, native = plan["row"][row], plan["pairs"][pair]["spacings"][0]
    is_alone = kind == "alone"
    cell = Cell(
        pair=f"{pair}-reduced" if kind == "reduced" else pair,
        source=source,
        target=target,
        row=row if is_alone else f"{row}, aware",
        seed=0,
        base=CONFIGURATIONS / entry["config"],
        settings=(
            *plan["set"],
            *plan["pairs"][pair]["set"],
            *entry.get("set", ()),
            *(plan["alone"] if is_alone else plan["aware"]),
            *(entry["alone"] if is_alone else entry.get("aware", ())),
            *plan["last"],
        ),
        vgg_weights=Path(plan["vgg"]) if entry.get("vgg") else None,
    )
    if not is_alone:
        return [cell]
    spacings = plan["pairs"][pair]["spacings"]
    return [replace(cell, pair=data_name(pair, spacing, native)) for spacing in spacings]


def has_settings(tables: Any, cell: Cell) -> bool:
    """Whether a stored configuration is that of a cell; keys newer than it have their defaults."""
    try:
        return config_from_tables(tables) == cell.config()
    except ConfigurationError:
        return False


def directions(plan: Plan, pair: str) -> list[tuple[str, str]]:
    """Return source and target kernel, both ways."""
    first, second = plan["pairs"][pair]["kernels"]
    return [(first, second), (second, first)]


def data_name(pair: str, spacing: float, native: float) -> str:
    """Return what the data of a pair on some pixels are called: the scan's own have its name."""
    return pair if spacing == native else f"{pair}-{spacing:g}"


def list_data(plan: Plan, name: str) -> PairList:
    """Return the pairs of one data set, such as ``siemens-0.808``; write them where needed.

    ``-reduced`` are all resampled ones that a pair has claims for, together.
    """
    pair, _, part = name.partition("-")
    entry = plan["pairs"][pair]
    if part == "reduced":
        folders = [_resampled(entry, pair, spacing) for spacing in entry["spacings"][1:]]
    elif part:
        folders = [_resampled(entry, pair, float(part))]
    else:
        folders = [Path(entry["folder"])]
    path = WORK / "data" / f"{name}.csv"
    write_pairs([found for folder in folders for found in find_pairs([folder]).pairs], path)
    return read_pairs(path)


def _resampled(entry: dict[str, Any], pair: str, spacing: float) -> Path:
    folder = WORK / "data" / f"{pair}-{spacing:g}"
    write_resampled_pair(Path(entry["folder"]), folder, spacing)
    return folder
