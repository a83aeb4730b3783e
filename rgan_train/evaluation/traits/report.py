"""Write a comparison of traits: a figure, and all statistics as CSV and JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rgan_sdk.errors import OutputError
from rgan_train.evaluation.figures.save import save_figure
from rgan_train.evaluation.traits.plot import draw_traits
from rgan_train.evaluation.traits.traits import RESEARCH_ONLY, Analysis


def write_traits(analysis: Analysis, folder: Path) -> Path:
    """Write ``traits.csv`` (each feature), ``traits.json`` (the counts) and ``traits.png``.

    The files do not name any case.

    Returns
    -------
    Path
        The figure.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "traits.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(_table(analysis))
        summary = json.dumps(_summary(analysis), indent=2, ensure_ascii=False)
        (folder / "traits.json").write_text(summary + "\n", encoding="utf-8")
    except OSError as exc:
        raise OutputError(f"{folder}: the results cannot be written ({exc.strerror})") from exc
    figure = folder / "traits.png"
    save_figure(draw_traits(analysis), figure)
    return figure


def _table(analysis: Analysis) -> Iterator[Sequence[Any]]:
    yield ("variant", "feature", "p", "q", "auc", "rank_biserial", "separates")
    for variant, found in analysis.separations.items():
        columns = (found.p, found.q, found.auc, 2 * found.auc - 1, found.separates.astype(int))
        values = zip(*(column.tolist() for column in columns), strict=True)
        for name, row in zip(analysis.cohort.features, values, strict=True):
            yield (variant, name, *row)


def _summary(analysis: Analysis) -> dict[str, Any]:
    cohort = analysis.cohort
    return {
        "note": RESEARCH_ONLY,
        "test": "two-sided Mann-Whitney U, Benjamini-Hochberg false discovery rate",
        "fdr": analysis.fdr,
        "smallest_p": analysis.smallest_p,
        "least_separating": analysis.least_separating,
        "cases": dict(zip(cohort.groups, cohort.sizes, strict=True)),
        "larger_at_auc_1": cohort.groups[1],
        "features": len(cohort.features),
        "excluded": dict(cohort.excluded),
        "variants": {
            variant: {**asdict(overlap), "sensitivity": overlap.sensitivity}
            for variant, overlap in analysis.overlaps.items()
        },
    }
