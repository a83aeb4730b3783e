"""The figures that were measured, by model, pixel spacing and noise."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from spacings.measuring import Subject, is_measured, subjects
from spacings.plan import Plan, data_name, plan_cells

Key = tuple[float, float]
"""Pixel spacing in mm and added noise in HU."""


@dataclass(frozen=True)
class Figures:
    """All figures that are there and up to date.

    Attributes
    ----------
    found
        Files of figures by pair, source, target, row and training data.
    """

    plan: Plan
    found: dict[tuple[str, ...], dict[str, Any]]

    @classmethod
    def read(cls, plan: Plan) -> Figures:
        """Read the files."""
        found: dict[tuple[str, ...], dict[str, Any]] = {
            (subject.pair, subject.source, subject.target, subject.row, subject.data): _read(
                subject
            )
            for subject in subjects(plan, plan_cells(plan))
            if is_measured(subject, plan)
        }
        return cls(plan, found)

    def of(self, pair: str, way: tuple[str, str], row: str) -> dict[Key, dict[str, float]]:
        """Return what one model shows, such as ``input``, ``packaged`` or ``compact, aware``."""
        return self._measured((pair, *way, row, pair))

    def reduced(self, pair: str, way: tuple[str, str], row: str) -> dict[Key, dict[str, float]]:
        """Return what the model shows that was trained on resampled pixels only."""
        return self._measured((pair, *way, f"{row}, aware", f"{pair}-reduced"))

    def alone(self, pair: str, way: tuple[str, str], row: str) -> dict[Key, dict[str, float]]:
        """Return what the models of a row show that were made for one spacing, each at its own."""
        spacings = self.plan["pairs"][pair]["spacings"]
        names = [data_name(pair, spacing, spacings[0]) for spacing in spacings]
        all_of_them = [self._measured((pair, *way, row, name)) for name in names]
        return {key: figure for one in all_of_them for key, figure in one.items()}

    def _measured(self, key: tuple[str, ...]) -> dict[Key, dict[str, float]]:
        measured = self.found.get(key, {"measured": []})["measured"]
        return {(item["spacing"], item["noise"]): item for item in measured}


def _read(subject: Subject) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(subject.path.read_text())
    return record
