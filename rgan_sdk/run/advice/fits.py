"""Which models take which series."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rgan_sdk.dicom.series import Series
from rgan_sdk.run.choosing.candidates import Candidate, why_outside
from rgan_sdk.run.options import RunOptions


@dataclass(frozen=True)
class ModelFit:
    """How a model fits a group of series.

    Attributes
    ----------
    model, target_kernel
        Name of the candidate, and the kernel that it imitates.
    takes
        How many of the series.
    reasons
        Why it does not take the others: by what is outside, of ``rgan_sdk.harmonizer.DOMAINS`` or
        ``pixels`` that are not square, each reason, and of how many series.
    """

    model: str
    target_kernel: str
    takes: int
    reasons: dict[str, dict[str, int]]


def fit_model(series: Sequence[Series], candidate: Candidate, options: RunOptions) -> ModelFit:
    """Compare series with a model's card, as a run does."""
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    takes = 0
    for one in series:
        outside = why_outside(one, candidate.card, options)
        takes += not outside
        for name, reason in outside:
            reasons[name or "pixels"][reason] += 1
    found = {name: dict(counts) for name, counts in reasons.items()}
    return ModelFit(candidate.name, candidate.card.target_kernel, takes, found)


def models_for(
    series: Series, candidates: Iterable[Candidate], options: RunOptions
) -> tuple[str, ...]:
    """Return the models that take a series."""
    return tuple(one.name for one in candidates if not why_outside(series, one.card, options))
