"""Reproducible radiomic features of the model for all spacings, and of the one made for one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cells import Cell

from spacings.plan import RESULTS, Plan, data_name, directions, has_settings, list_data, make_cells
from spacings.training import Place, is_done

KINDS = ("aware", "alone")


def feature_cells(plan: Plan, source: str, target: str) -> dict[str, Cell]:
    """Return the two cells of one direction by kind; both are of the same row."""
    asked = plan["features"]
    pair, row = asked["pair"], asked["row"]
    name = data_name(pair, asked["spacing"], plan["pairs"][pair]["spacings"][0])
    (aware,) = make_cells(plan, pair, source, target, row, "aware")
    alone = make_cells(plan, pair, source, target, row, "alone")
    return {"aware": aware, "alone": next(cell for cell in alone if cell.pair == name)}


def features_path(source: str, target: str) -> Path:
    """Return the file with the counts of one direction."""
    return RESULTS / f"features_{source}-{target}.json"


def measure_features(plan: Plan, jobs: int) -> None:
    """Count the features of all directions where both models are there and the file is not."""
    for way in directions(plan, plan["features"]["pair"]):
        cells, path = feature_cells(plan, *way), features_path(*way)
        if not is_counted(plan, way) and all(map(is_done, cells.values())):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(_count(cells, plan, jobs), indent=1) + "\n")


def is_counted(plan: Plan, way: tuple[str, str]) -> bool:
    """Whether the file of a direction is there, of models with these very configurations."""
    path = features_path(*way)
    if not path.exists():
        return False
    made = json.loads(path.read_text())
    return made["features"] == plan["features"] and all(
        has_settings(made["configurations"][kind], cell)
        for kind, cell in feature_cells(plan, *way).items()
    )


def _count(cells: dict[str, Cell], plan: Plan, jobs: int) -> dict[str, Any]:
    from reproducibility import evaluate_models

    from rgan_train.evaluation.results import INPUT, THRESHOLDS
    from rgan_train.pairs.dataset import load_dataset

    dataset = load_dataset(list_data(plan, cells["alone"].pair), cells["alone"].config().data)
    models = {kind: Place.of(cell).model for kind, cell in cells.items()}
    evaluation = evaluate_models(dataset, models, jobs)
    return {
        "features": plan["features"],
        "configurations": {
            kind: json.loads(cell.config().to_json()) for kind, cell in cells.items()
        },
        "groups": {
            group: {
                method: vars(evaluation.agreement(group, method).counts[THRESHOLDS[0]])
                for method in (INPUT, *KINDS)
            }
            for group in evaluation.compared_groups
        },
        "provenance": evaluation.provenance,
    }
