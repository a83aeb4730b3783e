"""The slices of a group."""

from support.cohorts import SOFT, write_group

from rgan_train.evaluation.cohorts.cohort import read_cohort
from rgan_train.matching.groups import open_group


def test_series_that_are_left_out_are_told_and_not_counted(tmp_path):
    group = open_group("source", [write_group(tmp_path, SOFT, "SOFT", 1, patients=6, slices=1)])
    few = read_cohort("source", group.series, most=4)
    assert (few.series, len(few.patients)) == (4, 4)
    (remark,) = few.remarks
    assert remark.startswith("the source group has 6 series, and 4 slices of 4 of them were")
    everything = read_cohort("source", group.series)
    assert everything.series == 6
    assert not everything.remarks
