"""Counting reproducible features."""

import numpy as np
import pytest

from rgan_train.evaluation.metrics.concordance import ccc
from rgan_train.evaluation.metrics.reproducibility import (
    compare,
    compare_all,
    count_by_class,
    is_defined,
)
from rgan_train.evaluation.regions.rois import Roi
from rgan_train.evaluation.results import FeatureTable, filter_and_class

NAMES = ("original_glcm_A", "original_glcm_B", "wavelet-HH_glszm_C", "wavelet-HH_glszm_D")
MASK = np.ones((4, 4), np.bool_)


def make_table(noise, *, slices=8, per_slice=10, constant=False):
    """Features with SD 1 on the target; ``noise`` is the SD of the method's errors by feature."""
    rng = np.random.default_rng(0)
    rois = [
        Roi("[0, 1] HU", number, MASK, repeat)
        for number in range(slices)
        for repeat in range(per_slice)
    ]
    target = rng.normal(0, 1, (len(rois), len(NAMES)))
    if constant:
        target[:, 0] = 7
    method = target + rng.normal(0, 1, target.shape) * np.asarray(noise)
    values = {"target": target, "method": method, "input": rng.normal(0, 1, target.shape)}
    return FeatureTable(rois, NAMES, values)


def test_features_above_the_threshold_are_counted():
    table = make_table([0.01, 0.1, 0.3, 3])
    found = compare(table, "[0, 1] HU", "method")
    expected = ccc(table.values["target"], table.values["method"])
    assert np.array_equal(found.ccc, expected)
    assert [expected[2] > 0.85, expected[3] > 0.85] == [True, False]
    count = found.counts[0.85]
    assert (count.features, count.total, count.share) == (3, 4, 0.75)
    assert (found.regions, found.slices) == (80, 8)
    low, high = count.interval
    assert low <= 3 <= high
    assert found.counts[0.90].features == np.count_nonzero(expected > 0.9)


def test_each_repeat_is_counted_alone():
    table = make_table([0.01, 0.1, 0.3, 3])
    found = compare(table, "[0, 1] HU", "method").counts[0.85]
    rows = np.array([roi.repeat == 4 for roi in table.rois])
    alone = ccc(table.values["target"][rows], table.values["method"][rows])
    assert len(found.repeats) == 10
    assert found.repeats[4] == np.count_nonzero(alone > 0.85)


def test_what_varies_by_rounding_alone_is_constant():
    values = make_table([0] * 4).values["target"]
    values[:, 0] = 1e9 + 1e-7 * np.sign(values[:, 0])
    values[:, 1] *= 1e-12
    values[:, 2] = 0
    assert is_defined(values).tolist() == [False, True, False, True]


def test_a_feature_that_the_target_does_not_have_is_not_counted():
    table = make_table([0, 0, 0, 0], constant=True)
    table.values["target"][3, 1] = np.nan
    assert is_defined(table.values["target"]).tolist() == [False, False, True, True]
    count = compare(table, "[0, 1] HU", "method").counts[0.85]
    assert (count.features, count.total) == (2, 2)


def test_a_feature_that_the_method_loses_counts_against_it():
    table = make_table([0, 0, 0, 0])
    table.values["method"][3, 1] = np.nan
    count = compare(table, "[0, 1] HU", "method").counts[0.85]
    assert (count.features, count.total) == (3, 4)


def test_one_slice_has_no_interval():
    table = make_table([0.1] * 4, slices=1, per_slice=20)
    found = compare(table, "[0, 1] HU", "method")
    assert np.isnan(found.counts[0.85].interval).all()
    assert np.isnan(found.ccc_interval).all()
    assert np.isfinite(found.icc_interval).all()


def test_a_group_of_two_regions_is_left_out():
    table = make_table([0.1] * 4)
    rois = [*table.rois[:-2], Roi("box", 0, MASK), Roi("box", 1, MASK)]
    found = compare_all(FeatureTable(rois, NAMES, table.values))
    assert [(a.group, a.method) for a in found] == [
        ("[0, 1] HU", "input"),
        ("[0, 1] HU", "method"),
    ]


def test_counts_by_filter_and_class():
    table = make_table([0.01, 5, 0.1, 0.1])
    found = compare(table, "[0, 1] HU", "method")
    assert count_by_class(found, NAMES, 0.85) == {
        ("original", "glcm"): (1, 2),
        ("wavelet-HH", "glszm"): (2, 2),
    }


def test_classes_count_what_the_target_defines():
    table = make_table([0, 0, 0, 0], constant=True)
    table.values["method"][3, 2] = np.nan
    found = compare(table, "[0, 1] HU", "method")
    assert count_by_class(found, NAMES, 0.85) == {
        ("original", "glcm"): (1, 1),
        ("wavelet-HH", "glszm"): (1, 2),
    }
    assert (found.counts[0.85].features, found.counts[0.85].total) == (2, 3)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("log-sigma-1-0-mm-3D_glcm_Contrast", ("log-sigma-1-0-mm-3D", "glcm")),
        ("original_firstorder_90Percentile", ("original", "firstorder")),
    ],
)
def test_names_hold_filter_and_class(name, parts):
    assert filter_and_class(name) == parts
