"""What the headline of a report without pairs says."""

import itertools
from dataclasses import replace

import pytest
from support.cohort_evaluations import GOOD, Made, make_cohort_evaluation

from rgan_train.evaluation.report.cohorts.charts import draw_auc
from rgan_train.evaluation.report.cohorts.findings import list_findings, summarize
from rgan_train.evaluation.report.cohorts.tables import make_tables
from rgan_train.evaluation.results import TARGET


def test_the_headline_says_of_how_many_models_the_best_is():
    made = make_cohort_evaluation({"sharp": Made(0.8, 1.0), "dull": Made(0.6, 0.7)})
    text = summarize(made)
    assert text.startswith(
        "With dull, by mean AUC the best of 2 models, a classifier tells the groups apart with a "
        "mean AUC of 0.60 instead of 0.98"
    )
    assert "but lesions do not look so. Lesions look as in the target with sharp." in text
    assert "sharp, by mean AUC" not in text


def test_the_headline_says_that_no_model_keeps_lesions():
    text = summarize(make_cohort_evaluation({"a": Made(0.8, 0.6), "b": Made(0.6, 0.7)}))
    assert "Lesions look as in the target with no model." in text


def test_a_single_model_is_no_best():
    text = summarize(make_cohort_evaluation({"mine": GOOD}))
    assert text.startswith("With mine a classifier tells the groups apart with a mean AUC of 0.50")
    assert "best of" not in text
    assert "and lesions look as in the target. A mere blur" in text


def test_a_blur_that_is_told_apart_no_better_than_by_chance():
    text = summarize(make_cohort_evaluation({"mine": GOOD}))
    assert "no better than by chance in 4 of 4 kinds of regions (input 0, mine 4) and" in text


def with_laa_950(evaluation, laa_950, spread):
    """Give the holes of all rows but the target so much LAA-950, and a spread."""
    seen = {}
    for row, found in evaluation.lesions.seen.items():
        center = 50.0 if row == TARGET else laa_950
        signs = itertools.cycle((-1, 1))
        seen[row] = [replace(one, laa_950=center + spread * next(signs)) for one in found]
    return replace(evaluation, lesions=replace(evaluation.lesions, seen=seen))


@pytest.mark.parametrize(
    ("laa_950", "spread", "said", "finding"),
    [
        (45, 0.5, "and lesions look as in the target.", "LAA-950 within 10 points."),
        (45, 4, "and it is not decided whether lesions look", "Not decided: LAA-950 of holes of 4"),
        (35, 4, "and it is not decided whether lesions look", "Not decided: LAA-950 of holes of 4"),
        (35, 0.5, "but lesions do not look so", "3 of 12 comparisons are not as in the target"),
    ],
)
def test_a_large_error_decides_nothing_about_holes(laa_950, spread, said, finding):
    evaluation = with_laa_950(make_cohort_evaluation({"mine": GOOD}), laa_950, spread)
    assert said in summarize(evaluation)
    found = {one.about: one.text for one in list_findings(evaluation)}
    assert finding in found["Lesions, mine"]


def test_the_headline_names_models_whose_lesions_are_not_decided():
    evaluation = with_laa_950(make_cohort_evaluation({"one": GOOD, "two": GOOD}), 45, 4)
    said = "Lesions look as in the target with no model. It is not decided for one and two."
    assert said in summarize(evaluation)


def test_few_arrangements_allow_no_verdict():
    evaluation = make_cohort_evaluation({"mine": GOOD}, arrangements=8)
    text = summarize(evaluation)
    assert "by chance" not in text
    assert "too few folds to say whether that is chance (the labels have 8 arrangements" in text
    assert "worth nothing by itself" not in text
    assert "mine 0.50 (no limits)" in list_findings(evaluation)[0].text
    auc = make_tables(evaluation)[0]
    assert auc.columns[0].texts[0] == "0.50 (no limits)"
    assert "only 8 arrangements, and limits need 40" in auc.remarks[-1]
    assert 'stroke-width="9"' not in draw_auc(evaluation, "whole slice")
