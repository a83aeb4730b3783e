"""What a report says first, and what it remarks on its conclusions."""

import math
from dataclasses import replace

import pytest
from support.evaluations import RANGE, make_evaluation, with_narrow_limits

from rgan_train.evaluation.report.findings import (
    UNKNOWN_TRAINING,
    list_findings,
    list_warnings,
    summarize,
)
from rgan_train.evaluation.report.tables import make_tables
from rgan_train.evaluation.results import INPUT

WHOLE = "whole slice"


@pytest.fixture(scope="module")
def evaluation():
    return with_narrow_limits(make_evaluation())


@pytest.fixture(scope="module")
def alone(evaluation):
    return evaluation.with_methods([INPUT, "good"])


def first_finding(evaluation):
    return list_findings(evaluation, make_tables(evaluation)[-2])[0].text


def with_limits(evaluation, group, limits):
    """Give the differences of a group limits that lie so far from their values."""
    low, high = limits
    return replace(
        evaluation,
        differences=[
            replace(one, interval=(one.value + low, one.value + high))
            if one.group == group
            else one
            for one in evaluation.differences
        ],
    )


def test_a_report_does_not_know_what_models_were_trained_on():
    evaluation = make_evaluation()
    assert UNKNOWN_TRAINING in list_warnings(evaluation)
    assert UNKNOWN_TRAINING not in list_warnings(evaluation.with_methods([INPUT]))


def test_the_headline_says_of_how_many_models_the_best_is(evaluation, alone):
    assert "the best of 2 models reproduces more features" in summarize(evaluation)
    assert first_finding(evaluation).startswith("good, the best of 2 models, reproduces ")
    assert "the model reproduces more features" in summarize(alone)
    assert first_finding(alone).startswith("good reproduces ")


def test_the_verdict_comes_from_paired_differences_not_from_intervals_of_counts(alone):
    counts = [alone.agreement(WHOLE, method).counts[0.85] for method in (INPUT, "good")]
    assert counts[1].interval[0] > counts[0].interval[1]
    unsure = with_limits(alone, WHOLE, (-100, 100))
    assert "helps in 2 of 2 groups" in summarize(alone)
    assert "helps in 1 of 2 groups" in summarize(unsure)
    assert f"no clear gain in {WHOLE}." in summarize(unsure)
    gain = counts[1].features - counts[0].features
    assert f"Their difference is +{gain} (+{gain - 1} to +{gain + 1})." in first_finding(alone)
    assert f"+{gain} (−{100 - gain} to +{100 + gain}): no clear gain." in first_finding(unsure)
    none = with_limits(unsure, RANGE, (-100, 100))
    assert summarize(none).startswith("The model is not clearly better than the input in any")


def test_a_model_that_is_worse_does_not_help(alone):
    swapped = {"good": INPUT, INPUT: "good"}
    worse = replace(
        alone,
        agreements=[replace(a, method=swapped.get(a.method, a.method)) for a in alone.agreements],
        differences=[replace(d, method=d.other, other=d.method) for d in alone.differences],
    )
    assert summarize(worse).startswith("The model is not clearly better")
    assert ": no clear gain." in first_finding(worse)


def test_models_are_clearly_ahead_where_the_difference_says_so(evaluation):
    unsure = with_limits(evaluation, WHOLE, (-100, 100))
    assert "It is not clearly ahead of fair 5" in first_finding(unsure)
    assert "It is clearly ahead of all other models." in first_finding(evaluation)


def test_too_few_slices_tell_nothing(alone):
    untold = with_limits(alone, WHOLE, (math.nan, math.nan))
    assert summarize(untold).endswith(
        f"It can't be told in {WHOLE}: fewer than 4 slices give no limits."
    )
    assert "No difference is certain: fewer than 4 slices" in first_finding(untold)
    for nothing in (with_limits(untold, RANGE, (math.nan,) * 2), replace(alone, differences=[])):
        assert summarize(nothing).startswith("Fewer than 4 slices give no limits")
        assert "No difference is certain" in first_finding(nothing)
