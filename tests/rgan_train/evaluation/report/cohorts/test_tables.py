"""What the tables of a report without pairs say."""

from support.cohort_evaluations import GOOD, make_cohort_evaluation

from rgan_train.evaluation.report.cohorts.tables import make_tables


def test_each_row_of_distances_has_its_own_regions():
    _, distances, *_ = make_tables(make_cohort_evaluation({"mine": GOOD}))
    kind = distances.columns[:4]
    assert [column.over for column in kind] == ["whole slice"] * 4
    cells = {column.label: column.texts[:2] for column in kind}
    assert cells["regions"] == ["60 and 58", "120 and 118"]
    assert cells["not different, %"] == ["–", "67"]
    assert "halves of the target are no goal" in distances.caption
