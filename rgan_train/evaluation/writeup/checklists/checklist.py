"""A checklist: its items, from a file of the package, and the answers that a report gives."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from rgan_train.evaluation.writeup.document import Grid

YES: Final = "yes"
NOT_APPLICABLE: Final = "n/a"
OPEN: Final = ""


@dataclass(frozen=True)
class Answer:
    """What a report tells about an item.

    Attributes
    ----------
    found
        What it tells, and where; empty if nothing.
    verdict
        ``YES``, ``NOT_APPLICABLE`` or ``OPEN``. It is open as long as the author has to add or to
        judge something.
    """

    found: str = ""
    verdict: str = OPEN


@dataclass(frozen=True)
class Checklist:
    """A published checklist.

    Attributes
    ----------
    title, key
        For the heading, and for the list of references.
    items
        Tables with ``number``, ``section``, ``label`` and ``hint``; in METRICS also ``weight``.
    conditions
        Of METRICS: tables with ``number``, ``label`` and the items that fall away ``without`` it.
    """

    title: str
    key: str
    items: Sequence[Mapping[str, Any]]
    conditions: Sequence[Mapping[str, Any]] = ()


def read_checklist(name: str) -> Checklist:
    """Return the checklist of a file beside this module, such as ``clear``."""
    text = files(__package__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    return Checklist(data["title"], data["key"], data["items"], data.get("conditions", ()))


def answer_table(checklist: Checklist, answers: Mapping[int, Answer], caption: str) -> Grid:
    """Return a row for each item, with its answer and what is left to the author."""
    rows = [_row(item, answers.get(item["number"], Answer())) for item in checklist.items]
    headings = ("no.", "item", "answer", "the report says", "left to state")
    return Grid(caption, headings, (0.07, 0.25, 0.09, 0.35, 0.24), rows)


def _row(item: Mapping[str, Any], answer: Answer) -> tuple[str, ...]:
    weight = f" (weight {item['weight']})" if "weight" in item else ""
    label = f"{item['section']}: {item['label']}{weight}"
    hint = "" if answer.verdict else item["hint"]
    return str(item["number"]), label, answer.verdict, answer.found, hint


def count_answers(checklist: Checklist, answers: Mapping[int, Answer]) -> Mapping[str, int]:
    """Return how many items have each verdict."""
    verdicts = [answers.get(item["number"], Answer()).verdict for item in checklist.items]
    return {verdict: verdicts.count(verdict) for verdict in (YES, NOT_APPLICABLE, OPEN)}
