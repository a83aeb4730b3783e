"""Which software computed the results."""

from __future__ import annotations

from typing import Final

from rgan_train.evaluation.report.texts import join_with_and
from rgan_train.evaluation.writeup.document import state
from rgan_train.evaluation.writeup.report import Report

AVAILABLE: Final = state("where code, models and feature tables can be had, or why not")


def describe_software(report: Report) -> str:
    """Return names and versions."""
    versions = report.provenance("versions")
    if not versions:
        return f"{state('software and versions')}. {AVAILABLE}."
    named = [f"{'Python' if name == 'python' else name} {one}" for name, one in versions.items()]
    return f"All of this was computed with {join_with_and(named)}. {AVAILABLE}."
