"""What a report without pairs says first: what methods do, what fools measures, what is open."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from rgan_train.evaluation.cohorts.controls import BLUR, CONTROLS
from rgan_train.evaluation.cohorts.lesions.compare import LesionComparison
from rgan_train.evaluation.cohorts.lesions.render import DIAMETERS
from rgan_train.evaluation.cohorts.results import HALVES, UNPROVEN, CohortEvaluation
from rgan_train.evaluation.cohorts.separation import FEWEST
from rgan_train.evaluation.report.cohorts.tables import (
    area,
    contrast,
    format_separation,
    laa_950,
    of_kind,
)
from rgan_train.evaluation.report.findings import Finding, best_of
from rgan_train.evaluation.report.texts import format_number, join_with_and, pluralize
from rgan_train.evaluation.results import COMBAT, INPUT, TARGET

LARGEST_CHANGE: Final = 0.1
"""A lesion's contrast and area may differ by this part from the target's."""

LARGEST_LAA: Final = 10.0
"""LAA-950 of holes may differ by so many points; with twice its standard error it must be clear."""

ALIKE: Final = "and lesions look as in the target"
UNLIKE: Final = "but lesions do not look so"
UNDECIDED: Final = "and it is not decided whether lesions look as in the target"

COMPARISONS: Final = 4 * len(DIAMETERS)
MOST_NAMED: Final = 4

FEW_SLICES: Final = 20
GUESS: Final = 0.5


def mean_auc(evaluation: CohortEvaluation, row: str) -> float:
    """Return the mean AUC of a row over the kinds of regions, where below 0.5 counts as 0.5.

    Only kinds that have enough regions for all rows count; NaN if there are none. ComBat has none.
    """
    kinds = [
        kind
        for kind in evaluation.kinds
        if all(
            evaluation.group(kind, name).separation
            for name in evaluation.rows
            if not name.endswith(COMBAT)
        )
    ]
    found = [evaluation.group(kind, row).separation for kind in kinds]
    areas = [max(one.auc, GUESS) for one in found if one]
    return sum(areas) / len(areas) if areas else math.nan


def kinds_by_chance(evaluation: CohortEvaluation, row: str) -> dict[str, bool]:
    """Return by kind of regions whether a row is told apart no better than by chance.

    Kinds without limits, which have too few folds or regions, are left out.
    """
    found = {kind: evaluation.group(kind, row).separation for kind in evaluation.kinds}
    return {kind: one.auc <= one.limits[1] for kind, one in found.items() if one and one.limits}


def lesion_failures(lesions: LesionComparison, row: str) -> list[str]:
    """Return in what the lesions of a row are not as the target's; empty if in nothing."""
    failures = []
    for kind, name, measure in (
        ("nodule", "contrast", contrast),
        ("nodule", "area", area),
        ("hole", "contrast", contrast),
    ):
        for diameter in DIAMETERS:
            wanted = of_kind(kind, diameter=diameter)
            own, goal = (lesions.mean(one, measure, wanted) for one in (row, TARGET))
            if abs(own - goal) > LARGEST_CHANGE * abs(goal):
                part = f"{own / goal:.0%} of the target's"
                failures.append(f"{name} of {kind}s of {diameter:g} mm ({part})")
    return failures + [text for text, least, _ in _laa_950(lesions, row) if least > LARGEST_LAA]


def lesion_doubts(lesions: LesionComparison, row: str) -> list[str]:
    """Return in what it is not decided whether the lesions of a row are as the target's."""
    return [
        text
        for text, least, most in _laa_950(lesions, row)
        if not (least > LARGEST_LAA or most <= LARGEST_LAA)
    ]


def _laa_950(lesions: LesionComparison, row: str) -> Iterator[tuple[str, float, float]]:
    """Yield LAA-950 of holes, and how far it is from the target's at least and at most.

    The distances are NaN where a kind of hole is there only once.
    """
    for diameter in DIAMETERS:
        wanted = of_kind("hole", diameter=diameter)
        own, goal = (lesions.mean(one, laa_950, wanted) for one in (row, TARGET))
        error = math.hypot(*(lesions.error(one, laa_950, wanted) for one in (row, TARGET)))
        shown = f"{format_number(own)} %, target {format_number(goal)} %"
        text = f"LAA-950 of holes of {diameter:g} mm ({shown})"
        yield text, abs(own - goal) - 2 * error, abs(own - goal) + 2 * error


def summarize(evaluation: CohortEvaluation) -> str:
    """Return what models do, and that the blur shows what that is worth."""
    verdict = (
        _verdict(evaluation, _lowest_auc(evaluation))
        if evaluation.models
        else "There is no model: this is how the groups differ."
    )
    return f"{verdict} {describe_blur(evaluation)}"


def _lowest_auc(evaluation: CohortEvaluation) -> str:
    """Return the model with which the groups are told apart worst; the first where none can be."""
    areas = {name: mean_auc(evaluation, name) for name in evaluation.models}
    return min(areas, key=lambda name: math.inf if math.isnan(areas[name]) else areas[name])


