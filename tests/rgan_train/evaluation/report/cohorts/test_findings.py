"""What the headline of a report without pairs says."""

from support.cohort_evaluations import GOOD, Made, make_cohort_evaluation

from rgan_train.evaluation.report.cohorts.charts import draw_auc
from rgan_train.evaluation.report.cohorts.findings import list_findings, summarize
from rgan_train.evaluation.report.cohorts.tables import make_tables


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
