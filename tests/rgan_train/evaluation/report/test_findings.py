"""What a report remarks on its conclusions."""

from support.evaluations import make_evaluation

from rgan_train.evaluation.report.findings import UNKNOWN_TRAINING, list_warnings
from rgan_train.evaluation.results import INPUT


def test_a_report_does_not_know_what_models_were_trained_on():
    evaluation = make_evaluation()
    assert UNKNOWN_TRAINING in list_warnings(evaluation)
    assert UNKNOWN_TRAINING not in list_warnings(evaluation.with_methods([INPUT]))
