"""Which models take which series."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from rgan_sdk.card import ModelCard
from rgan_sdk.dicom.series import Series
from rgan_sdk.run.options import RunOptions
from rgan_sdk.run.planning import Plan, SkippedSeries, why_outside


class Candidate(NamedTuple):
    """A model that may be run: what ``--model`` takes, and its card."""

    name: str
    card: ModelCard


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
    return tuple(one.name for one in candidates if not _why_not(series, one, options))


def share_out(plan: Plan, candidates: Sequence[Candidate], options: RunOptions) -> Plan:
    """Return a plan in which each chosen series has one model; the others are left aside."""
    chosen: list[Series] = []
    skipped = list(plan.skipped)
    for one in plan.chosen:
        models = models_for(one, candidates, options)
        if len(models) == 1:
            chosen.append(one)
        elif models:
            skipped.append(SkippedSeries(one, f"several models take it: {', '.join(models)}"))
        else:
            reasons = (f"{each.name}: {_why_not(one, each, options)}" for each in candidates)
            skipped.append(SkippedSeries(one, f"no model takes it. {'. '.join(reasons)}"))
    return replace(plan, chosen=tuple(chosen), skipped=tuple(skipped))


def _why_not(series: Series, candidate: Candidate, options: RunOptions) -> str:
    return "; ".join(reason for _, reason in why_outside(series, candidate.card, options))
