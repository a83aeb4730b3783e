"""The results of a comparison of two groups: plain data, passed from measurements to the report."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rgan_train.evaluation.cohorts.controls import CONTROLS
from rgan_train.evaluation.cohorts.distances import Distance
from rgan_train.evaluation.cohorts.image_measures import ImageMeasures
from rgan_train.evaluation.cohorts.lesions.compare import LesionComparison
from rgan_train.evaluation.cohorts.separation import Separation
from rgan_train.evaluation.results import INPUT

HALVES: Final = "null: halves of the target"

UNPROVEN: Final = (
    "This can't prove that a harmonized slice is what the scanner would have given with the other "
    "kernel: no patient was seen with both. Groups that can't be told apart may both be wrong, as "
    "the blur shows, and groups that can may differ by their patients alone. Only pairs prove it."
)
"""Stands in every report of a comparison without pairs."""


@dataclass(frozen=True)
class GroupFacts:
    """How large a group is, and what its headers state."""

    kernels: tuple[str, ...]
    series: int
    slices: int
    patients: int


@dataclass(frozen=True)
class GroupComparison:
    """How far two groups are apart in regions of one kind, by one variant of their images.

    Attributes
    ----------
    kind
        Of the regions, such as ``whole slice``.
    name
        ``HALVES``, ``input``, a model, each of them with ``COMBAT``, or a control.
    regions
        Of the first and the second group.
    distance, separation
        None if there are too few regions.
    """

    kind: str
    name: str
    regions: tuple[int, int]
    distance: Distance | None
    separation: Separation | None


@dataclass(frozen=True)
class CohortEvaluation:
    """All results of one comparison.

    Attributes
    ----------
    shared_patients
        Patients that are in both groups.
    models
        Names of the models.
    by_patient
        Whether the classifier was tested on patients that it did not know.
    units
        ``patients`` or ``slices``: what tests take as independent.
    groups
        One for each kind of region and each row.
    images
        By variant: ``target``, ``input``, each model, each control.
    lesions
        None if a group shows no lung or can't tell its kernel.
    notes
        Remarks for the reader.
    provenance
        Hashes, versions, and the command, as JSON data.
    """

    source: GroupFacts
    target: GroupFacts
    shared_patients: int
    models: Sequence[str]
    features: int
    by_patient: bool
    units: str
    groups: Sequence[GroupComparison]
    images: Mapping[str, ImageMeasures]
    lesions: LesionComparison | None
    notes: Sequence[str] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def methods(self) -> list[str]:
        """The input, the models, then the controls."""
        return [INPUT, *self.models, *CONTROLS]

    @property
    def kinds(self) -> list[str]:
        """The kinds of regions that were compared."""
        return list(dict.fromkeys(one.kind for one in self.groups))

    @property
    def rows(self) -> list[str]:
        """What was compared, in order."""
        return list(dict.fromkeys(one.name for one in self.groups))

    def group(self, kind: str, name: str) -> GroupComparison:
        """Return one comparison.

        Raises
        ------
        StopIteration
            If there is none.
        """
        return next(one for one in self.groups if (one.kind, one.name) == (kind, name))

    def with_provenance(self, **facts: Any) -> CohortEvaluation:
        """Return a copy with more facts about where it comes from."""
        return dataclasses.replace(self, provenance={**facts, **self.provenance})
