"""What was measured of each training, each in a file of its own, so that tables need no model.

Trainings take hours, on several machines if need be. What one of them trained and measured counts
on all others, even if its models are gone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from contrasts import Measure, contrast

from rgan_sdk.files import atomic_write

FOLDER: Final = Path("docs/results/paper/measured")
PSNR: Final = "PSNR, dB"
NOISE: Final = "noise power distance, dB"


@dataclass(frozen=True)
class Measured:
    """What a table shows of one model, and what of it can be compared; by title."""

    figures: Mapping[str, float]
    measures: Mapping[str, Measure]

    @property
    def summary(self) -> str:
        """What to say once it was measured."""
        return f"{self.figures[PSNR]:.2f} dB"

    def with_figures(self, further: Mapping[str, float]) -> Measured:
        """Return the same with further figures."""
        return replace(self, figures={**self.figures, **further})


@dataclass(frozen=True)
class Record:
    """The file with what was measured of one training.

    Attributes
    ----------
    name
        Of the training, without its table.
    made_from
        The settings that the figures depend on, as JSON holds them. A file that was made from
        others counts as missing. It does not know of code: who changes a loss, the simulation or a
        measure deletes the files that were made with it.
    """

    table: str
    name: str
    made_from: Mapping[str, Any]

    @property
    def path(self) -> Path:
        """The file."""
        plain = re.sub(r"[^\w.+-]+", "-", self.name).strip("-")
        return FOLDER / self.table / f"{plain}.json"

    def read(self) -> Measured | None:
        """Read the file; None where it is missing."""
        if not self.path.exists():
            return None
        found = json.loads(self.path.read_text())
        if found["made_from"] != json.loads(json.dumps(self.made_from)):
            return None
        measures = {
            title: Measure(one["value"], np.array(one["samples"]), one["slices"])
            for title, one in found["measures"].items()
        }
        return Measured(found["figures"], measures)

    def fill(self, measure: Callable[[], Measured]) -> None:
        """Measure and write the file, if it is missing."""
        if self.read() is None:
            self.write(measure())

    def write(self, measured: Measured) -> None:
        """Write the file."""
        measures = {
            title: {
                "value": one.value,
                "slices": one.slices,
                "samples": [round(value, 4) for value in one.samples.tolist()],
            }
            for title, one in measured.measures.items()
        }
        parts = {"made_from": self.made_from, "figures": measured.figures, "measures": measures}
        lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in parts.items())
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(self.path) as part:
            part.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def read_all(records: Iterable[Record]) -> dict[str, Measured]:
    """Read what is there, by the name of the training."""
    found = {record.name: record.read() for record in records}
    return {name: measured for name, measured in found.items() if measured is not None}


def difference(plus: Sequence[Measured], minus: Sequence[Measured]) -> dict[str, dict[str, Any]]:
    """Return the mean of ``plus`` minus that of ``minus`` with 95 % limits, by title."""
    return contrast([one.measures for one in plus], [one.measures for one in minus])


def difference_by_seed(
    plus: Sequence[Measured], minus: Sequence[Measured], titles: Iterable[str]
) -> dict[str, list[float]]:
    """Return the difference of figures with each seed, by title.

    Parameters
    ----------
    minus
        One for each seed, or a single one for all.
    """
    others = [*minus] * len(plus) if len(minus) == 1 else minus
    return {
        title: [a.figures[title] - b.figures[title] for a, b in zip(plus, others, strict=True)]
        for title in titles
    }
