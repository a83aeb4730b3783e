"""Write the report of a comparison without pairs: a page, and its results for other programs."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.run.preview import LUNG
from rgan_train.evaluation.cohorts.lesions.compare import EXAMPLES
from rgan_train.evaluation.cohorts.results import CohortEvaluation
from rgan_train.evaluation.report.cohorts.charts import draw_auc, draw_mtf, draw_noise
from rgan_train.evaluation.report.cohorts.findings import (
    lesion_doubts,
    lesion_failures,
    list_findings,
    list_warnings,
    summarize,
)
from rgan_train.evaluation.report.cohorts.tables import make_tables
from rgan_train.evaluation.report.page import SHARED_SCRIPTS, assets, environment
from rgan_train.evaluation.report.table import Table
from rgan_train.evaluation.report.texts import format_number, pluralize
from rgan_train.evaluation.report.write import plain, write_files

SCHEMA: Final = 1
PIXELS: Final = 192
"""Side of a picture of a lesion."""


class Picture(NamedTuple):
    """A lesion on one variant, with a PNG as base64."""

    name: str
    png: str


class Example(NamedTuple):
    """One lesion on all variants."""

    text: str
    pictures: Sequence[Picture]


def write_cohort_report(evaluation: CohortEvaluation, folder: Path) -> Path:
    """Write ``report.html``, ``results.json``, ``lesions.csv``, ``tables.md`` and ``tables.tex``.

    Parameters
    ----------
    folder
        Created if it does not exist. Files of an earlier report are replaced.

    Returns
    -------
    Path
        Path of ``report.html``, which needs no other file and no network.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    tables = make_tables(evaluation)
    rows = {"lesions.csv": _lesion_rows(evaluation)}
    page = render_page(evaluation, tables)
    return write_files(folder, page, tables, results_data(evaluation), rows)


def render_page(evaluation: CohortEvaluation, tables: Sequence[Table]) -> str:
    """Return the HTML of ``report.html``."""
    source, target = (", ".join(g.kernels) for g in (evaluation.source, evaluation.target))
    sizes = [
        f"{name}: {pluralize(group.slices, 'slice')} of {group.series} series of "
        f"{pluralize(group.patients, 'patient')}"
        for name, group in (("source", evaluation.source), ("target", evaluation.target))
    ]
    return (
        environment()
        .get_template("cohorts.html")
        .render(
            kernels=f"{source} → {target}",
            size=f"{'; '.join(sizes)}; {pluralize(evaluation.features, 'feature')}",
            summary=summarize(evaluation),
            findings=list_findings(evaluation),
            warnings=list_warnings(evaluation),
            tables={table.name: table for table in tables},
            kinds=[(kind, draw_auc(evaluation, kind)) for kind in evaluation.kinds],
            mtf=draw_mtf(evaluation),
            noise=draw_noise(evaluation),
            examples=list(_examples(evaluation)),
            provenance=evaluation.provenance,
            **assets(*SHARED_SCRIPTS),
        )
    )


def results_data(evaluation: CohortEvaluation) -> dict[str, Any]:
    """Return all figures as JSON data. Numbers that are undefined or infinite are None."""
    found = {
        "schema": SCHEMA,
        "source": evaluation.source,
        "target": evaluation.target,
        "shared_patients": evaluation.shared_patients,
        "models": evaluation.models,
        "features": evaluation.features,
        "folds_by_patient": evaluation.by_patient,
        "tested": evaluation.units,
        "summary": summarize(evaluation),
        "groups": evaluation.groups,
        "images": {
            name: {
                "noise": {tissue: one.noise(tissue) for tissue in one.spectra.noise},
                "hu": one.hu,
                "f50": one.curves.f50 if one.curves else None,
                "f10": one.curves.f10 if one.curves else None,
            }
            for name, one in evaluation.images.items()
        },
        "lesion_failures": {
            name: lesion_failures(evaluation.lesions, name)
            for name in (evaluation.methods if evaluation.lesions else ())
            if evaluation.lesions
        },
        "lesion_doubts": {
            name: lesion_doubts(evaluation.lesions, name)
            for name in (evaluation.methods if evaluation.lesions else ())
            if evaluation.lesions
        },
        "notes": evaluation.notes,
        "provenance": evaluation.provenance,
    }
    data: dict[str, Any] = plain(found)
    return data


def _lesion_rows(evaluation: CohortEvaluation) -> Iterator[Sequence[Any]]:
    yield ("variant", "kind", "diameter_mm", "hu", "contrast", "area_mm2", "laa_950")
    if evaluation.lesions is None:
        return
    for variant, seen in evaluation.lesions.seen.items():
        for one in seen:
            lesion = one.lesion.kind, one.lesion.diameter, one.lesion.hu
            yield (variant, *lesion, one.contrast, one.area, one.laa_950)


def _examples(evaluation: CohortEvaluation) -> Iterator[Example]:
    if evaluation.lesions is None:
        return
    for lesion, parts in zip(EXAMPLES, evaluation.lesions.examples, strict=True):
        text = f"A {lesion.kind} of {lesion.diameter:g} mm and {format_number(lesion.hu)} HU"
        yield Example(text, [Picture(name, _as_png(hu)) for name, hu in parts.items()])


def _as_png(hu: NDArray[np.float32]) -> str:
    from PIL import Image

    lower, upper = LUNG
    gray = (np.clip((hu - lower) / (upper - lower), 0, 1) * 255).astype(np.uint8)
    content = io.BytesIO()
    enlarged = Image.fromarray(gray).resize((PIXELS, PIXELS), Image.Resampling.NEAREST)
    enlarged.save(content, format="PNG")
    return base64.b64encode(content.getvalue()).decode("ascii")