def _verdict(evaluation: CohortEvaluation, name: str) -> str:
    models = len(evaluation.models)
    who = name if models == 1 else f"{name}, by mean AUC {best_of(models)},"
    before, after = (format_number(mean_auc(evaluation, row), 2) for row in (INPUT, name))
    null = format_number(mean_auc(evaluation, HALVES), 2)
    text = (
        f"With {who} a classifier tells the groups apart with a mean AUC of {after} instead of "
        f"{before} (two halves of the target: {null})"
    )
    if evaluation.lesions is None:
        return f"{text}."
    verdicts = {one: _judge_lesions(evaluation.lesions, one) for one in evaluation.models}
    text = f"{text}, {verdicts[name]}."
    if models == 1:
        return text
    alike = [one for one, verdict in verdicts.items() if verdict == ALIKE]
    open_ones = [one for one, verdict in verdicts.items() if verdict == UNDECIDED]
    text += f" Lesions look as in the target with {join_with_and(alike or ['no model'])}."
    return f"{text} It is not decided for {join_with_and(open_ones)}." if open_ones else text


def _judge_lesions(lesions: LesionComparison, row: str) -> str:
    if lesion_failures(lesions, row):
        return UNLIKE
    return UNDECIDED if lesion_doubts(lesions, row) else ALIKE


def describe_blur(evaluation: CohortEvaluation) -> str:
    """Return whether the blur wins the AUC and fails the lesions, as it should."""
    judged = {row: kinds_by_chance(evaluation, row) for row in (BLUR, INPUT, *evaluation.models)}
    kinds = [kind for kind in evaluation.kinds if all(kind in found for found in judged.values())]
    counts = {row: sum(found[kind] for kind in kinds) for row, found in judged.items()}
    own = counts.pop(BLUR)
    listed = ", ".join(f"{name} {count}" for name, count in counts.items())
    chance = (
        f"no better than by chance in {own} of {pluralize(len(kinds), 'kind')} of regions "
        f"({listed})"
        if kinds
        else _too_few(evaluation)
    )
    auc = format_number(mean_auc(evaluation, BLUR), 2)
    text = f"A mere blur of both groups (mean AUC {auc}) is told apart {chance}"
    if evaluation.lesions is None:
        return f"{text}; without lesions nothing here tells it from a good method."
    failures = lesion_failures(evaluation.lesions, BLUR)
    fails = f"fails {len(failures)} of the {COMPARISONS} comparisons of lesions"
    moral = "to be told apart badly is worth nothing by itself"
    wins = bool(kinds) and own >= max(counts.values())
    return f"{text} and {fails}{f': {moral}' if wins else ''}."


def _too_few(evaluation: CohortEvaluation) -> str:
    """Return why nothing is said of chance."""
    found = [evaluation.group(kind, BLUR).separation for kind in evaluation.kinds]
    most = max((one.arrangements for one in found if one), default=0)
    return (
        "in too few folds to say whether that is chance (the labels have "
        f"{pluralize(most, 'arrangement')}, and {FEWEST} are needed)"
    )


def list_findings(evaluation: CohortEvaluation) -> list[Finding]:
    """Return a finding for each kind of region, and one for the lesions of each row."""
    findings = []
    for kind in evaluation.kinds:
        first, second = evaluation.group(kind, INPUT).regions
        rows = [INPUT, *evaluation.models, *CONTROLS, HALVES]
        shown = [f"{row} {format_separation(evaluation.group(kind, row))}" for row in rows]
        sample = f"{first:,} and {pluralize(second, 'region')}"
        findings.append(Finding(kind, sample, f"AUC with limits of chance: {'; '.join(shown)}."))
    if evaluation.lesions is not None:
        sample = pluralize(len(evaluation.lesions.seen[INPUT]), "lesion")
        for row in (INPUT, *evaluation.models, *CONTROLS):
            text = _describe_lesions(evaluation.lesions, row)
            findings.append(Finding(f"Lesions, {row}", sample, text))
    return findings


def _describe_lesions(lesions: LesionComparison, row: str) -> str:
    failures, doubts = lesion_failures(lesions, row), lesion_doubts(lesions, row)
    undecided = f" Not decided: {join_with_and(doubts)}." if doubts else ""
    if not failures:
        rest = "" if doubts else ", LAA-950 within 10 points"
        return f"Contrast and area are within 10 % of the target's{rest}.{undecided}"
    listed = join_with_and(failures[:MOST_NAMED])
    more = "" if len(failures) <= MOST_NAMED else ", among others"
    return (
        f"{len(failures)} of {COMPARISONS} comparisons are not as in the target: {listed}{more}."
        f"{undecided}"
    )


def list_warnings(evaluation: CohortEvaluation) -> list[str]:
    """Return what limits the conclusions."""
    warnings = [UNPROVEN]
    for name, group in (("source", evaluation.source), ("target", evaluation.target)):
        if group.patients == 1:
            warnings.append(
                f"The {name} group has one patient: the classifier is tested on parts of its "
                "slices by position, and nothing here says how a method performs on others."
            )
        if group.slices < FEW_SLICES:
            warnings.append(
                f"The {name} group has {group.slices} slices: with fewer than {FEW_SLICES}, tests "
                "find few differences, whether there are some or not."
            )
    if evaluation.shared_patients:
        warnings.append(
            f"{pluralize(evaluation.shared_patients, 'patient')} in both groups: anatomy separates "
            "them less than it separates groups of different patients."
        )
    if evaluation.units == "slices":
        warnings.append(
            "There are too few patients to test patients: tests take slices as independent, which "
            "makes differences seem more certain than they are."
        )
    if evaluation.lesions is not None:
        warnings.append(
            "Lesions pass through MTFs that were measured on these slices. A model of `rgan-train "
            "match` from the same series was fitted to the same curves: for it they show that the "
            "filter does what it was made for, not that the curves are right."
        )
    return [*warnings, *evaluation.notes]
