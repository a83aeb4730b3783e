"""The settings of the features, complete, as a table for the supplement."""

from __future__ import annotations

import json

from rgan_train.evaluation.writeup.document import Block, Grid, Heading
from rgan_train.evaluation.writeup.report import Report


def settings_table(report: Report) -> list[Block]:
    """Return all settings of pyradiomics; nothing if the report has none."""
    features = report.provenance("features")
    if not features:
        return []
    rows = [(name, _text(value)) for name, value in features["settings"].items()]
    rows += [(f"filter {name}", _text(value)) for name, value in features["filters"].items()]
    rows += [(f"class {name}", ", ".join(one)) for name, one in features["features"].items()]
    return [
        Heading("Settings of the features"),
        Grid(
            f"Settings of pyradiomics {features['pyradiomics']}, as it names them, the filters "
            "with their own settings, and the classes with their features. An empty cell means "
            "none. All other settings are the defaults of pyradiomics.",
            ("setting", "value"),
            (0.35, 0.65),
            rows,
        ),
    ]


def _text(value: object) -> str:
    return "" if value in (None, {}, []) else json.dumps(value).replace('"', "")
