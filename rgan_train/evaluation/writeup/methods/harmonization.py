"""Which models harmonized the source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rgan_train.evaluation.report.texts import format_number, join_with_and
from rgan_train.evaluation.writeup.document import state
from rgan_train.evaluation.writeup.report import Report

AUTHOR: str = state("how the model was made: architecture or filter, training settings, selection")


def describe_harmonization(report: Report) -> list[str]:
    """Return a paragraph for each model."""
    models = report.provenance("models")
    if models is None:
        return [state("which models were applied") + "."]
    if not models:
        return ["No model was applied: the source and the target are compared as they are."]
    return [_describe(name, record) for name, record in models.items()]


def _describe(name: str, record: Mapping[str, Any]) -> str:
    model = " ".join(str(record[key]) for key in ("name", "version") if record.get(key))
    called = f" (“{name}” in the tables)" if name != record.get("name") else ""
    sentences = [
        f"The source slices were harmonized with the model {model or state('its name')}{called}, "
        f"SHA-256 {record.get('sha256') or state('the hash of the file')}."
    ]
    sentences += [_card(record), _training(record), _engine(record)]
    return " ".join(sentences)


def _card(record: Mapping[str, Any]) -> str:
    if not {"source_kernels", "target_kernel", "window_hu"} <= set(record):
        return state("the kernels and the HU window that the model is for") + "."
    lower, upper = (format_number(hu) for hu in record["window_hu"])
    return (
        f"It maps the kernel {join_with_and(record['source_kernels'])} to "
        f"{record['target_kernel']}, with Hounsfield units as input and output, and changes values "
        f"between {lower} and {upper} HU; others stay as they are."
    )


def _training(record: Mapping[str, Any]) -> str:
    data = record.get("training_data")
    if not data:
        return state("what the model was trained on") + ". " + AUTHOR + "."
    named = "; ".join(
        f"{one['name']} (licence: {one['licence']}; {one['citation']})" for one in data
    )
    how = f"with {record['made_with']}" if record.get("made_with") else ""
    pairs = "without pairs" if record.get("made_without_pairs") else ""
    made = " ".join(filter(None, ("It was made", pairs, how))) + ". " if how or pairs else ""
    return f"{made}Its card names as training data: {named}. {AUTHOR}."


def _engine(record: Mapping[str, Any]) -> str:
    if not record.get("engine"):
        return state("the inference engine and its precision") + "."
    return f"It was run with {record['engine']}."
