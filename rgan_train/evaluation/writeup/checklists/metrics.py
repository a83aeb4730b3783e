"""METRICS (Kocak et al. 2024), as far as a report can fill it."""

from __future__ import annotations

from collections.abc import Mapping

from rgan_train.evaluation.report.texts import join_with_and, pluralize
from rgan_train.evaluation.writeup.checklists import answers
from rgan_train.evaluation.writeup.checklists.checklist import (
    OPEN,
    YES,
    Answer,
    Checklist,
    answer_table,
    count_answers,
    read_checklist,
)
from rgan_train.evaluation.writeup.document import Block, Grid, Heading, Paragraph
from rgan_train.evaluation.writeup.methods.references import list_references
from rgan_train.evaluation.writeup.report import Report


def fill_metrics(report: Report) -> list[Block]:
    """Return the checklist as a document. The score is left to the author, as items stay open."""
    checklist = read_checklist("metrics")
    found = _answers(report)
    counts = count_answers(checklist, found)
    score = (
        "The score is the sum of the weights of the items with “yes”, divided by that of all items "
        f"that apply, in per cent ({checklist.key}). It is not computed here, as "
        f"{counts[OPEN]} of {pluralize(len(checklist.items), 'item')} are open."
    )
    blocks: list[Block] = [
        Heading(checklist.title, 1),
        Paragraph(answers.SCOPE),
        _conditions(checklist, report),
        answer_table(checklist, found, score),
    ]
    return [*blocks, *list_references(blocks)]


def _conditions(checklist: Checklist, report: Report) -> Grid:
    """Return the conditions; only those that the report shows to hold are answered."""
    segmented = (report.provenance("regions") or {}).get("given")
    holds = {1: bool(segmented), 3: True, 4: True}
    rows = [
        (
            str(one["number"]),
            one["label"],
            YES if holds.get(one["number"]) else OPEN,
            join_with_and([str(number) for number in one["without"]]),
        )
        for one in checklist.conditions
    ]
    return Grid(
        "Conditions. Answer those that are open for the whole study; with “no” the items named do "
        "not apply.",
        ("no.", "condition", "answer", "items that fall away with “no”"),
        (0.08, 0.5, 0.12, 0.3),
        rows,
    )


def _answers(report: Report) -> Mapping[int, Answer]:
    features = report.provenance("features", "counted")
    return {
        6: answers.imaging(report),
        8: Answer(answers.segmentation(report).found),
        11: answers.processing(report),
        12: answers.software(report),
        13: answers.settings(report),
        14: answers.robustness(report),
        16: Answer(f"{pluralize(features, 'feature')} were compared." if features else ""),
        18: answers.split(report),
        21: answers.uncertainty(report),
        25: answers.simple_rivals(report),
        26: answers.split(report),
        29: answers.code(report),
        30: answers.models(report),
    }
