"""The web page of a report: one file that needs nothing else, and no network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Final, NamedTuple

import numpy as np
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from rgan_train.evaluation.lungs.picture import draw_lungs
from rgan_train.evaluation.report.charts import THRESHOLD, chart_data
from rgan_train.evaluation.report.findings import list_findings, list_warnings, summarize
from rgan_train.evaluation.report.table import Table, collect_remarks, split_columns
from rgan_train.evaluation.report.texts import describe_slices, pluralize
from rgan_train.evaluation.report.trust import describe_trust, trust_data
from rgan_train.evaluation.results import TARGET, Evaluation

SHARED_SCRIPTS: Final = ("elements.js", "tables.js", "paper.js", "save.js")
"""Scripts of all reports."""

MASK_PICTURES: Final = 8
"""Most scans whose lungs are shown: each picture takes about 1 MB."""


class MaskPicture(NamedTuple):
    """The lungs of one scan, with a PNG as base64."""

    text: str
    png: str


def render_page(evaluation: Evaluation, tables: Sequence[Table]) -> str:
    """Return the HTML of ``report.html``.

    Parameters
    ----------
    tables
        The tables of ``make_tables``.
    """
    named = {table.name: table for table in tables}
    quality, bias, lung = named.pop("quality"), named.pop("bias"), named.pop("lung", None)
    differences = named.pop("differences", None)
    size = [
        pluralize(len(evaluation.table.names), "feature"),
        pluralize(len(evaluation.table.rois), "region"),
        pluralize(len(evaluation.pixel_spacings), "slice"),
        pluralize(evaluation.patients, "patient"),
        *evaluation.manufacturers,
    ]
    return (
        environment()
        .get_template("report.html")
        .render(
            kernels=f"{evaluation.source_kernel} → {evaluation.target_kernel}",
            size=", ".join(size),
            threshold=THRESHOLD,
            sample=describe_slices(evaluation),
            summary=summarize(evaluation),
            findings=list_findings(evaluation, quality),
            warnings=list_warnings(evaluation),
            feature_tables=list(named.values()),
            difference_table=differences,
            trust=describe_trust(evaluation),
            trust_data=trust_data(evaluation),
            quality_tables=[quality, bias],
            lung_table=lung,
            lung_pictures=list(_mask_pictures(evaluation)),
            provenance=evaluation.provenance,
            data=chart_data(evaluation),
            **assets(*SHARED_SCRIPTS, "choices.js", "report.js", "trust.js", "viewer.js"),
        )
    )


def _mask_pictures(evaluation: Evaluation) -> Iterator[MaskPicture]:
    for case in evaluation.lungs[:MASK_PICTURES]:
        protocol = "; ".join(case.off_protocol)
        text = (
            f"Patient {case.patient}, {pluralize(len(case.slices), 'slice')}, "
            f"{case.volume_ml:,.0f} mL."
            + (f" Off protocol: {protocol}." if protocol else "")
            + "".join(f" {note[0].upper()}{note[1:]}." for note in case.mask.notes)
        )
        target = np.stack([evaluation.images[TARGET][number] for number in case.slices])
        yield MaskPicture(text, base64.b64encode(draw_lungs(target, case.mask)).decode("ascii"))


def assets(*scripts: str) -> dict[str, str]:
    """Return the style and the script of a page, and the hash by which the page allows it.

    Parameters
    ----------
    scripts
        Names of templates, which make one script.
    """
    script = "\n".join(map(read_template, scripts))
    digest = hashlib.sha256(script.encode()).digest()
    return {
        "style": Markup(read_template("report.css")),  # noqa: S704 - our own file
        "script": Markup(script),  # noqa: S704 - our own file
        "script_sha256": base64.b64encode(digest).decode("ascii"),
    }


def environment() -> Environment:
    """Return the environment of the templates of all reports."""
    found = Environment(
        loader=FunctionLoader(read_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.policies["json.dumps_kwargs"] = {"allow_nan": False}
    found.filters["js_number"] = _js_number
    found.filters["remarks"] = collect_remarks
    found.filters["split"] = split_columns
    return found


def read_template(name: str) -> str:
    """Return a file of the folder of templates."""
    folder = files("rgan_train.evaluation.report").joinpath("templates")
    return folder.joinpath(name).read_text(encoding="utf-8")


def _js_number(value: float) -> str:
    """Return a number as JavaScript writes it."""
    return repr(float(value)).replace("inf", "Infinity").replace("nan", "NaN")
