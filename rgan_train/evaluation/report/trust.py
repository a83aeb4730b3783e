"""Which features to trust: the section of the page, and ``stable_features.csv``."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rgan_train.evaluation.features.stable import COLUMNS, HASH_DIGITS
from rgan_train.evaluation.metrics.blocks import MANY_PATIENTS
from rgan_train.evaluation.metrics.stability import Stability
from rgan_train.evaluation.report.texts import join_with_and, pluralize
from rgan_train.evaluation.results import INPUT, THRESHOLDS, Evaluation, filter_and_class

STEPS: Final = 10_000
UNDEFINED: Final = -32768
"""Stands for NaN among values of the page, which are whole steps of 1/10,000."""


class Trust(NamedTuple):
    """What the section says before its table; ``scope`` is empty where there are many patients."""

    scope: str
    caution: str
    meaning: str


def describe_patients(stability: Sequence[Stability]) -> str:
    """Return that what was found is exploratory, where a group has few patients or known ones."""
    patients = [one.patients for one in stability if one.exploratory]
    if not patients:
        return ""
    known = ", known from training" if min(patients) >= MANY_PATIENTS else ""
    return f"Exploratory: {pluralize(min(patients), 'patient')}{known}."


def describe_trust(evaluation: Evaluation) -> Trust | None:
    """Return what the section says; None if nothing was compared."""
    if not evaluation.stability:
        return None
    drawn = dict.fromkeys(map(_describe_draws, evaluation.stability))
    meaning = (
        "A feature is called stable where the lower 95 % limit of its CCC with the target is above "
        f"{THRESHOLDS[0]:.2f}. The limits come from samples of {join_with_and(list(drawn))}, as "
        "those of the differences do. They are wider than those in agreement.csv, which come from "
        "single slices."
    )
    return Trust(
        scope=describe_patients(evaluation.stability),
        caution="The limits hold for other slices of the patients examined. To speak of other "
        f"patients, {MANY_PATIENTS} or more are needed, none of them known from training.",
        meaning=meaning,
    )


def _describe_draws(one: Stability) -> str:
    if one.block == 0:
        return "whole patients"
    return f"blocks of {pluralize(one.block, 'neighbouring slice')}"


def trust_data(evaluation: Evaluation) -> dict[str, Any]:
    """Return the table's data: names, and by method and group CCC and limits as base64."""
    limits: dict[str, dict[str, str]] = {}
    for one in evaluation.stability:
        limits.setdefault(one.method, {})[one.group] = _pack(one)
    return {
        "features": list(evaluation.table.names),
        "groups": evaluation.compared_groups,
        "limits": limits,
    }


def _pack(one: Stability) -> str:
    """Return CCC, lower and upper limits as int16; no rounding moves a limit over the threshold."""
    ccc, low, high = (np.rint(part * STEPS) for part in (one.ccc, *one.limits.T))
    threshold = round(THRESHOLDS[0] * STEPS)
    low = np.where(one.stable, np.maximum(low, threshold + 1), np.minimum(low, threshold))
    steps = np.stack([ccc, low, high])
    whole = np.where(np.isfinite(steps), steps, UNDEFINED).astype("<i2")
    return base64.b64encode(whole.tobytes()).decode("ascii")


def stable_rows(evaluation: Evaluation) -> Iterator[Sequence[Any]]:
    """Yield the rows of ``stable_features.csv``, with its heading.

    There is a row for each model, group and feature whose lower limit is above the threshold.
    Where a group has fewer patients than ``MANY_PATIENTS``, or some that are known from training,
    its rows say that they are exploratory.
    """
    yield COLUMNS
    records = evaluation.provenance.get("models", {})
    extraction = evaluation.provenance.get("features", {}).get("sha256", "")[:HASH_DIGITS]
    random = {one.group: one.ccc for one in evaluation.controls.random}
    everywhere = {method: stable_everywhere(evaluation, method) for method in evaluation.methods}
    for one in evaluation.stability:
        if one.method == INPUT:
            continue
        for number in np.flatnonzero(one.stable).tolist():
            name = evaluation.table.names[number]
            control = float(random[one.group][number]) if one.group in random else math.nan
            yield (
                one.method,
                records.get(one.method, {}).get("sha256", ""),
                one.group,
                name,
                *filter_and_class(name),
                float(one.ccc[number]),
                *one.limits[number].tolist(),
                "yes" if everywhere[one.method][number] else "no",
                "" if math.isnan(control) else control,
                one.slices,
                one.patients,
                "yes" if one.exploratory else "no",
                extraction,
            )


def stable_everywhere(evaluation: Evaluation, method: str) -> NDArray[np.bool_]:
    """Return which features are stable with a method in all groups that have limits."""
    found = [one.stable for one in evaluation.stability if one.method == method and one.has_limits]
    if not found:
        return np.zeros(len(evaluation.table.names), np.bool_)
    everywhere: NDArray[np.bool_] = np.all(found, axis=0)
    return everywhere
