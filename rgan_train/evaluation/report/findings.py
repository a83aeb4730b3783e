"""What a report says first: whether harmonization helps, and what limits the conclusions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from rgan_train.evaluation.metrics.blocks import MIN_SLICES
from rgan_train.evaluation.metrics.reproducibility import count_by_class
from rgan_train.evaluation.report.charts import THRESHOLD, best_method
from rgan_train.evaluation.report.differences import describe_scope, format_difference
from rgan_train.evaluation.report.table import Table
from rgan_train.evaluation.report.texts import (
    describe_sample,
    describe_slices,
    format_count,
    join_with_and,
    pluralize,
)
from rgan_train.evaluation.results import INPUT, Agreement, Difference, Evaluation, FeatureCount

FEW_REGIONS: Final = 100
FEW_SLICES: Final = 20
"""With fewer slices, percentile limits of the bootstrap are too narrow."""

TOO_FEW: Final = f"fewer than {MIN_SLICES} slices give no limits"

UNKNOWN_TRAINING: Final = (
    "A model says at most with which series it was made, and a note tells where some of them are "
    "tested. It does not say with which slices, so this can't tell whether it was trained on test "
    "slices. It was not if `evaluate` had the same PAIRS.csv, --config and --set "
    "(data.fold too) as `fit`, or if the scans were not used at all."
)


class Finding(NamedTuple):
    """What was found for one group of regions, or for image quality.

    Attributes
    ----------
    about
        Name of the group, or ``Image quality``.
    sample
        How many regions, slices and patients the finding comes from.
    text
        Sentences; line breaks are kept.
    """

    about: str
    sample: str
    text: str


def summarize(evaluation: Evaluation) -> str:
    """Return in which groups of regions a model is better than the input."""
    groups = evaluation.compared_groups
    if not groups:
        return "No group has the three regions that a comparison needs."
    if list(evaluation.methods) == [INPUT]:
        return "There is no model: this is how the input agrees with the target."
    gains = {g: _difference(evaluation, g, best_method(evaluation, [g]), INPUT) for g in groups}
    told = [group for group, gain in gains.items() if gain and gain.has_limits]
    if not told:
        return f"{TOO_FEW[0].upper()}{TOO_FEW[1:]}: no difference is certain."
    helped = [group for group in told if _is_above(gains[group])]
    other = [group for group in told if group not in helped]
    untold = [group for group in groups if group not in told]
    who = best_of(len(evaluation.methods) - 1)
    if helped:
        sentences = [
            f"Harmonization helps in {len(helped)} of {pluralize(len(groups), 'group')} of "
            f"regions: {who} reproduces more features than the input, and the 95 % limits of the "
            "difference lie above 0."
        ]
        if other:
            sentences.append(f"There is no clear gain in {join_with_and(other)}.")
    else:
        sentences = [
            f"{who[0].upper()}{who[1:]} is not clearly better than the input in any group of "
            "regions: the 95 % limits of the difference do not lie above 0."
        ]
    if untold:
        sentences.append(f"It can't be told in {join_with_and(untold)}: {TOO_FEW}.")
    return " ".join(sentences)


def best_of(models: int) -> str:
    """Return over how many models the best was taken: ``the best of 4 models``."""
    return "the model" if models == 1 else f"the best of {models} models"


def list_findings(evaluation: Evaluation, quality: Table) -> list[Finding]:
    """Return, for each group and for image quality, which methods are best, level and worse."""
    features = [
        Finding(group, describe_sample(evaluation, group), _group_finding(evaluation, group))
        for group in evaluation.compared_groups
    ]
    return [
        *features,
        Finding("Image quality", describe_slices(evaluation), _quality_finding(quality)),
    ]


def _counts(evaluation: Evaluation, group: str) -> dict[str, FeatureCount]:
    return {
        method: evaluation.agreement(group, method).counts[THRESHOLD]
        for method in evaluation.methods
    }


def _difference(evaluation: Evaluation, group: str, method: str, other: str) -> Difference | None:
    """Return by how many features a method differs from another; None if that is not known."""
    for one in evaluation.differences:
        if one.group != group:
            continue
        if (one.method, one.other) == (method, other):
            return one
        if (one.method, one.other) == (other, method):
            return one.reversed
    return None


def _is_above(gain: Difference | None) -> bool:
    """Return whether the limits of a difference lie above 0; False if there are none."""
    return gain is not None and gain.interval[0] > 0


def _with_counts(counts: Mapping[str, FeatureCount], methods: Sequence[str]) -> str:
    return join_with_and([f"{method} {format_count(counts[method])}" for method in methods])


def _group_finding(evaluation: Evaluation, group: str) -> str:
    counts = _counts(evaluation, group)
    best = best_method(evaluation, [group])
    models = [method for method in counts if method not in (INPUT, best)]
    level = [m for m in models if not _is_above(_difference(evaluation, group, best, m))]
    worse = [m for m in counts if counts[m].features < counts[INPUT].features]
    reproduced = f"{format_count(counts[best])} of {counts[best].total:,} features"
    if best == INPUT:
        return f"The input reproduces {reproduced}."
    name = f"{best}, {best_of(len(models) + 1)}," if models else best
    sentences = [f"{name} reproduces {reproduced}, the input {format_count(counts[INPUT])}."]
    gain = _difference(evaluation, group, best, INPUT)
    if gain is None or not gain.has_limits:
        sentences.append(f"No difference is certain: {TOO_FEW}.")
    else:
        verdict = "" if _is_above(gain) else ": no clear gain"
        sentences.append(f"Their difference is {format_difference(gain, 0)}{verdict}.")
        if level:
            sentences.append(f"It is not clearly ahead of {_with_counts(counts, level)}.")
        elif models:
            sentences.append("It is clearly ahead of all other models.")
    if worse:
        sentences.append(f"Fewer than the input: {_with_counts(counts, worse)}.")
    sentences.append(_class_finding(evaluation.agreement(group, best), evaluation.table.names))
    return " ".join(filter(None, sentences))


def _class_finding(agreement: Agreement, names: Sequence[str]) -> str:
    """Return which feature class a model reproduces best, and which worst."""
    totals: dict[str, tuple[int, int]] = {}
    for (_, name), (above, total) in count_by_class(agreement, names, THRESHOLD).items():
        earlier = totals.get(name, (0, 0))
        totals[name] = earlier[0] + above, earlier[1] + total
    shares = {name: above / total for name, (above, total) in totals.items() if total}
    if not shares:
        return ""
    most, least = max(shares, key=shares.__getitem__), min(shares, key=shares.__getitem__)
    if shares[most] == shares[least]:
        return ""
    return (
        f"{agreement.method} does best on {most} ({shares[most]:.0%} of its features) and worst on "
        f"{least} ({shares[least]:.0%})."
    )


def _quality_finding(table: Table) -> str:
    """Return which method is best by each measure, one line for each measure."""
    row = table.methods.index(INPUT)
    lines = []
    for column in table.columns:
        best = [table.methods[number] for number in sorted(column.best)]
        ranked = zip(table.methods, column.badness, strict=True)
        worse = [method for method, bad in ranked if bad > column.badness[row]]
        label = column.label[0].upper() + column.label[1:]
        verb = "is" if len(best) == 1 else "are"
        lines.append(
            f"{label}: {join_with_and(best)} {verb} best with {column.texts[min(column.best)]}; "
            f"the input has {column.texts[row]}."
            + (f" Worse than the input: {join_with_and(worse)}." if worse else "")
        )
    return "\n".join(lines)


def list_warnings(evaluation: Evaluation) -> list[str]:
    """Return what limits the conclusions."""
    slices = len(evaluation.pixel_spacings)
    compared = evaluation.compared_groups
    regions = {group: len(evaluation.table.rows(group)) for group in evaluation.table.groups}
    few = [f"{group} ({regions[group]})" for group in compared if regions[group] < FEW_REGIONS]
    left_out = [group for group in regions if group not in compared]
    warnings = [
        "Regions of one slice are not independent. Intervals come from resampled slices. Those of "
        "ICC and the limits of agreement take regions as independent, and are too narrow."
    ]
    if list(evaluation.methods) != [INPUT]:
        warnings.append(UNKNOWN_TRAINING)
    if scope := describe_scope(evaluation):
        warnings.append(
            f"{scope} Nothing here says how a method performs on other patients or scanners."
        )
    if slices < FEW_SLICES:
        warnings.append(
            f"{pluralize(slices, 'slice')}: with fewer than {FEW_SLICES}, intervals are too narrow."
        )
    if few:
        warnings.append(f"Fewer than {FEW_REGIONS} regions: {join_with_and(few)}.")
    if left_out:
        warnings.append(f"Fewer than three regions, so not compared: {join_with_and(left_out)}.")
    return [*warnings, *evaluation.notes]
